"""What is recorded of a machine and docker-machine has no place for, in one document without a secret.

``inspect`` prints it beside `machine.compat.document`, under names that are not there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from machine.model import Machine, Offering, State
from machine.operations.enginesecrets import taken_out
from machine.operations.hostconnection import KNOWN_HOSTS, pinned_keys
from machine.operations.pricing import Cost, Costs, cost_of
from machine.store.store import Store
from machine.trust.sshkeys import fingerprint


def inspection(store: Store, machine: Machine) -> dict[str, Any]:
    """Our own half of what ``inspect`` prints."""
    files = store.files(machine.name)
    keys = pinned_keys(files.read(KNOWN_HOSTS))
    offering = machine.instance.offering if machine.instance else None
    cost = cost_of(machine, machine.state, offering, Costs(store))
    return {
        "InstanceID": machine.instance.id if machine.instance else "",
        "Options": dict(machine.spec.options),
        "OptionSources": dict(machine.spec.sources),
        "State": str(machine.state),
        "StateRecordedAt": machine.state_at,
        "CreatedAt": machine.created_at,
        "URL": machine.url,
        "Engine": machine.engine or "",
        "EngineOptions": dataclasses.asdict(taken_out(machine.spec.engine)[0]),
        "Host": dict(machine.facts),
        "HostKeys": [{"Type": key.split()[0], "Fingerprint": fingerprint(key)} for key in keys],
        "Offering": _offering(offering or Offering()),
        "Price": _price(cost or Cost(hourly=None)),
        "Spot": {
            "IsSpot": offering is not None and offering.market == "spot",
            "Preempted": (machine.error or "") if machine.state is State.PREEMPTED else "",
        },
        "TLS": {"ServerCertSANs": list(machine.spec.tls_san), "CertPath": files.directory},
        "Error": machine.error or "",
        "Timeline": store.history.timeline(machine),
    }


def _offering(said: Offering) -> dict[str, str]:
    """What the provider bills it as, since it was made or started last."""
    return {"Type": said.type, "Region": said.region, "Zone": said.zone, "Market": said.market}


def _price(cost: Cost) -> dict[str, Any]:
    """What an hour costs, as it was noted last; nobody is asked."""
    return {"Hourly": cost.hourly or "", "Currency": cost.currency, "Since": cost.at, "Why": cost.why_unknown}
