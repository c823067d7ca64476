"""The group of all commands; each is imported when it is used."""

from __future__ import annotations

import os

import click

from machine.cli.lazy import LazyGroup
from machine.cli.oldflags import global_flags

_COMMANDS = (
    "active",
    "allow",
    "bake",
    "cache",
    "config",
    "create",
    "drivers",
    "env",
    "fleet",
    "gc",
    "help",
    "import",
    "inspect",
    "ip",
    "kill",
    "ls",
    "mount",
    "provision",
    "regenerate-certs",
    "resize",
    "restart",
    "rm",
    "run",
    "scp",
    "shell-init",
    "ssh",
    "start",
    "status",
    "stop",
    "tunnel",
    "upgrade",
    "url",
    "use",
    "version",
)


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    from machine.cli.version import version_line

    if value:
        click.echo(version_line())
        ctx.exit()


# What works without a store, or on one that is not ours yet.
_WITHOUT_STORE = ("help", "import", "shell-init", "use", "version")


@click.group(
    cls=LazyGroup,
    names=_COMMANDS,
    modules="machine.cli.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "-s",
    "--storage-path",
    metavar="DIR",
    help="Where machines are remembered. [env: PYMACHINE_HOME; MACHINE_STORAGE_PATH where it can be ours]",
)
@click.option("-D", "--debug", is_flag=True, help="Show on stderr what goes into the log files. [env: MACHINE_DEBUG]")
@global_flags
@click.option(
    "-v", "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
@click.pass_context
def main(ctx: click.Context, storage_path: str | None, debug: bool) -> None:
    """Turn any host into a secured container host, and switch your shell to it.

    \b
      pymachine create dev            a machine on this computer
      eval "$(pymachine env dev)"     your docker client now talks to it
      docker run hello-world
    """
    from machine.program import is_drop_in
    from machine.store.location import is_ours_or_empty, store_directory

    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return
    if debug or os.environ.get("MACHINE_DEBUG", "") not in ("", "0", "false"):
        from machine.api.log import log_to_stderr

        log_to_stderr()
    ctx.obj = store_directory(storage_path, os.environ, drop_in=is_drop_in())
    if ctx.invoked_subcommand not in _WITHOUT_STORE and not is_ours_or_empty(ctx.obj):
        from machine.compat.foreign import refuse_docker_machines_own

        refuse_docker_machines_own(ctx.obj)
