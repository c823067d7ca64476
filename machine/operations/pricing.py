"""What machines cost: asked of providers beside their states, noted with its age, and never guessed.

Providers are asked by account and offering, not by machine. What they said is noted in the store, and not asked for
again while it lasts, which is theirs to say; where nobody is asked it is shown with its age.
"""

from __future__ import annotations

import dataclasses
import json
import queue
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from machine.deadline import Deadline
from machine.driver import Driver, Price, PricingDriver
from machine.errors import PymachineError
from machine.model import Machine, Observation, Offering, State
from machine.store.store import Store

_PREFIX = "price "
_NOBODY = "nobody has asked for it yet: ls -o wide does"
_OVER = (State.GONE, State.PREEMPTED)
# What the provider said of a group of machines, from who asks for states to who asks for prices; None: nothing.
Observed: TypeAlias = "queue.SimpleQueue[tuple[Driver, Sequence[Observation]] | None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an hour of a machine costs while it runs, as far as that is known."""

    hourly: str | None  # a decimal number
    currency: str = ""
    at: float | None = None  # when the provider said so, in seconds since the epoch
    current: bool = False  # that has not been too long ago
    why_unknown: str = ""  # or why it is not known any better


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of asking for prices of the machines of one account."""

    prices: Mapping[str, Price] = field(default_factory=dict)  # by the key of their note
    priced: bool = True  # False: the driver knows of no prices
    trouble: str = ""  # why there are none, one line


class Costs:
    """The prices that are noted in a store, as they were when this was made, and those that came since.

    Read and written by one thread; `is_due` may be asked by any.
    """

    def __init__(self, store: Store) -> None:
        self._notes = store.notes
        self._noted: dict[str, Any] = store.notes.beginning(_PREFIX)

    def of(self, machine: Machine, offering: Offering, why: str = "") -> Cost:
        """What is noted of an offering.

        Args:
            why: it is not known, where nothing is noted.
        """
        noted = self._noted.get(key_of(machine, offering))
        if noted is None:
            return Cost(hourly=None, why_unknown=why or _NOBODY)
        return Cost(
            hourly=noted["hourly"],
            currency=noted["currency"],
            at=noted["at"],
            current=_lasts(noted) and noted["at"] == noted["asked"],
            why_unknown=noted["why"],
        )

    def is_due(self, key: str) -> bool:
        """Whether it is time to ask for it."""
        noted = self._noted.get(key)
        return noted is None or not _lasts(noted)

    def note(self, prices: Mapping[str, Price]) -> None:
        """Note what was said; a price that is not known now leaves the one that was, with its age."""
        now = time.time()
        for key, price in prices.items():
            noted = {"hourly": price.hourly, "currency": price.currency, "at": now}
            if price.hourly is None:
                noted = {name: self._noted.get(key, {}).get(name, noted[name]) for name in noted}
                noted["at"] = noted["at"] if noted["hourly"] is not None else None
            self._noted[key] = {**noted, "why": price.why_unknown, "asked": now, "lasts": price.lasts}
            self._notes.put(key, self._noted[key])


def key_of(machine: Machine, offering: Offering) -> str:
    """Under which key a price is noted: the same for all machines of one account that cost the same."""
    zone = offering.zone if offering.market == "spot" else ""
    about = [dict(machine.account), {**dataclasses.asdict(offering), "zone": zone}]
    return f"{_PREFIX}{machine.spec.driver} {json.dumps(about, sort_keys=True)}"


def cost_of(
    machine: Machine, state: State, offering: Offering | None, costs: Costs, answers: Answers | None = None
) -> Cost | None:
    """What a machine costs; None: nothing, or there is nobody who says.

    Args:
        answers: what came of asking; None: nobody was asked.
    """
    if offering is None or state in _OVER or (answers is not None and not answers.priced):
        return None
    return costs.of(machine, offering, answers.trouble if answers is not None else "")


def ask_prices(costs: Costs, observed: Observed, machines: Sequence[Machine], deadline: Deadline) -> Answers:
    """Ask for prices that are not noted, as soon as it is known what the machines are; notes nothing.

    Raises:
        queue.Empty: the provider has not answered before the time was up.
    """
    said = observed.get(timeout=deadline.remaining())
    if said is None:
        return Answers(trouble="the provider does not answer")
    driver, observations = said
    if not isinstance(driver, PricingDriver):
        return Answers(priced=False)
    wanted = {
        key_of(machine, seen.offering): seen.offering
        for machine, seen in zip(machines, observations, strict=True)
        if seen.offering is not None and seen.state not in _OVER
    }
    wanted = {key: offering for key, offering in wanted.items() if costs.is_due(key)}
    if not wanted:
        return Answers()
    try:
        prices = driver.prices(list(wanted.values()))
    except PymachineError as error:
        return Answers(trouble=str(error))
    if len(prices) != len(wanted):
        return Answers(trouble=f"the driver answered for {len(prices)} of {len(wanted)} offerings")
    return Answers(dict(zip(wanted, prices, strict=True)))


def _lasts(noted: Mapping[str, Any]) -> bool:
    return 0 <= time.time() - float(noted["asked"]) < float(noted["lasts"])
