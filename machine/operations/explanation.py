"""What a driver would make and as whom, and what it lacks for that: asked without effect, before anything is made."""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.driver import Driver, ExplainingDriver, HostIdentity, LocalDriver, Missing, declared_options
from machine.errors import PreCheckFailed, PymachineError
from machine.model import Spec
from machine.operations.create import secret_values
from machine.operations.log import hide
from machine.store.config import Config

# Of a request: whose it is and how it will be marked. Nobody has chosen that.
_OURS = frozenset({"machine", "store", "authorized_key"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a machine before it is made."""

    facts: Sequence[tuple[str, str]]  # label and value
    missing: Sequence[Missing] = ()
    refused: PymachineError | None = None  # by the pre-check

    @property
    def possible(self) -> bool:
        """Whether nothing is known that stands in the way."""
        return self.refused is None and all(each.doubt for each in self.missing)


def explain(driver: Driver, spec: Spec, options: Any, identity: HostIdentity) -> Explanation:
    """Let a driver's pre-check run, and say what it found out.

    Args:
        spec: what is wanted; its ``sources`` say where each option was said.

    Raises:
        PymachineError: nothing at all can be said, for example for want of credentials.
    """
    for value in secret_values(driver, options).values():
        hide(value)
    here = works_here(driver)
    refused: PreCheckFailed | None = None
    request: Mapping[str, Any] = {}
    try:
        request = driver.check(spec, options, identity)
    except PreCheckFailed as error:
        refused = error
    if not isinstance(driver, ExplainingDriver):
        return Explanation([*here.facts, *facts_of(request)], refused=refused or here.refused)
    try:
        facts, missing = driver.explain(request, spec.sources), driver.missing_permissions(request)
    except PymachineError:
        if refused is not None:
            raise refused from None  # it was found first, and is mostly the same
        raise
    return Explanation([*here.facts, *facts], missing, refused)


def works_here(driver: Driver) -> Explanation:
    """Whether a driver for this computer can work on it, and what it changes there; of another one nothing."""
    if driver.capabilities.local_rank is None:
        return Explanation([])
    local = typing.cast(LocalDriver, driver)
    reason = local.usable_here()
    if reason is not None:
        return Explanation([("works here", "no")], refused=PreCheckFailed(reason))
    return Explanation([("works here", "yes"), *(("changes here", each) for each in local.host_changes())])


def facts_of(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A request in words, as far as a program can find them: what was left open is left out."""
    return [(_words(key), text) for key, value in request.items() if key not in _OURS and (text := _text(value)) != ""]


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)} {text}" for key, each in value.items() if (text := _text(each)))
    if isinstance(value, (list, tuple)):
        return ", ".join(text for each in value if (text := _text(each)))
    return str(value)


def _words(key: str) -> str:
    return key.replace("_", " ")


def left_out(
    driver: Driver, given: Mapping[str, Any], config: Config, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """The flags of those options that a driver must have and nobody has said."""
    configured = config.drivers.get(driver.name) or {}
    return [
        item.flag
        for item in declared_options(driver)
        if item.info.required
        and item.name not in given
        and item.name not in configured
        and not any(environ.get(name) for name in item.info.env)
    ]
