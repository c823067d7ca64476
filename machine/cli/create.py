"""``pymachine create``: the flags of the chosen driver are part of the command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from machine.cli.driverflags import driver_option, of_driver
from machine.cli.engineflags import engine_flags
from machine.cli.oldflags import (
    from_old_flags,
    given_authority,
    plain_switches,
    swarm_flags,
    unused_options,
    virtualbox_options,
)
from machine.compat.names import meant_driver, owner_of_flag, refuse_single_dash
from machine.driver import (
    Driver,
    declared_options,
    driver_names,
    load_driver,
)
from machine.errors import UsageError
from machine.program import is_drop_in

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.api.making import Plan

_HELP = "one name, and flags: pymachine create --help"


class CreateCommand(click.Command):
    """Adds the options that the driver on the command line declares, before the line is parsed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the driver first; only that one is imported."""
        from machine.api.settings import default_driver

        # The command outlives a command line where Python calls it: another one's driver must not stay.
        self.params = self.own_params
        refuse_single_dash(args, _flags(self.params))
        said = _driver_on(args) or default_driver(ctx.obj)
        name = meant_driver(said, driver_names()).driver
        if name is not None:
            self.params += [driver_option(item) for item in declared_options(load_driver(name))]
            self.params += of_driver(unused_options(name, said))
        elif said is not None:
            self.params += of_driver(virtualbox_options(said))
        refuse_single_dash(args, _flags(self.params))
        try:
            return super().parse_args(ctx, plain_switches(args, self.params))
        except click.NoSuchOption as error:
            owner = owner_of_flag(error.option_name, driver_names())
            if owner not in (None, name):
                meant_driver(owner, driver_names())  # raises, where this version has none of that name
                raise UsageError(
                    f"{error.option_name} is an option of the driver {owner}",
                    hint=f"add --driver {owner}" if name is None else f"the driver chosen is {name}",
                ) from error
            raise

    @property
    def own_params(self) -> list[click.Parameter]:
        """The options that every driver shares."""
        return [each for each in self.params if not getattr(each, "of_driver", False)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say which drivers there are and how to see their options."""
        with formatter.section("Drivers"):
            formatter.write_text(", ".join(driver_names()))
            formatter.write_text("Their options: pymachine create --driver NAME --help")


