#!/bin/sh
# Print the path of Debian's docker client, unpacked from its package into the cache: installing the package would
# start a daemon. (As root, for apt-get's lists; anyone can run the client.)
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pymachine/docker-client
if [ ! -x "$cache/usr/bin/docker" ]; then
    mkdir -p "$cache.part"
    cd "$cache.part"
    # apt drops its rights to download, and cannot write here then: it says so, and it works.
    apt-get download docker.io >/dev/null 2>&1 || { apt-get update -qq && apt-get download docker.io >/dev/null 2>&1; }
    dpkg-deb -x docker.io_*.deb .
    rm -f docker.io_*.deb
    cd ..
    rm -rf "$cache"
    mv "$cache.part" "$cache"
fi
echo "$cache/usr/bin/docker"
