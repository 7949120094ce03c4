#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Links each floor whole with the floors below it alone: what it needs from elsewhere is undefined.
# usage: lint_floors.sh BUILD_FOLDER
set -eu

build=$1
outside="-lpq -lcrypto -ljansson -lcurl -lutf8proc -lidn2 -lcrypt -lm -pthread"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
echo 'int main(void) { return 0; }' >"$work/main.c"

# The archives outside the floors, and the sanitizers that the objects need.
static=$(cat "$build/tools/static_archives")
sanitizers=$(grep -oh -e '-fsanitize=[a-z,]*' "$build/build.ninja" | sort -u || true)

failed=0
check() {
    floor=$1
    shift
    archive=$build/src/libuser_service_$floor.a
    [ -e "$archive" ] || return 0
    below=
    for name in "$@"; do
        [ ! -e "$build/src/libuser_service_$name.a" ] || below="$below $build/src/libuser_service_$name.a"
    done
    # shellcheck disable=SC2086 # lists of names
    if ! cc -o "$work/linked" "$work/main.c" $sanitizers -Wl,--no-undefined \
        -Wl,--whole-archive "$archive" -Wl,--no-whole-archive \
        -Wl,--start-group $below $static -Wl,--end-group $outside 2>"$work/errors"; then
        echo "floor $floor does not link with the floors below alone:" >&2
        sed 's/.*undefined reference/undefined reference/' "$work/errors" | sort | uniq -c >&2
        failed=1
    fi
}

check base
check platform base
check net base platform
check store base platform net
check auth base platform net store
check delivery base platform net store auth
check api base platform net store auth
check app base platform net store auth delivery api
[ $failed -eq 0 ] && echo "floors: each links with the floors below alone"
exit $failed
