# SPDX-License-Identifier: Apache-2.0
"""Keeps other work of the machine out of the figures, as far as root may."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_GROUP = Path("/proc/self/autogroup")
_FIRST = -20


@contextmanager
def first() -> Iterator[None]:
    """This session's processes go before all others; among themselves they stay equal.

    By the priority of the group that the kernel makes of a session (CONFIG_SCHED_AUTOGROUP).
    """
    before = _priority()
    _set(_FIRST)
    try:
        yield
    finally:
        _set(before)


def _priority() -> int:
    with suppress(OSError):
        found = re.search(r"nice (-?\d+)", _GROUP.read_text())
        return int(found.group(1)) if found else 0
    return 0


def _set(priority: int) -> None:
    with suppress(OSError):
        _GROUP.write_text(str(priority))
