"""``pymachine fleet init``: an example to begin with."""

from __future__ import annotations

import click


@click.command()
@click.argument("file", default="fleet.yaml", type=click.Path(dir_okay=False))
@click.option("--example", metavar="NAME", default="local", show_default=True, help="Which one; see --list.")
@click.option("--list", "list_them", is_flag=True, help="Say which examples there are, and write nothing.")
def command(file: str, example: str, list_them: bool) -> int:
    """Write an example of a fleet file, with the files that it uses beside it. Nothing is overwritten."""
    from machine.fleet.examples import examples, write_example

    if list_them:
        found = examples()
        width = max(len(each.name) for each in found)
        for each in found:
            click.echo(f"{each.name:{width}}  {each.summary}")
        return 0
    for path in write_example(example, file):
        click.echo(f"{path} is written.")
    click.echo(f"Next: pymachine fleet validate {file}")
    return 0
