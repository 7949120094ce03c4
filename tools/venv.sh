#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of the tests and linters, anew whenever the pinned list changes.
# usage: venv.sh FOLDER
set -eu

venv=$1
requirements=$(cd "$(dirname "$0")/../tests" && pwd)/requirements.txt
wanted=$(sha256sum <"$requirements")

if [ "$(cat "$venv/requirements.sha256" 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement "$requirements"
echo "$wanted" >"$venv/requirements.sha256"
