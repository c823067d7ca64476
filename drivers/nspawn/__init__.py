"""Machines on this very computer: a full Debian system in a systemd-nspawn container over an overlay.

The rooms, from the top down:

    driver     the protocol: create, start, stop, remove …, each written as the order of its steps
    precheck   what can be known before anything is made
    base       the read-only root file systems below the machines, cached
    cache      what of them is there, who uses it, and dropping it
    mmdebstrap how a Debian base is built;  sources  the operator's own package sources
    rootfs     what is written into a machine before its first boot;  inroot  how, without leaving it
    process    boot, find and end a machine's processes;  cgroup  what holds and limits them
    network    bridge, addresses;  firewall, sysctls  what the bridge needs of this computer
    records    what is remembered;  layout  where everything is;  locking  who may touch it
    commands   the one way other programs are run
"""

from machine.drivers.nspawn.driver import NspawnDriver

__all__ = ["NspawnDriver"]
