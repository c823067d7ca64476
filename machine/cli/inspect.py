"""``pymachine inspect``: everything that is recorded of a machine, and no secret."""

from __future__ import annotations

import click

from machine.errors import UsageError


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
    from machine.compat.document import host_document, paths_of
    from machine.compat.gotemplate import Template, TemplateError, to_json
    from machine.operations.inspection import inspection
    from machine.program import is_drop_in

    if len(names) > 1:
        words = "Expected one machine name as an argument"
        raise UsageError(f"Error: {words}" if is_drop_in() else words, hint="one at a time: pymachine inspect NAME")
    with opened_store(directory) as store:
        machine = meant(store, names[0] if names else None)
        shape = host_document(machine, paths_of(store, machine), drop_in=is_drop_in())
        document = {**shape, **inspection(store, machine)}
    if not form:
        click.echo(to_json(document, indent=4, in_order=True))
        return
    try:
        template = Template(form)
    except TemplateError as error:
        error.message = f"template parsing error: {error.message}"
        raise
    # A script that asks docker-machine for a field that is not there is told nothing.
    notes: list[str] = []
    click.echo(template.render(document, note=notes.append))
    if not is_drop_in():
        for note in dict.fromkeys(notes):
            click.echo(f"{machine.name}: {note}", err=True)
