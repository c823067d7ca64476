#cloud-boothook
#!/bin/sh
# Begins to install the container engine while this host boots, as pymachine's agent would do later: the agent waits for
# it, and does what this did not come to. Every boot runs this; only the first one of an instance begins anything.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive HOME=/root
export PATH LC_ALL DEBIAN_FRONTEND HOME
umask 022
note={{ note | sh }} unit={{ unit | sh }}
keyring={{ keyring | sh }} source={{ source | sh }}
certificates=/etc/ssl/certs/ca-certificates.crt
has() { command -v "$1" >/dev/null 2>&1; }
get() { apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 "$@" </dev/null; }
install() { get install --no-install-recommends --no-remove "$@"; }
engine() {
    remember source "$1 $2" || return
    set -- "$2" {{ needed | map("sh") | join(" ") }}
    install "$@" || { get update && install "$@"; }
}
remember() { printf '%s\n' "$2" >"$note/$1.new" && mv "$note/$1.new" "$note/$1"; }

begin() {
    [ ! -e "$0.begun" ] || return 0
    : >"$0.begun"
    has apt-get && has python3 && has systemd-run || return 0
    ! has dockerd && ! has docker && [ ! -S /run/docker.sock ] || return 0
    mkdir -p "$note" && remember packages "$(dpkg-query -W -f '${Package} ${Status}\n')" || return 0
    # There is a network already: this came over it. sshd waits for the begin of it, and nothing for its end.
    systemd-run -q --no-block --unit="$unit" -p Before=ssh.service -p Before=sshd.service -p RuntimeMaxSec=900 \
        /bin/sh "$0" install || rm -rf "$note"
}

key() {
    python3 -I -S - "$1" "$2" <<'END'
{{ openpgp }}
import sys
with open(sys.argv[1], "rb") as file:
    key = binary(file.read(1 << 20))
if fingerprints(key) != [sys.argv[2]]:
    sys.exit("not the key that is pinned")
sys.stdout.buffer.write(key)
END
}

repository() {
    if apt-cache madison {{ package | sh }} | grep -q .; then # the host's own sources have it
        engine docker {{ package | sh }}
        return
    fi
    url='' fingerprint='' VERSION_CODENAME='' UBUNTU_CODENAME=''
    . /etc/os-release
    for each in ${ID-} ${ID_LIKE-}; do
        case $each in
{% for name, (url, fingerprint) in repositories %}
        {{ name }}) url={{ url | sh }} fingerprint={{ fingerprint | sh }}; break ;;
{% endfor %}
        esac
    done
    suite=${VERSION_CODENAME:-$UBUNTU_CODENAME}
    [ -n "$url" ] && [ -n "$suite" ] || return 1
    fetched=$(mktemp -d) || return 1
    chown _apt "$fetched" || : # apt fetches as a user without rights, where it can
    set --
    # A host without any CA: the fingerprint alone decides, as it does anyway.
    [ -e "$certificates" ] || set -- -o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false
    timeout 5 /usr/lib/apt/apt-helper -o Acquire::Retries=0 "$@" download-file "$url"/{{ key_name | sh }} "$fetched/key" </dev/null &&
        mkdir -p "${keyring%/*}" && key "$fetched/key" "$fingerprint" >"$keyring.new" && mv "$keyring.new" "$keyring"
    failed=$?
    rm -rf "$fetched" "$keyring.new"
    [ "$failed" = 0 ] || return 1
    [ -e "$certificates" ] || install ca-certificates || return 1
    cat >"$source" <<END || return 1
# Written by pymachine; it stays with the engine that came from it.
Types: deb
URIs: $url
Suites: $suite
Components: {{ component }}
Architectures: $(dpkg --print-architecture)
Signed-By: $keyring
END
    get update -o Dir::Etc::sourcelist="$source" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 &&
        engine docker {{ package | sh }} && return
    rm -f "$source" "$keyring"
    return 1
}

case ${1-begin} in
begin) begin ;;
install)
    trap 'remember done yes' EXIT
    repository || engine distribution {{ distribution | sh }}
    ;;
esac
