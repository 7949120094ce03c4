# SPDX-License-Identifier: Apache-2.0
"""Code blocks of the documents, so that a test runs what a reader copies.

A block is named by a comment before it, `<!-- run: NAME -->`; one that no test runs has
`<!-- not run -->` there. Placeholders of the document are replaced by what is real in the test.
"""

import re
from functools import cache
from pathlib import Path

from .paths import ROOT

INTEGRATE = ROOT / "docs" / "INTEGRATE.md"
NOT_RUN = "not run"
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (?:run: ([\w.-]+)|(not run)) -->\s*$")


@cache
def code_blocks(path: Path = INTEGRATE) -> dict[str, str]:
    """Text by name. Raises AssertionError for a block without a mark."""
    text = path.read_text()
    found: dict[str, str] = {}
    for fence in _FENCE.finditer(text):
        mark = _MARK.search(text[: fence.start()])
        assert mark, f"{path.name}: a block without a mark: {fence.group(3)[:60]!r}"
        if mark.group(2) != NOT_RUN:
            assert mark.group(1) not in found, f"two blocks {mark.group(1)}"
            found[mark.group(1)] = fence.group(3)
    return found


def code_block(name: str, **replaced: str) -> str:
    """One block. Each key of `replaced` is a placeholder that has to be there."""
    return fill(code_blocks()[name], replaced)


def fill(text: str, replaced: dict[str, str]) -> str:
    for placeholder, value in replaced.items():
        assert placeholder in text, f"no {placeholder} in:\n{text}"
        text = text.replace(placeholder, value)
    return text
