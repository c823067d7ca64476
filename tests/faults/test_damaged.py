"""A database that is not one any more: every command names it and ends, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from machine.cli.main import _COMMANDS
from tests.faults.sweep import MEMORY
from tests.faults.test_import_killed import docker_machines_store
from tests.faults.world import World

# What a command needs on its line beside its name; none: the name of the machine.
ARGUMENTS = {
    "active": "",
    "bake": "ls",
    "create": "-d memory other",
    "drivers": "check memory",
    "env": "--shell sh web",
    "gc": "--dry-run",
    "import": "--from-docker-machine=HOME/old",
    "ls": "",
    "mount": "web:/data HOME/data",
    "regenerate-certs": "-f web",
    "resize": "web --memory-size 2",
    "rm": "-y web",
    "run": "web -- true",
    "scp": "web:/data HOME/data",
}
WITHOUT_STORE = {"cache", "fleet", "help", "shell-init", "use"}


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 4096)


def _first_page_gone(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes(4096) + content[4096:])


def _every_page_but_the_first_gone(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def _half_of_it_gone(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 100])


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [_garbage, _first_page_gone, _every_page_but_the_first_gone, _half_of_it_gone, _a_directory]
)
def test_every_command_names_a_damaged_store_and_ends(world: World, damage: Callable[[Path], None]) -> None:
    world.ok(MEMORY)
    docker_machines_store(world.home / "old", "db")
    path = world.store / "pymachine.db"
    damage(path)
    commands = [f"{name} {ARGUMENTS.get(name, 'web')}" for name in _COMMANDS if name not in WITHOUT_STORE]
    for ended in world.run(*commands, "ls --recorded", "ls -q", "ip", "status --recorded web"):
        assert "Traceback" not in ended.said, ended
        assert ended.code == 1, ended
        assert str(path) in ended.err, ended
        assert "next:" in ended.err, ended
    assert len(world.cloud.instances()) == 1


def test_a_store_whose_database_is_lost_is_not_taken_for_a_new_one(world: World) -> None:
    world.ok(MEMORY)
    path = world.store / "pymachine.db"
    path.write_bytes(b"")
    for ended in world.run("ls", "create -d memory other", "rm -y web"):
        assert ended.code == 1, ended
        assert "the store has lost its database" in ended.err
        assert str(path) in ended.err
    assert path.read_bytes() == b"" or not world.begun
