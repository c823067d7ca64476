"""What reads: the record of a machine, what it is doing now, and how an engine's client reaches it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machine.api.choosing import Labels, Names, chosen, one
from machine.api.opened import Opened
from machine.errors import EndpointUnverified, NotRunning
from machine.model import Endpoint, Machine, State

if TYPE_CHECKING:
    from machine.operations.observe import Seen

_DIAL_SECONDS = 20.0  # as docker-machine waits


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """What an engine's client is told: a URL, and the files that it proves itself with and believes."""

    url: str
    ca: str | None  # a path; None, as the others: there is no TLS
    cert: str | None
    key: str | None


class Looking(Opened):
    """Changes nothing, but for the state that is recorded of what was seen: see `machine.Client`."""

    def machine(self, name: str | Machine) -> Machine:
        """A machine as it is recorded; nobody is asked.

        Raises:
            MachineNotFound: there is none of this name; close matches are named.
        """
        return one(self._store, name)

    def machines(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> list[Machine]:
        """Machines as they are recorded, in the order of their names; nobody is asked. Nothing said: all.

        Raises:
            MachineNotFound: a name is unknown, or nothing is meant by what was said.
        """
        return chosen(self._store, names, fleet, group, labels, all_by_default=True)

    def ls(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        timeout: float = 10.0,
        recorded: bool = False,
        prices: bool = False,
    ) -> list[Seen]:
        """What machines are doing now: providers are asked once for many, endpoints side by side. Nothing said: all.

        Args:
            timeout: seconds for all answers together; 0 is enough for those that are there at once.
            recorded: ask nobody.
            prices: also what an hour costs, as it is noted, else as the provider says.

        Returns:
            One for each machine: `State` and, where something is wrong, ``trouble``; nothing is raised for that.

        Raises:
            MachineNotFound: a name is unknown, or nothing is meant by what was said.
        """
        from machine.driver import load_driver
        from machine.operations.observe import observe
        from machine.operations.observe import recorded as as_recorded
        from machine.operations.pricing import Costs

        machines = chosen(self._store, names, fleet, group, labels, all_by_default=True, as_they_are=True)
        costs = Costs(self._store) if prices else None
        if recorded:
            return [as_recorded(each, costs) for each in machines]
        return observe(self._store, machines, load_driver, timeout=timeout, costs=costs)

    def status(self, name: str | Machine, *, timeout: float = 10.0, recorded: bool = False) -> Seen:
        """What one machine is doing now; see `ls`. Its ``state`` is the word that the command prints.

        Raises:
            MachineNotFound: there is none of this name.
        """
        return self.ls([self.machine(name)], timeout=timeout, recorded=recorded)[0]

    def version(self, name: str | Machine | None = None, *, timeout: float = 10.0) -> str:
        """The version of pymachine or, of a machine, of its engine.

        Raises:
            EndpointUnverified: its engine does not answer.
        """
        if name is None:
            from machine.version import VERSION

            return VERSION
        seen = self.status(name, timeout=timeout)
        if seen.engine is None:
            said = f'the engine of "{seen.machine.name}" does not answer'
            raise EndpointUnverified(said, layer="engine", cause=seen.trouble)
        return seen.engine

    def inspect(self, name: str | Machine, *, docker_machines_names: bool = False) -> Mapping[str, Any]:
        """Everything that is recorded of a machine, without a secret: in docker-machine's shape, and ours beside it.

        Args:
            docker_machines_names: drivers have the names that they have there.

        Raises:
            MachineNotFound: there is none of this name.
        """
        from machine.compat.document import Beside, host_document, paths_of

        machine = self.machine(name)

        def ours() -> dict[str, Any]:
            from machine.operations.inspection import inspection

            return inspection(self._store, machine)

        paths = paths_of(self._store, machine)
        return Beside(host_document(machine, paths, drop_in=docker_machines_names), ours)

    def endpoint(self, name: str | Machine, *, check: bool = False) -> Endpoint:
        """Where a machine's engine is reached, and by which route.

        Args:
            check: dial it first.

        Raises:
            NotRunning: the machine is stopped, or was never finished.
            EndpointUnverified: it does not answer with the right certificate within 20 s.
        """
        machine = self.machine(name)
        endpoint = machine.endpoint
        if endpoint is None:
            raise NotRunning(
                f'"{machine.name}" has no endpoint yet',
                machine=machine.name,
                cause=machine.error,
                hint=f"go on making it: pymachine create {machine.name}",
            )
        stopped = machine.state is State.STOPPED
        seen = self.status(machine, timeout=_DIAL_SECONDS) if check and not stopped else None
        if stopped or (seen is not None and seen.state is State.STOPPED):
            raise NotRunning(
                f'"{machine.name}" is {"recorded as " if seen is None else ""}stopped',
                machine=machine.name,
                hint=f"pymachine start {machine.name}",
            )
        if seen is not None and seen.engine is None and endpoint.route != "plain":
            raise EndpointUnverified(
                seen.trouble or "the engine does not answer",
                layer="endpoint",
                machine=machine.name,
                hint=f"look at it: pymachine status {machine.name}; pymachine ssh {machine.name}",
            )
        return endpoint

    def url(self, name: str | Machine) -> str:
        """The URL of a machine's engine.

        Raises:
            NotRunning: the machine is stopped, or was never finished.
        """
        return self.endpoint(name).url

    def ip(self, name: str | Machine) -> str:
        """The address of a machine's host, as it is recorded.

        Raises:
            NotRunning: it has none yet.
        """
        machine = self.machine(name)
        if machine.address is None:
            raise NotRunning(
                f'"{machine.name}" has no address yet',
                machine=machine.name,
                cause=machine.error,
                hint=f"go on making it: pymachine create {machine.name}",
            )
        return machine.address

    def env(self, name: str | Machine, *, check: bool = False) -> dict[str, str]:
        """The variables that point a docker client at a machine: ``DOCKER_HOST`` and the others.

        Args:
            check: dial the endpoint first.

        Raises:
            NotRunning, EndpointUnverified: as `endpoint`.
        """
        from machine.shell import env

        config = self.config(name, check=check)
        directory = os.path.dirname(config.cert) if config.cert else None
        pairs = env.variables(self.machine(name).name, config.url, directory)
        return {key: value for key, value in pairs if value is not None}

    def config(self, name: str | Machine, *, check: bool = False) -> DockerConfig:
        """What a docker client is told to reach a machine: its URL, and the files of its certificates.

        Args:
            check: dial the endpoint first.

        Raises:
            NotRunning, EndpointUnverified: as `endpoint`.
        """
        machine = self.machine(name)
        endpoint = self.endpoint(machine, check=check)
        if endpoint.route == "plain":
            return DockerConfig(endpoint.url, None, None, None)
        files = self._store.files(machine.name)
        return DockerConfig(endpoint.url, *(files.path(each) for each in ("ca.pem", "cert.pem", "key.pem")))

    def active(self, environ: Mapping[str, str] = os.environ) -> Machine | None:
        """The machine that ``DOCKER_HOST`` points at; None: it is none of ours.

        Args:
            environ: where ``DOCKER_HOST`` and, should two machines have one URL, ``DOCKER_MACHINE_NAME`` are.
        """
        from machine.shell.listing import has_endpoint

        host = environ.get("DOCKER_HOST")
        there = [each for each in self.machines() if has_endpoint(str(each.state))]
        found = [each for each in there if each.endpoint is not None and each.endpoint.url == host]
        told = [each for each in found if each.name == environ.get("DOCKER_MACHINE_NAME")]
        return next(iter(told or found), None)
