"""What drivers have in common that make nothing: there is no provider, so nothing can be asked, changed or left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.driver import Found, Recorder
from machine.errors import DriverError
from machine.model import Instance, Observation, State


class Given:
    """The half of a driver that speaks of a provider, for what exists already. A driver says why it refuses."""

    def refusal(self, verb: str) -> str:
        """Why this driver cannot do it, in one line."""
        raise NotImplementedError

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        """No provider can be asked; whether something answers, the endpoint shows itself."""
        return [Observation(state=State.UNKNOWN, address=each.address) for each in instances]

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Refused: no provider."""
        raise self._refused("start", instance)

    def stop(self, instance: Instance, record: Recorder) -> None:
        """Refused: no provider."""
        raise self._refused("stop", instance)

    def restart(self, instance: Instance, record: Recorder) -> Instance:
        """Refused: no provider."""
        raise self._refused("restart", instance)

    def kill(self, instance: Instance, record: Recorder) -> None:
        """Refused: no provider."""
        raise self._refused("kill", instance)

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """Nothing: what was given stays. What a bootstrap brought, the operation takes away over SSH."""

    def find(self, store: str) -> list[Found]:
        """Nothing is made, so nothing can be left."""
        return []

    def _refused(self, verb: str, instance: Instance) -> DriverError:
        return DriverError(self.refusal(verb), hint=f"do it where {instance.address} is managed")
