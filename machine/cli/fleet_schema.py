"""``pymachine fleet schema``: what an editor needs to know of fleet files."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> int:
    """Print the JSON Schema of fleet files, with the options of the drivers that are installed.

    \b
      pymachine fleet schema > fleet.schema.json
      # yaml-language-server: $schema=fleet.schema.json       (first line of fleet.yaml)
    """
    from machine.fleet.schema import fleet_schema

    click.echo(json.dumps(fleet_schema(), indent=2, ensure_ascii=False))
    return 0
