"""A fleet in a little world: three machines of the memory cloud in two groups, one of which waits for the other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from machine.operations.enginesecrets import ENGINE_SECRETS
from tests.faults.nursery import Ended
from tests.faults.scripted import ScriptedHost
from tests.faults.world import World

APPLY = "fleet apply -y --parallel 1 HOME/shop.yaml"
HOSTS = f"{APPLY} --hosts"
PLAN = "fleet plan HOME/shop.yaml"


class Shop:
    """The file, and what has become of it."""

    def __init__(self, world: World, *, write: bool = True) -> None:
        self.world = world
        self.motd = "hello"
        self.web: dict[str, Any] = {
            "driver": "memory",
            "count": 2,
            "depends": ["db"],
            "files": [{"source": "motd", "target": "/etc/motd", "owner": f"{os.getuid()}:{os.getgid()}"}],
            "commands": ["echo ran >>ran", {"run": "cat etc/motd >>seen", "when": "changed"}],
        }
        self.db: dict[str, Any] = {"driver": "memory"}
        if write:
            self.write()

    def write(self, **groups: Any) -> None:
        """Write the file; JSON is YAML."""
        (self.world.home / "motd").write_text(self.motd)
        document = {"fleet": "shop", "groups": {"db": self.db, "web": self.web, **groups}}
        (self.world.home / "shop.yaml").write_text(json.dumps(document, indent=1))

    def apply(self, code: int = 0, *, words: str = APPLY) -> Ended:
        """Apply it."""
        (ended,) = self.world.run(words)
        assert ended.code == code, ended
        return ended

    def planned(self, words: str = PLAN) -> dict[str, str]:
        """What a plan would do, by machine."""
        (ended,) = self.world.run(f"{words} -o json")
        document = json.loads(ended.out)
        assert ended.code == (2 if document["changes"] else 0), ended
        return {each["machine"]: each["action"] for each in document["changes"]}

    def root(self, name: str) -> Path:
        """The root of a machine's host."""
        rows = self.world.rows(
            "SELECT i.access FROM instances i JOIN machines m ON m.id = i.machine_id WHERE m.name = ?", name
        )
        key = json.loads(rows[0]["access"])["host_keys"][0]
        return ScriptedHost.made_with(self.world.directory / "host", key).directory / "root"

    def on(self, name: str, path: str) -> str:
        """A file on a machine's host; empty where there is none."""
        place = self.root(name) / path
        return place.read_text() if place.exists() else ""

    def instances(self) -> dict[str, str]:
        """The id of each machine's instance at the provider; two of one name are two of them."""
        made = self.world.cloud.instances()
        found = {each.machine: each.id for each in made}
        assert len(found) == len(made), f"two instances for one machine: {made}"
        return found

    def operations(self) -> int:
        """How many there have been."""
        return len(self.world.rows("SELECT 1 FROM operations")) if self.world.begun else 0

    def is_whole(self) -> None:
        """Every machine is there once, with all that was to be done on its host."""
        names = ["db-1", "web-1", "web-2"]
        found = {
            "at the provider": sorted(self.instances()),
            "in the store": sorted(self.world.names()),
            "files": [self.on(name, "etc/motd") for name in names],
            "once": [self.on(name, "ran").startswith("ran\n") for name in names],
            "changed": [self.on(name, "seen").endswith(self.motd) for name in names],
            "planned": self.planned(),
            "unrecorded": self.world.unrecorded(),
            "litter": {name for name in self.world.litter() if not name.endswith(f"/{ENGINE_SECRETS}")},
        }
        expected = {
            "at the provider": names,
            "in the store": names,
            "files": ["", self.motd, self.motd],
            "once": [False, True, True],
            "changed": [False, True, True],
            "planned": {},
            "unrecorded": [],
            "litter": set(),
        }
        assert found == expected, f"{found} is not {expected}"


def sick_after_a_change() -> None:
    """Hosts that answer until something is changed on them, and then say that their engine does not."""
    import dataclasses

    from machine.operations import observe
    from tests.faults import scripted

    scripted.install()
    healthy = observe.ask_health
    sick = dataclasses.replace(scripted.HEALTH, engine_version=None, engine_trouble="it does not start")
    asked: list[int] = []

    def ask(*arguments: Any, **named: Any) -> Any:
        asked.append(1)
        return healthy(*arguments, **named) if len(asked) <= 4 else sick  # the plan looks at four

    observe.ask_health = ask
