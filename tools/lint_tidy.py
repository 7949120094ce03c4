#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over our own sources, as .clang-tidy says, on all cores.

usage: lint_tidy.py BUILD_FOLDER

The compilation database is gcc's: what clang does not know of it is left out of a copy.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys


def is_for_clang(argument):
    return not argument.startswith(("-f", "-W", "-m"))


def own_sources(build):
    """Entries of the database for what we wrote below src/, once each."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = (build / entry["file"]).resolve()
        if path.parent.parent == pathlib.Path("src").resolve():
            words = [word for word in shlex.split(entry["command"]) if is_for_clang(word)]
            words = [str(path) if word == entry["file"] else word for word in words]
            entries[path] = {"directory": str(build), "file": str(path), "arguments": words}
    return entries


def tidy(folder, path):
    command = ["clang-tidy", "--quiet", "-p", folder, "--warnings-as-errors=*", path]
    return subprocess.run(command, capture_output=True, text=True)


def main(build):
    build = pathlib.Path(build).resolve()
    entries = own_sources(build)
    folder = build / "tidy"
    folder.mkdir(exist_ok=True)
    text = json.dumps(list(entries.values()))
    (folder / "compile_commands.json").write_text(text, encoding="utf-8")

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(lambda path: tidy(folder, path), sorted(entries)):
            failed += result.returncode != 0
            print(result.stdout.replace(f"{pathlib.Path.cwd()}/", ""), end="")
            if result.returncode != 0 and not result.stdout:
                print(result.stderr)
    print(f"clang-tidy: {len(entries)} files, {failed} with findings")
    return failed != 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
