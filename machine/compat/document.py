"""A machine in the shape that docker-machine gives to a host: what ``inspect`` prints and ``config.json`` holds.

Its version 3 (libmachine/host/host.go and the structs below it), field by field in its order. No secret is in it:
where docker-machine kept a provider's credentials, there is nothing.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from machine.compat.names import DRIVERS
from machine.model import EngineSpec, Machine
from machine.operations.enginesecrets import taken_out
from machine.store.store import Store

CONFIG_VERSION = 3
_OUR_KEY = "id_ed25519"  # hostconnection's MACHINE_KEY (a test compares them); with that paramiko would come
_UPPER = ("ami", "id", "ip", "ssh", "url", "vpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where the files of a machine are, absolute."""

    store: str
    machine: str  # its directory
    key: str  # its private SSH key
    client: str  # the directory of the client's certificate and key

    @property
    def certs(self) -> str:
        """The directory of the certificate authority."""
        return os.path.join(self.store, "certs")


def paths_of(store: Store, machine: Machine) -> Paths:
    """Where a store keeps them: with docker-machine's files beside its own, it is those that are named."""
    files = store.files(machine.name)
    return Paths(
        store=store.directory,
        machine=files.directory,
        key=files.path("id_rsa" if files.exists("id_rsa") else _OUR_KEY),
        client=store.certs.directory if store.certs.exists("cert.pem") else files.directory,
    )


class Beside(Mapping[str, Any]):
    """Two documents as one; the second is made when something is looked for that is not in the first."""

    def __init__(self, first: Mapping[str, Any], second: Callable[[], Mapping[str, Any]]) -> None:
        self._first = first
        self._second = functools.cache(second)

    def __getitem__(self, key: str) -> Any:
        return self._first[key] if key in self._first else self._second()[key]

    def __iter__(self) -> Iterator[str]:
        yield from self._first
        yield from self._second()

    def __len__(self) -> int:
        return len(self._first) + len(self._second())


def driver_name(driver: str, *, drop_in: bool) -> str:
    """What a driver is called: under docker-machine's name as that calls its own driver for the same provider."""
    if not drop_in or any(each.name == driver for each in DRIVERS):
        return driver
    return next((each.name for each in DRIVERS if each.now == driver), driver)


def host_document(machine: Machine, paths: Paths, *, drop_in: bool = False) -> dict[str, Any]:
    """The host as docker-machine would have recorded it.

    Args:
        drop_in: by its names of drivers.
    """
    return {
        "ConfigVersion": CONFIG_VERSION,
        "Driver": _driver(machine, paths),
        "DriverName": driver_name(machine.spec.driver, drop_in=drop_in),
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": engine_options(machine.spec.engine),
            "SwarmOptions": swarm_options(),
            "AuthOptions": _auth_options(machine, paths),
        },
        "Name": machine.name,
    }


def _driver(machine: Machine, paths: Paths) -> dict[str, Any]:
    """The fields of every driver of its, then this one's options by the names such fields have there."""
    access = machine.instance.access if machine.instance else None
    host = machine.has_host
    base: dict[str, Any] = {
        "IPAddress": machine.address or "",
        "MachineName": machine.name,
        "SSHUser": ((access.user if access else None) or "root") if host else "",
        "SSHPort": ((access.port if access else None) or 22) if host else 0,
        "SSHKeyPath": paths.key if host else "",
        "StorePath": paths.store,
        "SwarmMaster": False,
        "SwarmHost": swarm_options()["Host"],
        "SwarmDiscovery": "",
    }
    own = {_field(name): "" if value is None else value for name, value in machine.spec.options.items()}
    for row in DRIVERS:
        if machine.instance and row.id and machine.spec.driver in (row.now, row.name):
            own.setdefault(row.id, machine.instance.id)
    return {**base, **{name: value for name, value in own.items() if name not in base}}


def _field(option: str) -> str:
    return "".join(part.upper() if part in _UPPER else part.capitalize() for part in option.split("_"))


def engine_options(engine: EngineSpec) -> dict[str, Any]:
    """What the engine was asked for; a record of an older version may hold passwords, and they are not shown."""
    engine, _ = taken_out(engine)
    return {
        "ArbitraryFlags": list(engine.options),
        "Dns": None,
        "GraphDir": "",
        "Env": list(engine.environment),
        "Ipv6": False,
        "InsecureRegistry": list(engine.insecure_registries),
        "Labels": list(engine.labels),
        "LogLevel": "",
        "StorageDriver": engine.storage_driver or "",
        "SelinuxEnabled": False,
        "TlsVerify": True,
        "RegistryMirror": list(engine.registry_mirrors),
        "InstallURL": "https://get.docker.com",
    }


def swarm_options() -> dict[str, Any]:
    """The classic Swarm that nobody asked for: it is dead, and its fields have docker-machine's defaults."""
    return {
        "IsSwarm": False,
        "Address": "",
        "Discovery": "",
        "Agent": False,
        "Master": False,
        "Host": "tcp://0.0.0.0:3376",
        "Image": "swarm:latest",
        "Strategy": "spread",
        "Heartbeat": 0,
        "Overcommit": 0,
        "ArbitraryFlags": [],
        "ArbitraryJoinFlags": [],
        "Env": None,
        "IsExperimental": False,
    }


def _auth_options(machine: Machine, paths: Paths) -> dict[str, Any]:
    return {
        "CertDir": paths.certs,
        "CaCertPath": os.path.join(paths.certs, "ca.pem"),
        "CaPrivateKeyPath": os.path.join(paths.certs, "ca-key.pem"),
        "CaCertRemotePath": "",
        "ServerCertPath": os.path.join(paths.machine, "server.pem"),
        "ServerKeyPath": os.path.join(paths.machine, "server-key.pem"),
        "ClientKeyPath": os.path.join(paths.client, "key.pem"),
        "ServerCertRemotePath": "",
        "ServerKeyRemotePath": "",
        "ClientCertPath": os.path.join(paths.client, "cert.pem"),
        "ServerCertSANs": list(machine.spec.tls_san),
        "StorePath": paths.machine,
    }
