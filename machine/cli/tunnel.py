"""``pymachine tunnel``: the endpoint's port on this computer, over SSH."""

from __future__ import annotations

import time

import click


@click.command()
@click.argument("name", required=False)
@click.option("-p", "--port", type=click.IntRange(1, 65535), help="The port on this computer. [default: as env says]")
@click.pass_obj
def command(directory: str, name: str | None, port: int | None) -> int:
    """Reach a machine's endpoint over SSH, until Ctrl-C; a connection that is lost is opened again."""
    from machine.cli.context import cancelled_by_signals, meant, opened_client
    from machine.errors import Cancelled, HostUnreachable

    with opened_client(directory) as opened, cancelled_by_signals() as cancellation:
        client = opened.using(cancellation=cancellation)
        machine = meant(client, name)
        first, pause = True, 1.0
        try:
            while True:
                try:
                    with client.tunnel(machine, port=port) as forward:
                        port, pause = forward.local_port, 1.0
                        click.echo(f"{machine.name} is at tcp://localhost:{port} until Ctrl-C.")
                        first = False
                        while forward.alive:
                            cancellation.sleep(0.5)
                    click.echo("The connection was lost; connecting again.", err=True)
                except HostUnreachable as error:
                    if first:
                        raise
                    click.echo(f"{time.strftime('%H:%M:%S')} {error}; trying again in {pause:.0f} s.", err=True)
                    cancellation.sleep(pause)
                    pause = min(pause * 2, 30.0)
        except Cancelled:
            return 0