@click.command(cls=CreateCommand)
@click.argument("names", metavar="NAME", nargs=-1)
@click.option(
    "-d",
    "--driver",
    "driver_name",
    metavar="DRIVER",
    help="Who makes the host. [env: MACHINE_DRIVER; config: driver; default: the best local one that works here]",
)
@click.option(
    "--tls-san",
    multiple=True,
    metavar="NAME",
    help="A further name or address for the endpoint's certificate; repeatable.",
)
@click.option(
    "--host-key-policy",
    type=click.Choice(["first-use", "strict"]),
    help="What to do at the first contact with a host whose SSH key is not known. [default: first-use]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="For the whole of it. [default: 900]",
)
@click.option(
    "--join",
    is_flag=True,
    help="Use a host together with the store that owns it: its clients stay, ours are let in beside them.",
)
@click.option(
    "--save-credentials",
    is_flag=True,
    help="Keep the driver's secrets for this machine, in a file of the store that only you can read. "
    "Without it they are looked up anew by every command.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Make several, side by side: NAME-1 to NAME-N.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["keep", "rollback", "ask"]),
    default="keep",
    show_default=True,
    help="What becomes of what was made when it fails: kept, so that `create NAME` goes on; removed; or asked for.",
)
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="A word of yours to choose machines by; repeatable."
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and what is missing for it; make nothing.")
@engine_flags
@swarm_flags
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Do not ask: neither before changing this computer's network, nor before changing the configuration of an "
    "engine that is on the host already, which restarts it.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    driver_name: str | None,
    tls_san: tuple[str, ...],
    host_key_policy: str | None,
    timeout: float | None,
    join: bool,
    save_credentials: bool,
    labels: tuple[str, ...],
    count: int | None,
    on_failure: str,
    dry_run: bool,
    yes: bool,
    **other_options: Any,
) -> int:
    """Create a machine: a host with an engine and a TLS endpoint.

    An interrupted create goes on when it is repeated.
    """
    if len(names) > 1:
        raise UsageError(f"Invalid command line. Found extra arguments [{' '.join(names[1:])}]", hint=_HELP)
    if not (names and names[0]):
        raise UsageError("No machine name specified", hint=_HELP)
    (name,) = names
    from machine.api.choosing import parse_labels
    from machine.api.making import numbered
    from machine.api.settings import check_install_url, given_fields
    from machine.cli.context import cancelled_by_signals, consent_asker, opened_client
    from machine.cli.explained import show_plans
    from machine.cli.making import make

    with opened_client(ctx.obj) as opened:
        if not dry_run:
            given_authority(ctx, opened)
        check_install_url(other_options.get("engine_install_url") or os.environ.get("MACHINE_DOCKER_INSTALL_URL", ""))
        plans: list[Plan] = []
        for each in numbered(name, count) if count else [name]:
            if opened.unfinished(each) is not None and only_the_name(ctx):
                # `create NAME` goes on with what was asked the first time; no need to say all of it again.
                plan = opened.prepare(each, flags_kept=is_drop_in())
                click.echo(f"Going on with {each} ({plan.driver.name})")
            else:
                driver = load_driver(plans[0].driver.name) if plans else _chosen(opened, driver_name)
                own = {item.name for item in declared_options(driver)}
                given = {key: value for key, value in other_options.items() if key in own and value is not None}
                given |= from_old_flags(driver, other_options)
                plan = opened.prepare(
                    each,
                    driver=driver,
                    options=given,
                    engine=given_fields({key: value for key, value in other_options.items() if key not in own}),
                    tls_san=tls_san,
                    host_key_policy=host_key_policy,
                    labels={key: value or "" for key, value in parse_labels(labels).items()},
                    join=join,
                    save_credentials=save_credentials,
                    flags_kept=is_drop_in(),
                )
            for line in plan.notes if not dry_run else ():
                click.echo(line, err=True)
            plans.append(plan)
        if dry_run:
            return show_plans(opened, plans)
        _ask_consent(plans[0].driver, yes)
        with cancelled_by_signals() as cancellation:
            # docker-machine never asked, and its scripts have nobody who could answer.
            consent = consent_asker(yes or is_drop_in())
            client = opened.using(ask_consent=consent, cancellation=cancellation, timeout=timeout)
            return make(client, plans, on_failure=on_failure)


def only_the_name(ctx: click.Context) -> bool:
    """Whether nothing of what the machine shall be was said on the command line but its name."""
    said = (
        key
        for key in ctx.params
        if key not in ("names", "timeout", "yes", "dry_run")
        and ctx.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE
    )
    return next(said, None) is None


def _chosen(client: Client, name: str | None) -> Driver:
    """The driver that is meant; says why where it is not what was said."""
    choice = client.choose(name)
    if choice.note:
        click.echo(choice.note)
    if choice.why:
        click.echo(f"Using the driver {choice.why}")
    return choice.driver


def _ask_consent(driver: Any, yes: bool) -> None:
    """Say what a local driver changes on this computer the first time, and ask on a terminal."""
    if driver.capabilities.local_rank is None or driver.usable_here() is not None:
        return  # what cannot work here is the pre-check's to say
    changes = driver.host_changes()
    if not changes:
        return
    click.echo("On this computer this makes, until the last local machine is removed:")
    for line in changes:
        click.echo(f"  - {line}")
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm("Go on?", default=True, abort=True)


def _driver_on(args: list[str]) -> str | None:
    """The value of ``-d/--driver`` on a command line that is not parsed yet."""
    for number, word in enumerate(args):
        if word == "--":
            return None
        if word in ("-d", "--driver") and number + 1 < len(args):
            return args[number + 1]
        if word.startswith("--driver="):
            return word.partition("=")[2]
        if word.startswith("-d") and not word.startswith("--") and len(word) > 2:
            return word[2:].removeprefix("=")
    return None


def _flags(parameters: list[click.Parameter]) -> set[str]:
    return {flag for each in parameters for flag in each.opts}
