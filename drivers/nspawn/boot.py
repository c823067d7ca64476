"""From a record to a machine that answers: what create and start have in common."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

from machine.driver import Recorder
from machine.drivers.nspawn import cgroup, commands, layout, network, process, records, rootfs
from machine.drivers.nspawn.inroot import InRoot
from machine.drivers.nspawn.layout import Layout, Place
from machine.drivers.nspawn.records import Record
from machine.errors import DriverError

_ANSWERS_WITHIN = 60.0  # seconds
_TURN = 0.01


def boot(places: Layout, machine: Record, subnet: str, record: Recorder) -> Record:
    """Boot a machine that does not run. The caller holds the machine's lock.

    Returns:
        Its record, which now says that its root file system is its own.

    Raises:
        DriverError: something of it cannot be made.
    """
    place = places.place(machine.id)
    _clear(places, machine.id)
    _directories(place, machine)
    groups = cgroup.create(places.label, machine.id, cpus=machine.cpus, memory=machine.memory)
    prefix = ipaddress.IPv4Network(subnet).prefixlen
    with process.launch(
        place, id=machine.id, host=rootfs.host_name(machine.machine), base=machine.base, groups=groups,
        network={
            "ADDRESS": f"{machine.address}/{prefix}", "GATEWAY": network.gateway(subnet), "MTU": str(network.mtu()),
        },
    ) as launcher:  # fmt: skip
        network.attach(places, machine.id, machine.address, launcher.pid)
        launcher.connect()
        with InRoot(launcher.root) as root:
            machine = _own(places, root, machine)
            record.check()
            launcher.boot(root.identity())
    return machine


def await_ssh(places: Layout, machine: Record, record: Recorder) -> None:
    """Wait until the machine's port 22 says that it speaks SSH.

    Raises:
        DriverError: the machine ended, or did not answer in time; ``cause`` is the end of its console.
    """
    place = places.place(machine.id)
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while not _speaks_ssh(machine.address):
        record.check()
        if process.find(place) is None:
            raise DriverError(
                "the machine ended during its boot", machine=machine.machine, cause=process.console_tail(place),
                hint=f"all of it: {place.console}",
            )  # fmt: skip
        if time.monotonic() > deadline:
            raise DriverError(
                f"the machine's port 22 does not answer after {_ANSWERS_WITHIN:.0f} s", machine=machine.machine,
                cause=process.console_tail(place), hint=f"all of it: {place.console}",
            )  # fmt: skip
        time.sleep(_TURN)


def end(places: Layout, id: str) -> None:
    """End every process of a machine at once, and remove what only a running one has."""
    _clear(places, id)
    cgroup.remove(places.label, id)


def _clear(places: Layout, id: str) -> None:
    cgroup.end(places.label, id)
    network.detach(id)
    process.forget(places.place(id), id)


def _directories(place: Place, machine: Record) -> None:
    # The root directory of the merged view is the upper one's: users inside must get through it.
    mode = Path(machine.base).stat().st_mode & 0o7777 | 0o755
    for path in (place.upper, place.work, place.merged, *place.binds.values()):
        path.mkdir(exist_ok=True)
    os.chmod(place.upper, mode)


def _own(places: Layout, root: InRoot, machine: Record) -> Record:
    """Make the root file system the machine's own, once; afterwards it belongs to the machine."""
    place = places.place(machine.id)
    if machine.adapted:
        rootfs.refresh(root)
        return machine
    _host_key(place, machine.machine)
    rootfs.adapt(
        root, name=machine.machine, machine_id=layout.machine_id(machine.token),
        authorized_key=machine.authorized_key, host_key=place.host_key, legacy_cgroups=cgroup.legacy(),
    )  # fmt: skip
    machine = replace(machine, adapted=True)
    records.write_record(places, machine)
    place.host_key.unlink()  # its private half has one place: the machine
    return machine


def _host_key(place: Place, name: str) -> None:
    if place.host_key.exists() and place.host_key.with_suffix(".pub").exists():
        return
    for path in (place.host_key, place.host_key.with_suffix(".pub")):
        path.unlink(missing_ok=True)  # half a pair of a killed create
    commands.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{name}", "-f", str(place.host_key)],
        doing="make the machine's host key",
    )


def _speaks_ssh(address: str) -> bool:
    try:
        # A lost packet is sent again after a second; we ask again sooner.
        with socket.create_connection((address, 22), timeout=0.25) as connection:
            connection.settimeout(2.0)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
