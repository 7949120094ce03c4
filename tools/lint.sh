#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every linter and says which ones complained; with --format lays the sources out instead.
# usage: lint.sh [--format] BUILD_FOLDER
set -u

format=false
if [ "$1" = --format ]; then
    format=true
    shift
fi
build=$1
ruff="$build/venv/bin/ruff"
c_files=$(find src tests fuzz bench -name '*.[ch]' 2>/dev/null)
python_folders=$(find tools tests bench -maxdepth 0 2>/dev/null)
shell_files=$(grep -rlE --exclude-dir=node_modules '^#!/bin/(sh|bash)' tools bench tests .ci 2>/dev/null)

if $format; then
    # shellcheck disable=SC2086 # lists of names
    clang-format -i $c_files && "$ruff" format --quiet $python_folders
    exit
fi

complained=
run() {
    name=$1
    shift
    began=$(date +%s)
    if ! "$@"; then
        complained="$complained $name"
    fi
    echo "-- $name: $(($(date +%s) - began)) s"
}

# shellcheck disable=SC2086 # lists of names
{
    run clang-format clang-format --dry-run -Werror $c_files
    run house python3 tools/lint_house.py . "$build"
    run floors tools/lint_floors.sh "$build"
    run binary tools/lint_binary.sh "$build/user-service"
    run shellcheck shellcheck --external-sources --source-path=SCRIPTDIR $shell_files
    run ruff "$ruff" check --quiet $python_folders
    run ruff-format "$ruff" format --quiet --check $python_folders
    run clang-tidy python3 tools/lint_tidy.py "$build"
}

if [ -n "$complained" ]; then
    echo "lint: not clean:$complained" >&2
    exit 1
fi
echo "lint: clean"
