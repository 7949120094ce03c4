#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/CONFIGURATION.md from the table in src/app/config.c.

usage: configuration_md.py BINARY [--check]

--check compares instead of writing, and fails when the file is not what the binary says.
"""

import json
import os
import pathlib
import subprocess
import sys

TARGET = pathlib.Path(__file__).resolve().parent.parent / "docs" / "CONFIGURATION.md"

HEAD = """\
# Configuration

Settings are environment variables. This page is made from the table in `src/app/config.c` by
`make docs`; a test keeps it true. `user-service check-config` prints what is in force, with
`--strict` it also refuses `US_` variables that this version does not know (`serve` only warns about
them, so that a roll-back starts).

A value that is wrong stops the start with one line that names the variable, what it got and what it
takes.

| variable | default | takes | meaning |
|---|---|---|---|
"""


def table(binary):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("US_")}
    shown = subprocess.run(
        [binary, "check-config", "--json"], capture_output=True, env=environment, text=True
    )
    return json.loads(shown.stdout)


def cell(text):
    return text.replace("|", "\\|")


def default(row):
    if row["required"]:
        return "required"
    return f"`{row['default']}`" if row["default"] else "empty"


def page(rows):
    lines = (
        f"| `{row['name']}` | {cell(default(row))} | {cell(row['takes'])} | {cell(row['help'])} |\n"
        for row in rows
    )
    return HEAD + "".join(lines)


def main(binary, *options):
    text = page(table(binary))
    if "--check" not in options:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("docs/CONFIGURATION.md is not what the binary says: run `make docs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
