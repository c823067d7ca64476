"""``pymachine resize``: the flags are those of the machine's driver that can be changed."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True})
@click.argument("words", metavar="NAME [--DRIVER-OPTION VALUE]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--start", "start_again", is_flag=True, help="Start it afterwards.")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], start_again: bool) -> int:
    """Change what a stopped machine runs on.

    \b
      pymachine stop web1
      pymachine resize web1 --aws-instance-type t3.large --start
    """
    from machine.cli.context import cancelled_by_signals, meant, opened_client
    from machine.cli.driverflags import driver_option
    from machine.cli.progress import shown
    from machine.driver import declared_options
    from machine.errors import UsageError

    with opened_client(ctx.obj) as opened:
        machine = meant(opened, next((word for word in words if not word.startswith("-")), None))
        driver = opened.driver(machine)
        able = [item for item in declared_options(driver) if item.name in driver.capabilities.resize]
        parser = click.Command("resize", params=[click.Argument(["name"]), *map(driver_option, able)])
        parsed = parser.make_context(ctx.info_name, list(words), parent=ctx.parent).params
        if parsed.pop("name") != machine.name:
            raise UsageError("one machine at a time", hint=f"pymachine resize {machine.name} --help")
        changes = {name: value for name, value in parsed.items() if value is not None}
        with cancelled_by_signals() as cancellation, shown() as emit:
            client = opened.using(on_event=emit, cancellation=cancellation)
            client.resize(machine, changes)
            if start_again:
                client.start(machine)
    click.echo(f"{machine.name} is resized." + ("" if start_again else f" To start it: pymachine start {machine.name}"))
    return 0
