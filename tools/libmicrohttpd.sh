#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the pinned libmicrohttpd as a static archive and prints the prefix that it is installed in.
# usage: libmicrohttpd.sh BUILD_FOLDER
# The source: GNU's site, else Debian unstable's source package, taken through apt with a
# configuration of its own in the build folder, so that no foreign suite is added to the system.
# Both give the same pinned bytes. Where GNU is out of reach and unstable has moved on, its newer
# release is taken instead, checked by the archive's signature, and that is said. The result is kept
# in the user's cache for every build folder, keyed by all that goes into it.
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
. "$tools/cache_folder.sh"
. "$tools/debian_mirror.sh"
wrap=$tools/../subprojects/libmicrohttpd.wrap
build_folder=$1

pinned() { sed -n "s/^$1 = //p" "$wrap"; }

source_url=$(pinned source_url)
sha256=$(pinned source_hash)
version=$(pinned directory)
version=${version#libmicrohttpd-}

configure_options="--disable-shared --enable-static --disable-https --disable-bauth --disable-dauth
 --disable-postprocessor --disable-httpupgrade --disable-cookie --disable-curl --disable-doc
 --disable-examples --disable-tools --disable-nls"
wanted_flags="-O2 -g -fPIE -fstrict-flex-arrays=3 -fstack-clash-protection -fstack-protector-strong
 -fcf-protection=full -mbranch-protection=standard -ftrivial-auto-var-init=zero
 -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fvisibility=hidden"

say() { echo "libmicrohttpd: $*" >&2; }
die() { say "$*"; exit 1; }

compiler=$(command -v gcc || command -v cc) || die "found no C compiler; run 'make deps'"

supported_flags() {
    for flag in $wanted_flags; do
        if echo 'int x;' | "$compiler" -Werror "$flag" -c -x c -o /dev/null - 2>/dev/null; then
            printf '%s ' "$flag"
        fi
    done
    printf '%s' '-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3'
}

is_pinned() { echo "$sha256  $1" | sha256sum --check --status 2>/dev/null; }

from_gnu() {
    curl --silent --fail --location --proto '=https' --connect-timeout 5 --max-time 120 \
        --output "$1" "$source_url"
}

# An index past its date (a mirror that is a snapshot) will do: the bytes are pinned.
private_apt() {
    apt-get -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
        -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -q "$@"
}

from_debian() {
    command -v apt-get >/dev/null || return 1
    apt=$build_folder/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts" "$apt/source"
    mirror=$(debian_mirror "$apt/lists")
    [ -n "$mirror" ] || return 1
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb-src [signed-by=$keyring] $mirror unstable main" >"$apt/sources.list"
    (
        cd "$apt/source"
        set -- -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/parts"
        private_apt "$@" update && private_apt "$@" --download-only source libmicrohttpd
    ) >&2 || return 1
    mv "$apt"/source/libmicrohttpd_*.orig.tar.?z "$1" || return 1
    is_pinned "$1" && return
    found=$(sed -n 's/^Version: \(.*\)-[^-]*$/\1/p' "$apt"/source/*.dsc)
    [ "$(printf '%s\n' "$version" "$found" | sort -V | tail -n 1)" != "$version" ] || return 1
    say "$found of Debian unstable (the archive's signature is good) instead of the pinned $version"
    version=$found
    mv "$1" "$work/newer.tar"
    tarball=$work/newer.tar
}

fetch() {
    tarball=$1
    is_pinned "$tarball" && return
    for origin in from_gnu from_debian; do
        rm -f "$tarball.part"
        if $origin "$tarball.part"; then
            [ "$tarball" != "$work/newer.tar" ] || return 0
            if is_pinned "$tarball.part"; then
                mv "$tarball.part" "$tarball"
                return
            fi
        fi
        say "$version with the pinned SHA-256 was not to be had $(echo $origin | tr _ " ")"
    done
    die "no source: put libmicrohttpd-$version.tar.gz (sha256 $sha256) at $tarball"
}

compile() {
    mkdir "$work/tree"
    tar -xf "$tarball" -C "$work/tree" --strip-components=1
    say "building $version (once; the result is kept in $cache)"
    (
        cd "$work/tree"
        # shellcheck disable=SC2086 # the options are a list
        ./configure --quiet --prefix=/ $configure_options CC="$compiler" CFLAGS="$flags" &&
            make -s -j2 -C src/microhttpd libmicrohttpd.la &&
            make -s -C src/microhttpd DESTDIR="$work/out" install-libLTLIBRARIES &&
            make -s -C src/include DESTDIR="$work/out" install-data
    ) >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; die "the build failed"; }
    rm -f "$work/out/lib/"*.la
    echo "$version" >"$work/out/version"
    mv "$work/out" "$prefix"
}

cache=$(cache_folder "$build_folder")
flags=$(supported_flags)
key=$(echo "$version $configure_options $flags" "$($compiler --version)" | sha256sum | cut -c1-12)
prefix=$cache/libmicrohttpd-$key

exec 9>"$cache/libmicrohttpd.lock"
flock 9 # several build folders may be set up at once
if [ ! -e "$prefix/version" ]; then
    work=$(mktemp -d "$cache/libmicrohttpd.XXXXXX")
    trap 'rm -rf "$work"' EXIT INT TERM
    fetch "$cache/libmicrohttpd-$version.tar.gz"
    compile
fi
echo "$prefix"
