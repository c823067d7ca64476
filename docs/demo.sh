#!/bin/sh
# From nothing to a container over mutual TLS, and away again. KEEP=1 leaves the machine.
set -eu
name=${NAME:-demo}
here=$(dirname "$0")

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

client=$(command -v docker || true)
if [ -z "$client" ]; then
    say "No docker client on the PATH: unpacking Debian's"
    client=$("$here/../tests/testbed/docker-client.sh")
    PATH=$PATH:$(dirname "$client")
fi

finish() {
    status=$?
    trap - EXIT INT TERM
    if [ "$status" != 0 ]; then
        say "The demo failed; removing what it made"
        pymachine rm -f "$name" || true
    fi
    rm -rf "$work"
    exit "$status"
}
work=$(mktemp -d)
trap finish EXIT
trap 'exit 130' INT TERM

say "1. A machine on this computer"
run pymachine create --yes "$name"

say "2. This shell's docker client talks to it, over mutual TLS"
echo "\$ eval \"\$(pymachine env $name)\""
eval "$(pymachine env --shell sh "$name")"
run docker version --format 'client {{.Client.Version}}, engine {{.Server.Version}} at '"$DOCKER_HOST"

say "3. A container in it (an image made here: no registry is needed)"
"$here/../tests/testbed/busybox-image.sh" "$work/busybox.tar"
echo '$ docker import busybox.tar hello'
docker import "$work/busybox.tar" hello >/dev/null
run docker run --rm --hostname hello hello /bin/busybox sh -c 'echo "Hello from $(hostname), on $(busybox uname -sr)"'

say "4. What there is"
run pymachine ls
run pymachine ip "$name"

if [ -n "${KEEP:-}" ]; then
    say "The machine stays. To use it:"
    echo "  eval \"\$(pymachine env $name)\"     then: docker ps"
    echo "  pymachine ssh $name"
    echo "  pymachine rm $name"
    exit 0
fi

say "5. Away again, with everything that was made"
eval "$(pymachine env --shell sh --unset)"
run pymachine rm -y "$name"
run pymachine ls
