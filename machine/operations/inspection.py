"""Everything that is recorded of a machine, in one document without a secret.

The paths that scripts read from ``docker-machine inspect`` have the same names here.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from machine.model import Machine
from machine.operations.hostconnection import KNOWN_HOSTS, MACHINE_KEY, pinned_keys
from machine.store.store import Store
from machine.trust.sshkeys import fingerprint


def inspection(store: Store, machine: Machine) -> dict[str, Any]:
    """The document that ``inspect`` prints."""
    access = machine.instance.access if machine.instance else None
    files = store.files(machine.name)
    keys = pinned_keys(files.read(KNOWN_HOSTS))
    return {
        "Name": machine.name,
        "DriverName": machine.spec.driver,
        "Driver": {
            "MachineName": machine.name,
            "IPAddress": machine.address or "",
            "SSHUser": access.user if access else "",
            "SSHPort": access.port if access else 0,
            "SSHKeyPath": files.path(MACHINE_KEY),
            "StorePath": store.directory,
            "InstanceID": machine.instance.id if machine.instance else "",
            "Options": dict(machine.spec.options),
            "OptionSources": dict(machine.spec.sources),
        },
        "State": str(machine.state),
        "StateRecordedAt": machine.state_at,
        "CreatedAt": machine.created_at,
        "URL": machine.url,
        "Engine": machine.engine or "",
        "EngineOptions": dataclasses.asdict(machine.spec.engine),
        "Host": dict(machine.facts),
        "HostKeys": [{"Type": key.split()[0], "Fingerprint": fingerprint(key)} for key in keys],
        "TLS": {"ServerCertSANs": list(machine.spec.tls_san), "CertPath": files.directory},
        "Error": machine.error or "",
        "Timeline": store.history.timeline(machine),
    }
