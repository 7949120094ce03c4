#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the npm package that subprojects/PACKAGE.pin names, checks its integrity, and prints the folder
# that holds the files named there, each as it is and gzipped. Nothing of the package is executed.
# usage: npm_pinned.sh PACKAGE BUILD_FOLDER
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
. "$tools/cache_folder.sh"
pin=$tools/../subprojects/$1.pin

die() { echo "$package: $*" >&2; exit 1; }
pinned() { sed -n "s/^$1 = //p" "$pin"; }

package=$(pinned package)
version=$(pinned version)
integrity=$(pinned integrity)
files=$(pinned files)

digest() {
    echo "sha512-$(openssl dgst -sha512 -binary "$1" | openssl base64 -A)"
}

fetch() {
    command -v npm >/dev/null || die "npm is missing; run 'make deps'"
    (cd "$work" && npm pack --silent "$package@$version" >&2 </dev/null) ||
        die "npm could not fetch $package@$version"
    tarball=$work/$package-$version.tgz
    found=$(digest "$tarball")
    [ "$found" = "$integrity" ] || die "$package@$version has integrity $found, pinned is $integrity"
    mkdir "$work/out"
    for file in $files; do
        tar -xzOf "$tarball" "package/$file" >"$work/out/${file##*/}"
        gzip -9 -n -k "$work/out/${file##*/}"
    done
}

cache=$(cache_folder "$2")
key=$(echo "$integrity $files" | sha256sum | cut -c1-12)
folder=$cache/npm-$package-$version-$key

exec 9>"$cache/npm-$package.lock"
flock 9 # several build folders may be set up at once
if [ ! -d "$folder" ]; then
    work=$(mktemp -d "$cache/npm-$package.XXXXXX")
    trap 'rm -rf "$work"' EXIT INT TERM
    fetch
    mv "$work/out" "$folder"
fi
echo "$folder"
