#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the table of common passwords: the first 64 bits of the SHA-256 of each, sorted.

usage: common_passwords.py frequency_lists.js OUT.c OUT.h

Takes the list `passwords` of the npm package zxcvbn. Those that are too short by themselves count
where a password repeats one; the shortest are left out, since they are parts of too many. All are
lower case and ASCII, and so their own case-folded NFC form, which a password is compared by.
"""

import hashlib
import pathlib
import re
import sys

LENGTH_MIN = 4
COUNT_MIN = 10000

HEADER = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* Made by tools/common_passwords.py of the npm package zxcvbn (MIT). Constant: any thread. */
#pragma once

#include <stdint.h>

enum {{ COMMON_PASSWORDS_COUNT = {count} }};

/* The first 64 bits of the SHA-256 of each common password, ascending. */
extern const uint64_t common_passwords[COMMON_PASSWORDS_COUNT];
"""

SOURCE = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* Made by tools/common_passwords.py of the npm package zxcvbn (MIT). */
#include "common_passwords.h"

const uint64_t common_passwords[COMMON_PASSWORDS_COUNT] = {{
{rows}}};
"""


def passwords(script):
    found = re.search(r'^\s*passwords: "([^"]*)"\.split\(","\)', script, flags=re.MULTILINE)
    if not found:
        sys.exit("common_passwords: the list is not where it is expected")
    text = found.group(1).replace("\\'", "'")
    words = {word for word in text.split(",") if len(word) >= LENGTH_MIN}
    # Another backslash would be one of JavaScript's.
    odd = [w for w in words if not w.isascii() or w != w.casefold() or "\\" in w]
    if odd or len(words) < COUNT_MIN:
        sys.exit(f"common_passwords: {len(words)} passwords, odd ones: {odd[:5]}")
    return words


def main(script, source, header):
    words = passwords(pathlib.Path(script).read_text(encoding="utf-8"))
    numbers = sorted({int.from_bytes(hashlib.sha256(w.encode()).digest()[:8]) for w in words})
    texts = [f"{number:#018x}," for number in numbers]
    rows = [f"    {' '.join(texts[i : i + 4])}\n" for i in range(0, len(texts), 4)]
    pathlib.Path(header).write_text(HEADER.format(count=len(numbers)), encoding="utf-8")
    pathlib.Path(source).write_text(SOURCE.format(rows="".join(rows)), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
