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
    from machine.cli.context import meant, opened_client
    from machine.compat.gotemplate import Template, TemplateError, to_json
    from machine.program import is_drop_in

    drop_in = is_drop_in()
    if len(names) > 1:
        raise UsageError("Expected one machine name as an argument", hint="one at a time: pymachine inspect NAME")
    with opened_client(directory) as client:
        machine = meant(client, names[0] if names else None)
        document = client.inspect(machine, docker_machines_names=drop_in)
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
