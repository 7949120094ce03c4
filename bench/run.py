# SPDX-License-Identifier: Apache-2.0
"""Takes the figures of docs/PERFORMANCE.md and writes them into it.

usage: run.py BUILD_FOLDER [FIGURE...]

With figures named (login, static, start, memory, delivery, overload, refresh, verify, revocation)
only those are taken, and the page stays as it is. A bound that does not hold is shown, and is no
failure: times depend on what else the machine does.
"""

import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

FIGURES = (
    *("login", "static", "start", "memory", "delivery", "overload"),
    *("refresh", "verify", "revocation"),
)
ROOT = Path(__file__).resolve().parents[1]


def main(build: Path, wanted: list[str]) -> int:
    os.environ["USER_SERVICE_BIN"] = str((build / "user-service").absolute())
    sys.path.insert(0, str(ROOT / "tests" / "integration"))
    table = import_module("table")
    with import_module("priority").first():
        rows = take(wanted or list(FIGURES))
    print(table.text_of(rows))
    if not wanted:
        table.write_page(rows)
    return 0


def take(names: list[str]) -> list[Any]:
    world = import_module("world").World()
    rows = []
    try:
        for name in names:
            started = time.monotonic()
            rows += import_module(f"figure_{name}").measure(world)
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    finally:
        world.close()
    return rows


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(FIGURES):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
