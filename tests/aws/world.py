"""A store and an account at AWS: what an operation changes there, and what is left of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.faults.nursery import Nursery
from tests.faults.world import World
from tests.testbed.aws.fixtures import environment
from tests.testbed.aws.server import ACCOUNT, AwsServer

WATCHED, QUICK = "tests.aws.child:install", "tests.aws.child:quick"
ENDED = ("shutting-down", "terminated")
STORE, OPERATION = "pymachine:store", "pymachine:operation"


class AwsWorld(World):
    """A store of its own in the one account; children see the hosts as scripted."""

    def __init__(self, directory: Path, nursery: Nursery, server: AwsServer, *, prelude: str = WATCHED) -> None:
        super().__init__(directory, nursery, prelude=prelude)
        self.server = server
        self.variables: dict[str, str] = {}  # further ones, in every process of it

    @property
    def environment(self) -> dict[str, str]:
        nothing = str(self.directory / "no-aws-configuration")
        return super().environment | environment(self.server.url, nothing) | self.variables

    def copy(self, directory: Path, nursery: Nursery | None = None) -> AwsWorld:
        """The same store once more; the account is the same one."""
        shutil.copytree(self.directory, directory)
        return AwsWorld(directory, nursery or self.nursery, self.server, prelude=self.prelude or WATCHED)

    def tokens(self) -> set[str]:
        """Of everything that this store made and that is still there."""
        return {tags.get(OPERATION, "") for _, tags in resources(self.server)}

    def recorded_tokens(self) -> set[str]:
        """Of the machines and the orphans that this store knows."""
        sql = "SELECT token FROM instances UNION SELECT token FROM orphans"
        return {row["token"] for row in self.rows(sql)} if self.begun else set()

    def described(self) -> dict[str, Any]:
        said = super().described()
        if said:
            said["cloud"] = sorted(name.partition(" ")[0] for name, _ in resources(self.server))
        return said


def resources(server: AwsServer) -> list[tuple[str, dict[str, str]]]:
    """All that costs something or is in the way, with its tags."""
    server.settle()
    backend = server.backend()
    there = [
        *((f"instance {each.id}", each) for each in backend.all_instances() if each.state not in ENDED),
        *((f"group {each.id}", each) for each in backend.describe_security_groups() if each.name != "default"),
        *((f"address {each.allocation_id}", each) for each in backend.describe_addresses()),
        *((f"volume {each.id}", each) for each in backend.describe_volumes()),
        *((f"interface {each.id}", each) for each in backend.enis.values()),
        *((f"image {each.id}", each) for each in backend.amis.values() if each.owner_id == ACCOUNT),
        *((f"snapshot {each.id}", each) for each in backend.snapshots.values() if each.owner_id == ACCOUNT),
    ]
    return [(name, {tag["key"]: tag["value"] for tag in each.get_tags()}) for name, each in there]


def left(server: AwsServer) -> list[str]:
    """The same, by name."""
    return [name for name, _ in resources(server)]


def launched(server: AwsServer) -> int:
    """How many instances there ever were, as long as terminated ones are listed."""
    return len(server.backend().all_instances())


def clear(server: AwsServer) -> None:
    """Take everything away, as no test would leave it; what a store knows of the account's network stays true."""
    server.heal()
    backend = server.backend()
    backend.terminate_instances([each.id for each in backend.all_instances() if each.state not in ENDED])
    server.settle()
    for address in backend.describe_addresses():
        backend.release_address(allocation_id=address.allocation_id)
    for group in backend.describe_security_groups():
        if group.name != "default":
            backend.delete_security_group(group_id=group.id)
