"""The driver protocol for nspawn machines: each method is the order of its steps and no more.

Every machine has a lock, and what they share has one; both end with their process. A record is written before what it
speaks of is made, and is the last thing that goes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from machine.driver import CacheEntry, Capabilities, Found, HostIdentity, Recorder
from machine.drivers.nspawn import base, boot, cache, directories, layout, network, precheck, process, records
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.locking import locked
from machine.drivers.nspawn.options import Options as NspawnOptions
from machine.drivers.nspawn.records import Record
from machine.errors import DriverError, InstanceGone
from machine.model import Access, Instance, Observation, Spec, State

_STOPS_WITHIN = 30.0  # seconds; then it is killed


class NspawnDriver:
    """Machines on this very computer."""

    name: ClassVar[str] = "nspawn"
    summary: ClassVar[str] = "a full Debian system on this computer, in a systemd-nspawn container (root on Linux)"
    capabilities: ClassVar[Capabilities] = Capabilities(
        stop=True, restart=True, inject_host_key=True, creates=True, observes=True, local_rank=10
    )
    Options: ClassVar[type] = NspawnOptions

    def __init__(self) -> None:
        self._layout = Layout.of()

    def usable_here(self) -> str | None:
        """None when machines can work on this computer; else the reason, one line."""
        return precheck.usable(self._layout)

    def host_changes(self) -> list[str]:
        """What the first machine changes on this computer, one line each; empty once there is a machine."""
        return precheck.host_changes(self._layout)

    def check(self, spec: Spec, options: Any, identity: HostIdentity) -> dict[str, Any]:
        """The pre-check, without effect; see ``machine.driver.Driver``."""
        return precheck.check(self._layout, spec, options, identity)

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """Make a machine and boot it; the same token gives the same machine."""
        made = layout.instance_id(token)
        record.resource("instance", made, machine=request["machine"])
        with contextlib.ExitStack() as held:
            with base.kept(self._layout, request["base"], record) as below:
                held.enter_context(self._machine(made, record))
                with self._shared(record):
                    machine, subnet = self._reserve(made, token, request, below, record)
            return self._running(machine, subnet, record)

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        """What is known here about each: a record, and a process or none."""
        return [self._observe(instance.id) for instance in instances]

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Boot a machine that does not run; already running is success."""
        self._known(instance.id)
        with self._machine(instance.id, record):
            machine = self._known(instance.id)
            with self._shared(record):
                subnet = network.ensure(self._layout, None, record)
            return self._running(machine, subnet, record)

    def stop(self, instance: Instance, record: Recorder) -> None:
        """Shut a machine down in order, bounded in time; already stopped is success."""
        self._known(instance.id)
        with self._machine(instance.id, record):
            self._stop(instance.id, record)

    def restart(self, instance: Instance, record: Recorder) -> Instance:
        """Stop in order and start again."""
        self.stop(instance, record)
        return self.start(instance, record)

    def kill(self, instance: Instance, record: Recorder) -> None:
        """End a machine's processes at once."""
        self._known(instance.id)
        with self._machine(instance.id, record):
            boot.end(self._layout, instance.id)

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """Remove a machine and all that was made with it, and with the last one what they shared."""
        with self._machine(id, record):
            boot.end(self._layout, id)
            place = self._layout.place(id)
            for path in (place.upper, place.work, place.merged, *place.binds.values()):
                directories.remove_tree(path)
            with self._shared(record):
                directories.remove_tree(place.directory)
                directories.remove_if_empty(self._layout.machines, up_to=self._layout.state)
                if not records.any_machine(self._layout):
                    network.remove(self._layout, record)
                    self._leave()

    def find(self, store: str) -> list[Found]:
        """The machines of a store on this computer."""
        return [
            Found(driver=self.name, kind="instance", id=machine.id, machine=machine.machine, token=machine.token)
            for machine in records.all_records(self._layout)
            if machine.store == store
        ]

    def cached(self) -> list[CacheEntry]:
        """The root file systems below the machines, and what killed builds left of them."""
        return cache.entries(self._layout)

    def drop(self, id: str) -> bool:
        """Remove one of them, unless a machine uses it."""
        return cache.drop(self._layout, id)

    def _reserve(
        self, id: str, token: str, request: Mapping[str, Any], below: Path, record: Recorder
    ) -> tuple[Record, str]:
        """The machine's record, found or written, and the subnet; nothing of the machine itself is made yet."""
        subnet = network.ensure(self._layout, request["subnet"], record)
        known = records.read_record(self._layout, id)
        if known is not None:
            return known, subnet
        taken = [each.address for each in records.all_records(self._layout)]
        machine = Record(
            id=id,
            token=token,
            store=request["store"],
            machine=request["machine"],
            authorized_key=request["authorized_key"],
            base=str(below),
            address=network.free_address(subnet, taken),
            cpus=request["cpus"],
            memory=request["memory"],
        )
        cache.announce(self._layout)
        records.write_record(self._layout, machine)
        return machine, subnet

    def _running(self, machine: Record, subnet: str, record: Recorder) -> Instance:
        """The machine, booted unless it runs, once it answers."""
        if process.find(self._layout.place(machine.id)) is None:
            if not Path(machine.base).is_dir():
                raise DriverError(
                    "the root file system below the machine is gone",
                    machine=machine.machine,
                    cause=f"{machine.base} does not exist",
                    hint="put it back, or remove the machine and create it again",
                )
            machine = replace(machine, address=self._address(machine, subnet, record))
            record.progress(f"booting at {machine.address}")
            machine = boot.boot(self._layout, machine, subnet, record)
        boot.await_ssh(self._layout, machine, record)
        return self._instance(machine)

    def _address(self, machine: Record, subnet: str, record: Recorder) -> str:
        """The machine's address, a new one where the machines have moved to another subnet."""
        if network.conflict(f"{machine.address}/32", [subnet]):
            return machine.address
        with self._shared(record):
            taken = [each.address for each in records.all_records(self._layout) if each.id != machine.id]
            address = network.free_address(subnet, taken)
            records.write_record(self._layout, replace(machine, address=address))
        return address

    def _instance(self, machine: Record) -> Instance:
        key = self._layout.place(machine.id).host_key.with_suffix(".pub").read_text(encoding="ascii")
        pinned = " ".join(key.split()[:2])  # without the comment
        access = Access(host=machine.address, user="root", host_keys=(pinned,), machine_key_installed=True)
        return Instance(driver=self.name, id=machine.id, access=access, data={"base": machine.base})

    def _observe(self, id: str) -> Observation:
        try:
            machine = records.read_record(self._layout, id)
        except DriverError as error:
            return Observation(state=State.UNKNOWN, detail=error.message)
        if machine is None:
            return Observation(state=State.GONE)
        running = process.find(self._layout.place(id)) is not None
        return Observation(state=State.RUNNING if running else State.STOPPED, address=machine.address)

    def _stop(self, id: str, record: Recorder) -> None:
        leader = process.find(self._layout.place(id))
        if leader is not None:
            asked: set[int] = set()
            waited = 0.0
            process.ask_to_stop(leader, asked)
            while not process.wait(leader, 0.1):
                record.check()
                process.ask_to_stop(leader, asked)
                waited += 0.1
                if waited > _STOPS_WITHIN:
                    record.progress(f"did not shut down in {_STOPS_WITHIN:.0f} s, killing it")
                    break
        boot.end(self._layout, id)

    def _known(self, id: str) -> Record:
        machine = records.read_record(self._layout, id)
        if machine is None:
            raise InstanceGone(f"there is no machine {id} on this computer any more", hint="pymachine rm NAME")
        return machine

    def _machine(self, id: str, record: Recorder) -> Any:
        place = self._layout.place(id)
        return locked(place.directory, record, waiting_for="waiting for another process that changes this machine")

    def _shared(self, record: Recorder) -> Any:
        waiting = "waiting for another process that changes the machines' network"
        return locked(self._layout.state, record, waiting_for=waiting)

    def _leave(self) -> None:
        """Remove our empty directories; the cache stays, it is worth half a minute."""
        cache.retire(self._layout)
        directories.remove_if_empty(self._layout.state, up_to=self._layout.state.parent.parent)
        directories.remove_if_empty(self._layout.run, up_to=self._layout.run.parent.parent)
