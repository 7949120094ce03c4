#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the pinned swagger-ui-dist by npm, checks its integrity, and prints the folder that holds
# swagger-ui-bundle.js.gz and swagger-ui.css.gz. Nothing of the package is executed.
# usage: swagger_ui.sh BUILD_FOLDER
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
. "$tools/cache_folder.sh"
pin=$tools/../subprojects/swagger-ui-dist.pin

die() { echo "swagger-ui: $*" >&2; exit 1; }
pinned() { sed -n "s/^$1 = //p" "$pin"; }

package=$(pinned package)
version=$(pinned version)
integrity=$(pinned integrity)

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
    for file in swagger-ui-bundle.js swagger-ui.css; do
        tar -xzOf "$tarball" "package/$file" | gzip -9 -n >"$work/out/$file.gz"
    done
}

cache=$(cache_folder "$1")
key=$(echo "$integrity" | sha256sum | cut -c1-12)
folder=$cache/$package-$version-$key

exec 9>"$cache/swagger-ui.lock"
flock 9 # several build folders may be set up at once
if [ ! -d "$folder" ]; then
    work=$(mktemp -d "$cache/swagger-ui.XXXXXX")
    trap 'rm -rf "$work"' EXIT INT TERM
    fetch
    mv "$work/out" "$folder"
fi
echo "$folder"
