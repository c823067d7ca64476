#!/bin/sh
# Write a root file system with nothing but busybox as a tar, for `docker import`: no registry is needed.
# busybox comes from Debian's busybox-static, unpacked and not installed.
set -eu
target=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pymachine/busybox
if [ ! -x "$cache/bin/busybox" ]; then
    part=$cache.part
    rm -rf "$part" "$cache"
    mkdir -p "$part/download" "$part/bin"
    (
        cd "$part/download"
        apt-get download busybox-static >/dev/null 2>&1 ||
            { apt-get update -qq && apt-get download busybox-static >/dev/null 2>&1; }
        dpkg-deb -x busybox-static_*.deb .
    )
    # Debian 12 has it in /bin, later ones in /usr/bin.
    find "$part/download" -name busybox -type f -exec mv {} "$part/bin/busybox" ';'
    rm -rf "$part/download"
    for name in sh cat echo ls sleep true false head wc yes dd hostname uname sha256sum stat; do
        ln -s busybox "$part/bin/$name"
    done
    mkdir -p "$part/tmp" "$part/etc"
    mv "$part" "$cache"
fi
tar -C "$cache" -cf "$target" .
