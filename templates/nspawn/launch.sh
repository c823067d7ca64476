# Becomes the machine. Started in fresh mount and network namespaces, which end with it: what it mounts and what is put
# into its network needs no undoing. It says "ready PID", is told "net" once it has an interface, says "up", and boots
# when it is told "go"; should whoever started it die first, it reads the end of its input and ends too.
#
# CGROUPS ROOT LOWER UPPER WORK ADDRESS GATEWAY MTU CONSOLE: what to use.  The arguments: systemd-nspawn's own.
set -eu
for group in $CGROUPS; do echo $$ >"$group/launcher/cgroup.procs"; done
mount -t overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" pymachine "$ROOT"
echo "ready $$"
read -r word
[ "$word" = net ]
ip -batch - <<END
link set lo up
link set eth0 mtu $MTU
addr add $ADDRESS dev eth0
link set eth0 up
route add default via $GATEWAY
END
echo up
read -r word
[ "$word" = go ]
exec </dev/null >>"$CONSOLE" 2>&1
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
unset ROOT LOWER UPPER WORK ADDRESS GATEWAY MTU CONSOLE
status=133
while [ "$status" = 133 ]; do # what systemd-nspawn exits with when the machine has asked for a reboot
    status=0
    sh -c '
        for group in $CGROUPS; do echo $$ >"$group/machine/cgroup.procs"; done
        unset CGROUPS
        exec systemd-nspawn "$@"' launch "$@" || status=$?
done
exit "$status"
