#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs test suites one after the other and sums them up.

usage: run_suites.py NAME REPORT.xml COMMAND [ -- NAME REPORT.xml COMMAND ]...

A suite's output is passed through as it comes. REPORT.xml is the JUnit report that it writes; one
that fails without reporting a failure counts as one failed test. The last line is
"N passed, N failed" over all suites (in build/reports/summary too), and the exit code is not 0 if a
suite failed.
"""

import itertools
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree

SUMMARY = pathlib.Path("build/reports/summary")


def cases_inside(case):
    """What one testcase stands for: a program of cmocka's says which of its own tests it ran."""
    output = "".join(child.text or "" for child in case if child.tag.startswith("system-"))
    begun = output.count("[ RUN      ]")
    passed = output.count("[       OK ]")
    skipped = output.count("[  SKIPPED ] ") // 2  # said once more in the list at the end
    return passed, begun - passed - skipped, skipped


def count(report):
    """Passed, failed and skipped tests of a JUnit report."""
    passed = failed = skipped = 0
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        is_failed = bool(kinds & {"failure", "error"})
        inside = cases_inside(case)
        if not any(inside):
            inside = (not is_failed and "skipped" not in kinds, is_failed, "skipped" in kinds)
        passed += inside[0]
        failed += max(inside[1], is_failed)
        skipped += inside[2]
    return passed, failed, skipped


def run(name, report, command):
    report = pathlib.Path(report)
    report.unlink(missing_ok=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    print(f"\n=== {name} ===", flush=True)
    began = time.monotonic()
    code = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL).returncode
    seconds = time.monotonic() - began

    passed = failed = skipped = 0
    if report.exists():
        passed, failed, skipped = count(report)
    if code != 0 and failed == 0:
        print(f"{name}: exit code {code} without a failed test in the report")
        failed = 1
    if passed + failed == 0:
        print(f"{name}: not one test was run")
        failed = 1
    return name, passed, failed, skipped, seconds


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    groups = [
        list(group)
        for is_separator, group in itertools.groupby(arguments, lambda word: word == "--")
        if not is_separator
    ]
    results = [run(*group) for group in groups]

    print()
    for name, passed, failed, skipped, seconds in results:
        print(f"{name:<12} {passed} ok, {failed} not, {skipped} skipped in {seconds:.0f} s")
    passed = sum(result[1] for result in results)
    failed = sum(result[2] for result in results)
    summary = f"{passed} passed, {failed} failed"
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(f"{summary}\n", encoding="utf-8")
    print(summary, flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
