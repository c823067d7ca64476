"""The client has the commands' operations, under the commands' names."""

from __future__ import annotations

import inspect
import re

import pytest

import machine
from machine.api.fleets import FleetFile
from machine.cli import fleet
from machine.cli.main import _COMMANDS
from tests.unit.api.examples import DOCS
from tests.unit.processes import python

# About a shell or about the command line itself.
NOTHING_TO_DO = {"help", "use", "shell-init"}
# A group of commands, or a word that Python has for itself.
OTHERWISE = {
    "bake": ("bake", "bake_ls", "bake_rm"),
    "cache": ("cache_ls", "cache_prune"),
    "drivers": ("drivers", "drivers_check"),
    "import": ("import_",),
}
FLEETS_WITHOUT = {"import", "init", "schema", "validate"}


@pytest.mark.parametrize("command", sorted(set(_COMMANDS) - NOTHING_TO_DO))
def test_every_command_is_a_method_of_its_name(command: str) -> None:
    for name in OTHERWISE.get(command, (command.replace("-", "_"),)):
        method = getattr(machine.Client, name)
        assert len(inspect.getdoc(method) or "") > 20, f"{name} does not say what it does"


@pytest.mark.parametrize("command", sorted(set(fleet.COMMANDS) - FLEETS_WITHOUT))
def test_every_command_of_fleets_is_a_method_of_a_fleet(command: str) -> None:
    assert inspect.getdoc(getattr(FleetFile, command))


@pytest.mark.parametrize("command", sorted(NOTHING_TO_DO))
def test_what_has_no_method_is_named_in_the_document(command: str) -> None:
    assert not hasattr(machine.Client, command.replace("-", "_"))
    assert f"`{command}`" in (DOCS / "api.md").read_text().rpartition("\n\n")[2]


def test_every_method_is_in_the_document() -> None:
    text = (DOCS / "api.md").read_text()
    methods = {name for name in dir(machine.Client) if not name.startswith("_")}
    said = set(re.findall(r"[a-z_]+", text))
    assert methods - said == set()
    own = {name for name in dir(FleetFile) if not name.startswith("_")}
    assert own - said == set()


def test_every_public_name_can_be_had_and_others_cannot() -> None:
    for name in machine.__all__:
        assert getattr(machine, name) is not None
        assert name in dir(machine)
    with pytest.raises(AttributeError, match="has no attribute 'Clinet'"):
        machine.Clinet  # type: ignore[attr-defined]  # noqa: B018


def test_what_is_typed_is_what_is_there() -> None:
    """The names for type checkers and those for Python are two lists."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(str(machine.__file__)).read_text())
    (typed,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        (alias.name, node.module) for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    imported.discard(("errors", "machine"))
    assert imported == {(name, f"machine.{module}") for name, module in machine._FROM.items()}  # type: ignore[attr-defined]
    assert {name for name, _ in imported} | {"errors"} == set(machine.__all__)


def test_a_client_is_opened_without_what_only_operations_need() -> None:
    code = """
        import sys, tempfile
        import machine
        with machine.Client(tempfile.mkdtemp()) as client:
            client.machines(), client.ls(recorded=True)
        print(sorted({"boto3", "click", "jinja2", "paramiko", "rich"} & set(sys.modules)))
        """
    assert python(code).stdout == "[]\n"
