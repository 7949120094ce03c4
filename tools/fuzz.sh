#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with libFuzzer and the sanitizers and lets each run for a while. What is
# found grows BUILD_FOLDER/corpus; a crash is kept there too and fails the run.
# usage: fuzz.sh BUILD_FOLDER SECONDS
set -eu

build=$1
seconds=$2

if [ ! -e "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false
fi
ninja -C "$build" --quiet fuzz-targets

failed=
for target in "$build"/fuzz/fuzz_*; do
    if [ ! -f "$target" ] || [ ! -x "$target" ]; then
        continue
    fi
    name=$(basename "$target" | sed 's/^fuzz_//')
    mkdir -p "$build/corpus/$name"
    words=
    if [ -e "fuzz/dictionaries/$name.dict" ]; then
        words="-dict=fuzz/dictionaries/$name.dict"
    fi
    echo "=== $name, $seconds s ==="
    # shellcheck disable=SC2086 # no word at all where there is no dictionary
    "$target" $words -max_total_time="$seconds" -print_final_stats=1 -timeout=10 -verbosity=0 \
        -artifact_prefix="$build/corpus/$name-" "$build/corpus/$name" "fuzz/corpus/$name" ||
        failed="$failed $name"
done
if [ -n "$failed" ]; then
    echo "fuzz: found something in:$failed" >&2
    exit 1
fi
