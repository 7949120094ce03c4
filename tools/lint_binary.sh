#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that the hardening flags have reached the binary.
# usage: lint_binary.sh BINARY
set -eu

binary=$1
dynamic=$(LC_ALL=C readelf --wide --dynamic --program-headers --file-header "$binary")
failed=0

must() {
    if ! echo "$dynamic" | grep -Eq "$2"; then
        echo "$binary: $1 is missing" >&2
        failed=1
    fi
}

must_not() {
    if echo "$dynamic" | grep -Eq "$2"; then
        echo "$binary: has $1" >&2
        failed=1
    fi
}

must 'PIE' 'Flags:.* PIE'
must 'RELRO' 'GNU_RELRO'
must 'immediate binding' 'Flags:.* NOW'
must 'a stack that is not executable' 'GNU_STACK.* RW '
must_not 'a RUNPATH or RPATH' '\((RUNPATH|RPATH)\)'
must_not 'a shared libmicrohttpd or libsodium' 'NEEDED.*(microhttpd|sodium)'
[ $failed -eq 0 ] && echo "binary: PIE, RELRO, NOW, no RUNPATH"
exit $failed
