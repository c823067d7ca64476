"""A machine whose driver is not there: what the host can do goes on, what the provider must do says why it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from machine.driver import Capabilities, Driver, Found, HostIdentity, Recorder, load_driver
from machine.errors import DriverError, PreCheckFailed, UnknownDriver
from machine.model import Instance, Machine, Observation, Spec, State
from machine.operations.account import account_of, sign_in
from machine.store.store import Store


def driver_of(store: Store, machine: Machine) -> Driver:
    """The driver of a machine that exists, for its account; where it is not installed, a stand-in for it.

    Raises:
        PreCheckFailed: it is installed and cannot be imported.
    """
    return sign_in(driver_or_stand_in(machine.spec.driver), account_of(store, machine))


def any_driver_of(store: Store, machine: Machine) -> Driver:
    """The same for who forgets a machine whatever happens: one that cannot be imported has a stand-in, too."""
    try:
        return driver_of(store, machine)
    except PreCheckFailed as error:
        return cast(Driver, AbsentDriver(machine.spec.driver, why=str(error)))


def driver_or_stand_in(name: str) -> Driver:
    """The same, by the driver's name."""
    try:
        return load_driver(name)
    except UnknownDriver:
        return cast(Driver, AbsentDriver(name))  # its name is not the class's, which is all that differs


class AbsentDriver:
    """Stands in for a driver of which only the name is known."""

    summary = "not available in this version"
    capabilities = Capabilities(creates=False, observes=False, restarts_itself=True)

    @dataclasses.dataclass(frozen=True)
    class Options:
        """None."""

    def __init__(self, name: str, *, why: str = "") -> None:
        self.name = name
        self._why = why or f"the driver {name} is not available in this version"

    def check(self, spec: Spec, options: Any, identity: HostIdentity) -> dict[str, Any]:
        """Refused."""
        raise self.error("create a machine")

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """Refused."""
        raise self.error("create a machine")

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        """Nobody can ask the provider; whether the host answers, the endpoint shows."""
        return [Observation(state=State.UNKNOWN, address=each.address) for each in instances]

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Refused."""
        raise self.error("start")

    def stop(self, instance: Instance, record: Recorder) -> None:
        """Refused."""
        raise self.error("stop")

    def restart(self, instance: Instance, record: Recorder) -> Instance:
        """Refused."""
        raise self.error("restart")

    def kill(self, instance: Instance, record: Recorder) -> None:
        """Refused."""
        raise self.error("kill")

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """Refused: what the provider has would stay, and cost."""
        raise self.error(f"remove {id}", "remove it at the provider, then forget it here: pymachine rm -f NAME")

    def find(self, store: str) -> list[Found]:
        """Refused."""
        raise self.error("look for what it made")

    def error(self, verb: str, hint: str = "do it where the provider is managed") -> DriverError:
        """What is answered instead of doing something."""
        return DriverError(f"cannot {verb}: {self._why}", hint=hint)
