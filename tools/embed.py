#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns files into C: one table of name, bytes and size.

usage: embed.py GROUP OUT.c OUT.h FILE...

The table is sorted by name, and a NUL that `size` does not count follows the last byte of each
file, so that a text is a C string too. The bytes are string literals: compilers read those an order
of magnitude faster than lists of numbers.
"""

import pathlib
import sys

HEADER = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* Made by tools/embed.py. Constant data: any thread may read it. */
#pragma once

#include <stddef.h>

struct embedded_{group} {{
    const char *name; /* base name of the file */
    const unsigned char *bytes; /* followed by a NUL */
    size_t size; /* in bytes, without that NUL */
}};

extern const struct embedded_{group} embedded_{group}[{count}]; /* sorted by name */
"""

SOURCE = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* Made by tools/embed.py. */
#include "{header}"

{arrays}
const struct embedded_{group} embedded_{group}[{count}] = {{
{rows}}};
"""

# Every byte that may stand for itself inside a literal; "?" would begin trigraphs.
PLAIN = set(range(0x20, 0x7F)) - set(b'"\\?')


def literal(data):
    """Octal escapes have a fixed length, so no digit after one can be taken for a part of it."""
    lines = []
    for start in range(0, len(data), 4096):
        chunk = data[start : start + 4096]
        text = "".join(chr(byte) if byte in PLAIN else f"\\{byte:03o}" for byte in chunk)
        lines.append(f'    "{text}"')
    return "\n".join(lines) or '    ""'


def main(group, source, header, *names):
    files = sorted((pathlib.Path(name) for name in names), key=lambda path: path.name)
    contents = [path.read_bytes() for path in files]
    arrays = "".join(
        f"static const unsigned char file_{i}[{len(data) + 1}] =\n{literal(data)};\n"
        for i, data in enumerate(contents)
    )
    rows = "".join(
        f'    {{"{path.name}", file_{i}, {len(data)}}},\n'
        for i, (path, data) in enumerate(zip(files, contents, strict=True))
    )
    words = {"group": group, "count": len(files), "header": pathlib.Path(header).name}
    pathlib.Path(header).write_text(HEADER.format(**words))
    pathlib.Path(source).write_text(SOURCE.format(arrays=arrays, rows=rows, **words))


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
