#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs with apt what is missing, as root or by sudo; with nothing missing neither is called.
# usage: deps.sh [--check | --list] build|test|lint|fuzz|bench
#   build    what building and `user-service dev` need
#   test     that, and what `make test` needs
#   lint     that, and the linters
#   fuzz     that of test, and clang with its sanitizers and fuzzer
#   bench    what `make bench` compares with
#   --check  install nothing: print the one apt line if something is missing, and exit 1
#   --list   print the names of the whole set's packages, whether they are there or not
set -eu

PATH=$PATH:/usr/sbin # nginx is there, and not in everybody's PATH

check_only=false
list_only=false
case ${1:-} in
--check) check_only=true; shift ;;
--list) list_only=true; shift ;;
esac

# command=package: a command from any source will do (another vendor's node, a newer clang).
build_commands="gcc=gcc objcopy=binutils make=make meson=meson ninja=ninja-build pkg-config=pkg-config
 python3=python3 node=nodejs npm=npm curl=curl openssl=openssl xz=xz-utils flock=util-linux"
lint_commands="clang-format=clang-format clang-tidy=clang-tidy shellcheck=shellcheck"
fuzz_commands="clang=clang"
test_commands="nginx=nginx-light go=golang-go"
bench_commands="nginx=nginx-light wrk=wrk taskset=util-linux"

# Packages that no command tells of.
build_packages="libc6-dev libpq-dev libssl-dev libsodium-dev libjansson-dev libcurl4-openssl-dev
 libutf8proc-dev libidn2-dev libcrypt-dev python3-yaml ca-certificates"
test_packages="libcmocka-dev chromium fonts-dejavu-core apache2-bin libapache2-mod-oauth2"

add() { missing="$missing $1"; }

check_commands() {
    for row in $1; do
        if $list_only || ! command -v "${row%%=*}" >/dev/null 2>&1; then
            add "${row#*=}"
        fi
    done
}

check_packages() {
    present=
    # shellcheck disable=SC2086 # a list of names
    $list_only || present=$(dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' $1 2>/dev/null || true)
    for package in $1; do
        echo "$present" | grep -q "^$package [ih]i" || add "$package"
    done
}

check_venv() {
    if $list_only || ! python3 -c 'import ensurepip' 2>/dev/null; then
        add python3-venv
    fi
}

check_clang_runtime() {
    if ! $list_only; then
        for fuzzer in "$(clang -print-resource-dir 2>/dev/null)"/lib/*/libclang_rt.fuzzer*; do
            [ ! -e "$fuzzer" ] || return 0
        done
    fi
    add libclang-rt-dev
}

# The server's programs are outside PATH; any version of the distribution or of PGDG will do.
check_postgresql() {
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        if ! $list_only && [ -x "$initdb" ]; then
            return
        fi
    done
    add postgresql
}

# A server package would start a cluster of its own on 5432; nobody asked for that one.
no_main_cluster() {
    conf=/etc/postgresql-common/createcluster.conf
    $as_root mkdir -p "${conf%/*}"
    if ! grep -q '^create_main_cluster' "$conf" 2>/dev/null; then
        echo 'create_main_cluster = false' | $as_root tee -a "$conf" >/dev/null
    fi
}

# No package may start a server while it is installed (nginx would take port 80): a policy of ours where
# the machine has none, for as long as apt runs.
policy=/usr/sbin/policy-rc.d

forbid_services() {
    [ ! -e "$policy" ] || return 0
    trap allow_services EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\n# user-service: no server is started while its package is installed\nexit 101\n' |
        $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
}

allow_services() {
    if grep -q '^# user-service: ' "$policy" 2>/dev/null; then
        $as_root rm -f "$policy"
    fi
}

# Nor when the machine starts.
disable_nginx() {
    if [ -e /etc/init.d/nginx ]; then
        $as_root update-rc.d nginx disable >/dev/null 2>&1 || true
    fi
}

missing=
wanted=${1:-}
case $wanted in
build | test | lint | fuzz | bench) ;;
*) echo "usage: deps.sh [--check] build|test|lint|fuzz|bench" >&2; exit 2 ;;
esac
if ! command -v dpkg-query >/dev/null; then
    echo "deps: this machine has no dpkg; install what tools/deps.sh names by hand" >&2
    exit 0
fi
check_commands "$build_commands"
check_packages "$build_packages"
check_postgresql
if [ "$wanted" != build ]; then
    check_packages "$test_packages"
    check_commands "$test_commands"
    check_venv
fi
if [ "$wanted" = lint ]; then
    check_commands "$lint_commands"
fi
if [ "$wanted" = fuzz ]; then
    check_commands "$fuzz_commands"
    check_clang_runtime
fi
if [ "$wanted" = bench ]; then
    check_commands "$bench_commands"
fi
[ -n "$missing" ] || exit 0
if $list_only; then
    echo "$missing"
    exit 0
fi

line="apt-get install --yes --no-install-recommends$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
fi
if $check_only || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
    echo "missing:$missing" >&2
    echo "as root: $line" >&2
    exit 1
fi

case " $missing " in
*" postgresql "*) no_main_cluster ;;
esac
forbid_services
$as_root apt-get update -q </dev/null
# shellcheck disable=SC2086 # a list of names
$as_root env DEBIAN_FRONTEND=noninteractive $line </dev/null
case " $missing " in
*" nginx-light "*) disable_nginx ;;
esac
