"""``pymachine regenerate-certs``."""

from __future__ import annotations

import sys

import click

from machine.errors import UsageError

_QUESTION = "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): "


@click.command()
@click.argument("names", nargs=-1)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--client-certs", is_flag=True, help="Make new client certificates, too.")
@click.pass_obj
def command(directory: str, names: tuple[str, ...], force: bool, client_certs: bool) -> int:
    """Give machines new TLS certificates; neither the engine nor the agent is restarted."""
    from machine.cli.context import all_meant, meant, opened_store
    from machine.cli.several import run_on
    from machine.operations.certificates import regenerate

    if not force:
        with opened_store(directory) as store:  # no question about a machine that is not there
            _ = all_meant(store, names) if names else meant(store, None)
        click.echo(_QUESTION, nl=False)
        answer = sys.stdin.readline().strip().lower()
        if not answer:
            click.echo()
            raise UsageError("nobody answered, and nothing was changed", hint="to be asked nothing: -f")
        if not answer.startswith("y"):
            return 0
    click.echo("Regenerating TLS certificates")
    return run_on(
        directory,
        names,
        "regenerate-certs",
        lambda *what: regenerate(*what, client=client_certs),
        lambda machine: f"{machine.name} has new certificates.",
    )
