"""state.json: whose host this is, and what of it is ours. Readable for the service, so it holds no secret."""

from __future__ import annotations

import json

from machine.agent.errors import Failed
from machine.agent.host import Host

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any


class State:
    """The remembered facts; `put` each, before the next effect that depends on it."""

    def __init__(self, host: Host, values: dict[str, Any]) -> None:
        self._host = host
        self.values = values
        self._noted = False  # there is something to write

    @classmethod
    def load(cls, host: Host) -> State:
        """What is remembered; nothing on a new host.

        Raises:
            Failed: the file is there and cannot be understood (it is written atomically, so that is no crash of ours).
        """
        data = host.read(host.own("state.json"))
        if data is None:
            return cls(host, {})
        try:
            values = json.loads(data)
            if not isinstance(values, dict):
                raise ValueError("not an object")
        except ValueError as error:
            raise Failed(
                "state",
                "the agent's state.json on the host is damaged",
                str(error),
                f"if nobody else uses this host: remove {host.own('state.json')} there, and run the command again",
            ) from None
        return cls(host, values)

    def get(self, name: str) -> dict[str, Any]:
        """One part, an empty one when it is not there."""
        part = self.values.get(name)
        return part if isinstance(part, dict) else {}

    def note(self, name: str, value: Any) -> None:
        """Remember with whatever is put next, at the latest with `save`: one write instead of two."""
        if self.values.get(name) != value:
            self.values, self._noted = {**self.values, name: value}, True

    def save(self) -> None:
        """What was noted is durable."""
        if self._noted:
            self.update({})

    def put(self, name: str, value: Any) -> None:
        """Remember, durably; None forgets."""
        self.note(name, value)
        self.save()

    def update(self, values: dict[str, Any]) -> None:
        """Remember several parts at once; None forgets."""
        self.values = {name: value for name, value in {**self.values, **values}.items() if value is not None}
        self._host.write(self._host.own("state.json"), json.dumps(self.values, indent=1, sort_keys=True).encode())
        self._noted = False

    def check_owner(self, store: str, machine: str) -> None:
        """
        Raises:
            Failed: the host is somebody else's.
        """
        owner = self.get("owner")
        if owner and owner.get("store") != store:
            raise Failed(
                "other-store",
                f"this host is already the machine {owner.get('machine')!r} of another store ({owner.get('store')})",
                hint="to use it together: --join; else remove it from that store first, or choose another host",
            )
        if owner:
            self.check_machine(owner, machine)

    @staticmethod
    def check_machine(entry: dict[str, Any], machine: str) -> None:
        """
        Raises:
            Failed: the host is this store's already, under another name.
        """
        if entry.get("machine") != machine:
            raise Failed(
                "other-machine",
                f"this host is already the machine {entry.get('machine')!r} of this store",
                hint=f"use that machine, or remove it first: pymachine rm {entry.get('machine')}",
            )
