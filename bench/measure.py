# SPDX-License-Identifier: Apache-2.0
"""What processes cost: CPU and memory as the kernel counts them, cores to run on, and spreads.

Units stand in the names. CPU times are read while the process is idle: the kernel adds a running
thread's last stretch only when it leaves the CPU.
"""

import os
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))
# What is measured has the first core for itself; its clients and its database have the others.
SUBJECT_CORES = _CORES[:1]
OTHER_CORES = _CORES[1:] or _CORES
ALL_CORES = _CORES


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """Processes and threads that are started inside run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_ns(*pids: int) -> int:
    """CPU time of all threads, of those that have ended too: the clock of each process, which the
    kernel names by its pid (clock_getcpuclockid(3))."""
    return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids)


def anonymous_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE).group(1))


def private_kib(pid: int) -> int:
    """Private memory that was written to, without the buffers of password hashes.

    Those are the mappings that are advised both "huge pages" and "not into a core dump". Clean
    private pages are libraries' that no other process happens to have mapped at the moment.
    """
    total = 0
    for mapping in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", _smaps(pid), flags=re.MULTILINE):
        flags = re.search(r"^VmFlags: (.*)$", mapping, re.MULTILINE)
        if flags and not {"hg", "dd"} <= set(flags.group(1).split()):
            found = re.findall(r"^Private_Dirty:\s+(\d+) kB", mapping, re.MULTILINE)
            total += sum(map(int, found))
    return total


def _smaps(pid: int) -> str:
    return Path(f"/proc/{pid}/smaps").read_text()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True)
class Spread:
    """Median and range over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int) -> str:
        low, high = f"{self.low:,.{digits}f}", f"{self.high:,.{digits}f}"
        return f"{self.median:,.{digits}f} [{low}–{high}]"
