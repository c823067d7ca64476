"""What is recorded of a machine and docker-machine has no place for, in one document without a secret.

``inspect`` prints it beside `machine.compat.document`, under names that are not there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from machine.model import Machine
from machine.operations.enginesecrets import taken_out
from machine.operations.hostconnection import KNOWN_HOSTS, pinned_keys
from machine.store.store import Store
from machine.trust.sshkeys import fingerprint


def inspection(store: Store, machine: Machine) -> dict[str, Any]:
    """Our own half of what ``inspect`` prints."""
    files = store.files(machine.name)
    keys = pinned_keys(files.read(KNOWN_HOSTS))
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
        "TLS": {"ServerCertSANs": list(machine.spec.tls_san), "CertPath": files.directory},
        "Error": machine.error or "",
        "Timeline": store.history.timeline(machine),
    }
