# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by the scripts that fetch or build something once for all build folders.

# Prints the folder that is kept between builds: the user's cache, else one in the build folder $1.
cache_folder() {
    base=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
    if mkdir -p "$base/user-service" 2>/dev/null && [ -w "$base/user-service" ]; then
        echo "$base/user-service"
        return
    fi
    mkdir -p "$1/cache"
    echo "$1/cache"
}
