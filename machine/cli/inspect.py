"""``pymachine inspect``: everything that is recorded of a machine, and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.model import Machine
    from machine.store.store import Store


@click.command()
@click.argument("names", metavar="[NAME]", nargs=-1)
@click.option("-f", "--format", "form", metavar="TEMPLATE", default="", help="Print what a Go template makes of it.")
@click.pass_obj
def command(directory: str, names: tuple[str, ...], form: str) -> None:
    """Print what is recorded of a machine, as JSON in docker-machine's shape and with what only pymachine knows.

    \b
      pymachine inspect dev
      pymachine inspect -f '{{.Driver.IPAddress}}' dev
      pymachine inspect -f '{{json .HostOptions.EngineOptions}}' dev
    """
    from machine.cli.context import meant, opened_store
    from machine.compat.gotemplate import Template, TemplateError, to_json
    from machine.program import is_drop_in

    drop_in = is_drop_in()
    if len(names) > 1:
        raise UsageError("Expected one machine name as an argument", hint="one at a time: pymachine inspect NAME")
    with opened_store(directory) as store:
        machine = meant(store, names[0] if names else None)
        document = _document(store, machine, drop_in=drop_in)
        if not form:
            click.echo(to_json(document, indent=4, in_order=True))
            return
        try:
            template = Template(form)
        except TemplateError as error:
            error.message = f"template parsing error: {error.message}"
            raise
        notes: list[str] = []
        click.echo(template.render(document, note=notes.append))
    if not drop_in:  # a script that asks docker-machine for a field that is not there is told nothing
        for note in dict.fromkeys(notes):
            click.echo(f"{machine.name}: {note}", err=True)


def _document(store: Store, machine: Machine, *, drop_in: bool) -> Mapping[str, Any]:
    """docker-machine's fields, which scripts ask for often, and ours where somebody looks for them."""
    from machine.compat.document import Beside, host_document, paths_of

    def ours() -> dict[str, Any]:
        from machine.operations.inspection import inspection

        return inspection(store, machine)

    return Beside(host_document(machine, paths_of(store, machine), drop_in=drop_in), ours)
