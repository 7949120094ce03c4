# SPDX-License-Identifier: Apache-2.0
"""Every secret that a test run issued or sent, to be looked for in every log of the run."""

import subprocess
import threading
from pathlib import Path

# Shorter ones are words that occur by themselves.
_LENGTH_MIN = 12


class Ledger:
    """Thread-safe."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, *secrets: str | None) -> None:
        with self._lock:
            self._secrets.update(s for s in secrets if s and _can_be_looked_for(s))

    def find_in(self, logs: list[Path], scratch: Path) -> list[str]:
        """Lines of `logs` that hold a secret (the first 20 of them)."""
        scratch.write_text("\n".join(sorted(self._secrets)) + "\n")
        command = ["grep", "-HnF", "-m", "20", "-f", str(scratch), *map(str, logs)]
        try:
            found = subprocess.run(command, capture_output=True, text=True, errors="replace")
        finally:
            scratch.unlink()
        if found.returncode > 1:
            raise RuntimeError(found.stderr)
        return found.stdout.splitlines()[:20]


def _can_be_looked_for(secret: str) -> bool:
    return len(secret) >= _LENGTH_MIN and "\n" not in secret


LEDGER = Ledger()
