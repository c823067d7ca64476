"""What becomes of a provider's secrets that were said to ``create``: kept only where that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from machine.driver import Driver, declared_options
from machine.errors import PreCheckFailed
from machine.operations.create import secret_values
from machine.operations.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Keep:
    """The secrets to be kept for a machine, and what to tell people."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def credentials_to_keep(driver: Driver, wanted: Wanted, *, saved: bool, flags_kept: bool) -> Keep:
    """Decide what is kept of the secrets that a driver was given.

    Args:
        saved: it was asked for, wherever they come from.
        flags_kept: those that are flags are kept unasked, as docker-machine keeps them.

    Raises:
        PreCheckFailed: a secret was given as a flag, and would be unknown to every later command.
    """
    secret = {item.name: item for item in declared_options(driver) if item.info.secret}
    by_flag = [item for name, item in secret.items() if wanted.sources.get(name) == item.flag]
    if by_flag and not (saved or flags_kept):
        flags = ", ".join(item.flag for item in by_flag)
        variables = " and ".join(item.info.env[0] for item in by_flag)
        raise PreCheckFailed(
            f"{flags} would be forgotten, and no later command could stop or remove the machine",
            cause="a secret on a command line is not kept, and is seen by everybody who can list processes",
            hint=f"set {variables} instead{_or_another_way(driver)};"
            " or keep it in a file that only you can read: --save-credentials",
        )
    values = secret_values(driver, wanted.options)
    if not values or not (saved or by_flag):
        return Keep()
    notes = [f"The credentials of {wanted.spec.name} are kept in the store, in a file that only you can read."]
    if by_flag:
        flags = ", ".join(item.flag for item in by_flag)
        notes.append(f"Warning: {flags} can be read by everybody who can list the processes of this computer.")
    return Keep(values, tuple(notes))


def _or_another_way(driver: Driver) -> str:
    """A driver whose options include a profile can be opened by that."""
    profile = next((item.flag for item in declared_options(driver) if item.name == "profile"), None)
    return f" or use {profile}" if profile else ""
