#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds this tree in a fresh Debian 13 root and runs its unit tests there: another compiler, newer
# libraries. Needs root and mmdebstrap; takes a few minutes; leaves nothing behind.
# usage: debian13.sh
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
cd "$tree"
die() { echo "debian13: $*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || die "needs root"
command -v mmdebstrap >/dev/null || die "as root: apt-get install --yes mmdebstrap"
. tools/cache_folder.sh
. tools/debian_mirror.sh

root=$(mktemp -d /tmp/debian13.XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT INT TERM
chmod 755 "$root" # PostgreSQL runs as another account

# What npm fetches comes out of the cache, and with it goes the need for npm's hundreds of packages.
tools/npm_pinned.sh swagger-ui-dist "$root" >/dev/null
tools/npm_pinned.sh zxcvbn "$root" >/dev/null
cache=$(cache_folder "$root")
packages=$(tools/deps.sh --list test | sed 's/ nodejs\| npm\| golang-go//g' | tr ' ' ',' | sed 's/^,//')
mirror=$(debian_mirror "$root/tmp/lists")
[ -n "$mirror" ] || die "apt on this machine names no Debian mirror"
rm -rf "$root/tmp"

mmdebstrap --quiet --variant=apt --include="$packages" trixie "$root" "deb $mirror trixie main"
mkdir -p "$root/root/.cache/user-service" "$root/src"
cp -r "$cache"/npm-*-* "$root/root/.cache/user-service/"
cp "$cache"/libmicrohttpd-*.tar.gz "$root/root/.cache/user-service/" 2>/dev/null || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
tar --exclude=./build --exclude=./.git --exclude=./.local --exclude=node_modules -cf - . |
    tar -xf - -C "$root/src"

# A mount and a process namespace of its own: what is mounted or left running ends with it.
# shellcheck disable=SC2016 # the inner shells expand it
unshare --mount --pid --fork sh -eu -c '
    mount -t proc proc "$1/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
    exec chroot "$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 sh -eu -c "
        cd /src
        gcc --version | head -n 1
        meson setup build -Db_sanitize=address,undefined -Dwerror=true
        ninja -C build --quiet
        meson test -C build --no-rebuild --print-errorlogs --suite unit --suite fuzz
        meson setup build-release -Dwerror=true
        ninja -C build-release --quiet
        ./build-release/user-service version
    "
' sh "$root"
echo "debian13: built and tested"
