#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the OpenAPI document as compact JSON, and the same compressed, without a time stamp.

usage: openapi_json.py IN.yaml OUT.json OUT.json.gz
"""

import gzip
import json
import pathlib
import sys

import yaml


def main(source, plain, compressed):
    document = yaml.safe_load(pathlib.Path(source).read_text(encoding="utf-8"))
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    pathlib.Path(plain).write_bytes(data)
    pathlib.Path(compressed).write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
