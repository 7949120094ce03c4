# SPDX-License-Identifier: Apache-2.0
"""The table of figures: on the screen, and between two marks of docs/PERFORMANCE.md."""

import datetime
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import ALL_CORES, Spread
from support.paths import BINARY, ROOT
from support.postgres import newest_bin

PAGE = ROOT / "docs" / "PERFORMANCE.md"
_BEGIN = "<!-- figures: written by `make bench` -->"
_END = "<!-- /figures -->"


@dataclass(frozen=True)
class Row:
    """One figure. Without a bound it is told for comparison only."""

    what: str
    spread: Spread
    unit: str
    digits: int = 2
    bound: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.bound is None or self.spread.median <= self.bound

    @property
    def cells(self) -> tuple[str, str, str, str]:
        unit = f" {self.unit}" if self.unit else ""
        bound = "" if self.bound is None else f"≤ {self.bound:,g}{unit}"
        verdict = "" if self.bound is None else ("yes" if self.holds else "**no**")
        return self.what, f"{self.spread.text(self.digits)}{unit}", bound, verdict


_HEAD = ("figure", "median [min–max]", "bound", "holds")


def text_of(rows: Sequence[Row]) -> str:
    """For a terminal."""
    lines = [_HEAD, *(row.cells for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    shown = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in shown)


def write_page(rows: Sequence[Row]) -> None:
    """Replaces what stands between the marks; the rest of the page is written by hand."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n{_block(rows)}\n{_END}{after}")


def _block(rows: Sequence[Row]) -> str:
    table = [_HEAD, ("---",) * len(_HEAD), *(row.cells for row in rows)]
    notes = [f"- {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join(
        [
            *(f"| {' | '.join(line)} |" for line in table),
            *(["", *notes] if notes else []),
            "",
            *(f"- {name}: {value}" for name, value in _circumstances()),
        ]
    )


def _circumstances() -> list[tuple[str, str]]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    thp = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return [
        ("date", today),
        ("machine", f"{_cpu_model()}, {len(ALL_CORES)} cores, Linux {platform.release()}"),
        ("huge pages", _found(r"\[(\w+)\]", thp.read_text() if thp.exists() else "[none]")),
        ("user-service", _run(str(BINARY), "version").split("\n")[0]),
        ("PostgreSQL", _found(r"([\d.]+)", _run(str(newest_bin() / "postgres"), "--version"))),
        ("libsodium", _run("pkg-config", "--modversion", "libsodium")),
        ("OpenSSL", _found(r"OpenSSL (\S+)", _run("openssl", "version"))),
        ("nginx", _found(r"nginx/(\S+)", _run("nginx", "-v"))),
    ]


def _cpu_model() -> str:
    return _found(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return (done.stdout + done.stderr).strip()


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found.group(1) if found else "unknown"
