# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by the scripts that take something from another Debian suite.

# Prints the mirror that this machine already uses for its own release, or nothing. $1: a folder for
# apt's lists, so that no lock of the system's is needed.
debian_mirror() {
    mkdir -p "$1/partial"
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get -o Dir::State::lists="$1" -q --print-uris update 2>/dev/null |
        sed -n "s|^'\(.*\)/dists/$codename/InRelease'.*|\1|p" | head -n 1
}
