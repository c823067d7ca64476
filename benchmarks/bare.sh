#!/bin/sh
# The limit of `create -d nspawn`: the same system booted by a bare script, until `docker info` answers over SSH.
#
#   bare.sh up BASE DIRECTORY KEY    boot a machine over this root file system; KEY is who may log in
#   bare.sh down DIRECTORY           end it, and remove all of it
#
# The same base, overlay, mounts and systemd-nspawn options as the driver's, and nothing else of it.
set -eu
name=pmbench net=198.18.83 # a network for benchmarks (RFC 2544)
groups=$(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts)

up() {
    base=$1 directory=$2 key=$3
    for each in upper work root docker containerd; do mkdir -p "$directory/$each"; done
    chmod 755 "$directory/upper"
    mkfifo "$directory/mounted" "$directory/go"
    ssh-keygen -q -t ed25519 -N '' -f "$directory/host"
    echo "$net.2 $(cut -d' ' -f1,2 "$directory/host.pub")" >"$directory/known_hosts"
    for group in $groups; do
        mkdir -p "$group/$name"
        [ ! -e "$group/$name/cpuset.cpus" ] || cat "$group/cpuset.cpus" >"$group/$name/cpuset.cpus"
        [ ! -e "$group/$name/cpuset.mems" ] || cat "$group/cpuset.mems" >"$group/$name/cpuset.mems"
    done
    base=$base directory=$directory groups=$groups name=$name net=$net key=$key \
        setsid --fork unshare --mount --net --propagation=private -- sh -euc '
        for group in $groups; do echo $$ >"$group/$name/cgroup.procs"; done
        root=$directory/root
        mount -t overlay -o "lowerdir=$base,upperdir=$directory/upper,workdir=$directory/work" bare "$root"
        echo $$ >"$directory/leader"
        echo $$ >"$directory/mounted"
        read -r word <"$directory/go"
        printf "link set lo up\naddr add $net.2/30 dev eth0\nlink set eth0 up\nroute add default via $net.1\n" |
            ip -batch -
        tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
        echo "127.0.0.1 localhost $name" >"$root/etc/hosts"
        mkdir -p -m 700 "$root/root/.ssh"
        cat "$key.pub" >"$root/root/.ssh/authorized_keys"
        cp "$directory/host" "$directory/host.pub" "$root/etc/ssh/"
        mv "$root/etc/ssh/host" "$root/etc/ssh/ssh_host_ed25519_key"
        mv "$root/etc/ssh/host.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
        units=$root/etc/systemd/system
        if grep -q " cgroup " /proc/self/mounts; then # version 1: systemd-nspawn shows it read only
            mkdir -p "$units/sysinit.target.wants"
            printf "%s\n" "[Unit]" DefaultDependencies=no After=local-fs.target "Before=sysinit.target docker.service" \
                "[Service]" Type=oneshot "ExecStart=/bin/sh -c \"mount -o remount,rw /sys/fs/cgroup; for each in \
                /sys/fs/cgroup/*/; do mount -o remount,rw,bind \$\$each || :; done\"" >"$units/cgroups.service"
            ln -s ../cgroups.service "$units/sysinit.target.wants/"
        fi
        exec </dev/null >"$directory/console" 2>&1
        SYSTEMD_NSPAWN_API_VFS_WRITABLE=network exec systemd-nspawn --quiet --register=no --keep-unit --boot \
            --network-namespace-path=/proc/self/ns/net --resolv-conf=off --timezone=off --console=read-only \
            --kill-signal=SIGRTMIN+3 --capability=all "--system-call-filter=add_key keyctl request_key bpf" \
            --machine="$name" --hostname="$name" --directory="$root" \
            --bind="$directory/docker:/var/lib/docker" --bind="$directory/containerd:/var/lib/containerd"'
    read -r leader <"$directory/mounted"
    ip link add "$name" type veth peer name eth0 netns "$leader"
    ip address add "$net.1/30" dev "$name"
    ip link set "$name" up
    echo go >"$directory/go"
    until ssh -F /dev/null -i "$key" -o BatchMode=yes -o ConnectTimeout=1 -o LogLevel=QUIET \
        -o UserKnownHostsFile="$directory/known_hosts" "root@$net.2" \
        'until docker info >/dev/null 2>&1; do sleep 0.02; done' </dev/null; do sleep 0.02; done
}

down() {
    directory=$1
    trap '' INT # of whoever is tired of waiting
    if [ -s "$directory/leader" ]; then
        leader=$(cat "$directory/leader")
        # Without its first process systemd-nspawn ends, and clears up behind itself.
        for each in $(cat "/proc/$leader/task/$leader/children" 2>/dev/null); do kill -9 "$each" || :; done
        tries=0
        while [ -d "/proc/$leader" ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
        kill -9 "$leader" 2>/dev/null || :
    fi
    ip link delete "$name" 2>/dev/null || : # gone with its namespace
    for group in $groups; do
        tries=0 # what was killed is in its group until it has been waited for
        while [ -d "$group/$name" ] && [ $tries -lt 200 ]; do
            find "$group/$name" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
            tries=$((tries + 1))
        done
    done
    rm -rf "$directory"
}

"$@"
