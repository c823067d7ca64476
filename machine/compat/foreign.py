"""docker-machine's own store, read: what config.json says of each machine, in any of its versions, and where files are.

Nothing is changed and nobody is asked. Absolute paths in it may be those of another home: what lies below the store is
looked for there first. Credentials of providers are noticed, named, and left where they are.
"""

from __future__ import annotations

import json
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.compat.continued import Continued, continued
from machine.compat.names import LOCAL, old_driver
from machine.errors import UsageError
from machine.model import EngineSpec
from machine.store.location import DATABASE, MACHINES
from machine.trust.names import is_address

CONFIG = "config.json"
ORIGINAL = "config.json.docker-machine"  # what an adoption in place makes of it
NEWEST = 3
_SECRET = re.compile(r"secret|token|passw|api_?key|access_?key|credential|auth_?encoded", re.IGNORECASE)
# Where a machine is at its provider; nothing else of a driver's fields is anybody's business here.
_PLACES = ("Datacenter", "Location", "Project", "Region", "ResourceGroup", "SubnetId", "VpcId", "Zone")
_CERTIFICATES = {"ca.pem": "CaCertPath", "cert.pem": "ClientCertPath", "key.pem": "ClientKeyPath"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldMachine:
    """A machine as docker-machine recorded it, with paths that are right here."""

    name: str
    directory: str  # its own, in that store
    driver: str  # by docker-machine's name
    id: str  # the provider's, or the address
    address: str  # where its engine is; IPv6 without brackets
    port: int
    url: str | None  # of a driver none: it knows nothing else
    ssh_host: str | None  # None: there is no host
    ssh_port: int
    ssh_user: str
    ssh_key: str | None  # None: the operator's own
    certificates: Mapping[str, str]  # ca.pem, cert.pem, key.pem: where each is; those that are there
    engine: EngineSpec
    tls_san: tuple[str, ...]
    places: Mapping[str, str]
    secrets: tuple[str, ...]  # fields that hold a provider's credentials
    continued: Continued | None  # who can go on with it here, where that is installed
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A directory of a machine that cannot be taken over."""

    name: str
    reason: str


@dataclass(slots=True)
class _Reading:
    store: str
    name: str
    driver: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)  # HostOptions

    @property
    def directory(self) -> str:
        return os.path.join(self.store, MACHINES, self.name)


def is_docker_machine_store(directory: str) -> bool:
    """Whether docker-machine itself keeps its machines here, and pymachine none."""
    if os.path.exists(os.path.join(directory, DATABASE)):
        return False
    names = machine_names(directory)
    if names:
        # Of a store of ours that has lost its database, every machine has a key by that name.
        return not all(os.path.exists(os.path.join(directory, MACHINES, name, "id_ed25519")) for name in names)
    # It makes its four certificates before its first machine.
    certs = os.path.join(directory, "certs")
    return all(os.path.exists(os.path.join(certs, name)) for name in ("ca.pem", "ca-key.pem", "cert.pem", "key.pem"))


def refuse_docker_machines_own(directory: str) -> None:
    """Never mix with the store of the real docker-machine.

    Raises:
        UsageError: it is named, and how to take it over.
    """
    if is_docker_machine_store(directory):
        raise UsageError(
            f"{directory} is docker-machine's own store",
            cause="it has machines and no database of pymachine's; nothing in it was read or changed",
            hint=f"to take it over in place: pymachine import --in-place --from-docker-machine {directory};"
            " or choose another store with --storage-path",
        )


def machine_names(directory: str) -> list[str]:
    """The machines of a store of docker-machine's, as it lists them itself."""
    machines = os.path.join(directory, MACHINES)
    try:
        entries = sorted(os.listdir(machines))
    except OSError:
        return []
    return [name for name in entries if not name.startswith(".") and os.path.isdir(os.path.join(machines, name))]


def read_machines(directory: str) -> Iterator[OldMachine | Unreadable]:
    """Every machine of a store of docker-machine's; of each that cannot be read, why."""
    for name in machine_names(directory):
        yield read_machine(os.path.abspath(directory), name)


def read_machine(directory: str, name: str) -> OldMachine | Unreadable:
    """One machine; never raises."""
    try:
        return _understood(directory, name, _document(directory, name))
    except OSError as error:
        return Unreadable(name, f"{error.filename}: {error.strerror}")
    except ValueError as error:
        return Unreadable(name, str(error))


def _document(directory: str, name: str) -> dict[str, Any]:
    place = os.path.join(directory, MACHINES, name)
    path = os.path.join(place, ORIGINAL)
    if not os.path.exists(path):
        path = os.path.join(place, CONFIG)
    with open(path, "rb") as file:
        data = file.read()
    if not data.strip():
        raise ValueError(f"{path} is empty: docker-machine lost it when a disk was full")
    try:
        document = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Driver"), dict):
        raise ValueError(f"{path} does not describe a machine")
    version = document.get("ConfigVersion", 0)
    if not isinstance(version, int) or version > NEWEST:
        raise ValueError(f"{path} has version {version}, and docker-machine's last one is {NEWEST}")
    return document


def _understood(directory: str, name: str, document: dict[str, Any]) -> OldMachine | Unreadable:
    driver = {**document["Driver"]}
    for inner in ("BaseDriver", "Driver"):  # some plugins nest it
        if isinstance(driver.get(inner), dict):
            driver = {**driver.pop(inner), **driver}
    kind = str(document.get("DriverName") or document.get("HostOptions", {}).get("Driver") or "")
    if not kind:
        return Unreadable(name, "its config.json names no driver")
    # Version 0 has the paths beside the driver; later ones have them among the host's options.
    options = document.get("HostOptions") or {}
    auth = {**document, **(options.get("AuthOptions") or {})}
    row = old_driver(kind)
    found = _Reading(directory, name, driver, options)
    certificates = {
        file: path
        for file, key in _CERTIFICATES.items()
        if (path := _file(found, file, str(auth.get(key) or ""))) is not None
    }
    address, port, url = _endpoint(found, kind)
    if not address:
        return Unreadable(name, "no address is recorded: its create was never finished")
    swarm = options.get("SwarmOptions") or {}
    notes = []
    if swarm.get("IsSwarm") or driver.get("SwarmMaster"):
        notes.append("the classic Swarm it was in is not taken over; Swarm mode is in the engine: docker swarm init")
    if len(certificates) < len(_CERTIFICATES):
        missing = ", ".join(sorted(set(_CERTIFICATES) - set(certificates)))
        notes.append(f"{missing} of its client is missing: it has no endpoint until `pymachine provision {name}`")
    virtualbox = kind == "virtualbox"  # a port of this computer is its port 22
    return OldMachine(
        name=name,
        directory=found.directory,
        driver=kind,
        id=str(driver.get(row.id if row and row.id else "MachineId") or "") or address,
        address=address,
        port=port,
        url=url,
        ssh_host=None if url is not None else "127.0.0.1" if virtualbox else address,
        ssh_port=_number(driver.get("SSHPort"), 22),
        ssh_user=str(driver.get("SSHUser") or (row.user if row else "root")),
        ssh_key=_file(found, "id_rsa", str(driver.get("SSHKeyPath") or driver.get("SSHKey") or "")),
        certificates=certificates,
        engine=_engine(options.get("EngineOptions") or {}),
        tls_san=tuple(map(str, auth.get("ServerCertSANs") or ())),
        places={key: str(driver[key]) for key in _PLACES if isinstance(driver.get(key), str) and driver[key]},
        secrets=tuple(sorted(key for key, value in driver.items() if value and isinstance(value, str)
                             and _SECRET.search(key) and not key.endswith("Path"))),
        continued=continued(kind, driver),
        notes=tuple(notes),
    )  # fmt: skip


def is_local(driver: str) -> bool:
    """Whether docker-machine made this driver's machines on the computer it ran on."""
    row = old_driver(driver)
    return row is not None and row.now == LOCAL


def _file(found: _Reading, name: str, recorded: str) -> str | None:
    """Where a file of a machine is now: in its directory, at the same place below this store, or where it was."""
    tail = re.search(rf"(?:^|[/\\])(({MACHINES}|certs)[/\\].+)\Z", recorded)
    places = [os.path.join(found.directory, name)]
    if tail is not None:
        places.append(os.path.join(found.store, *re.split(r"[/\\]", tail[1])))
    if recorded:
        places.append(recorded)
    if name != "id_rsa":
        places.append(os.path.join(found.store, "certs", name))  # a machine of the driver none has none of its own
    return next((os.path.abspath(place) for place in places if os.path.isfile(place)), None)


def _endpoint(found: _Reading, kind: str) -> tuple[str, int, str | None]:
    """Address and port of the engine, and a URL that is all there is."""
    driver = found.driver
    if kind == "none":
        url = str(driver.get("URL") or driver.get("IPAddress") or "")
        parts = urllib.parse.urlsplit(url if "//" in url else f"tcp://{url}")
        port = parts.port or 2376
        return parts.hostname or "", port, f"tcp://{_in_url(parts.hostname or '')}:{port}"
    address = str(driver.get("IPAddress") or "").strip("[]")
    port = _number(driver.get("EnginePort") or driver.get("DockerPort"), 2376)
    return address or _address_in_certificate(found), port, None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _address_in_certificate(found: _Reading) -> str:
    """Some drivers asked their provider each time; what they were told then, the server's certificate says."""
    from cryptography import x509

    try:
        with open(os.path.join(found.directory, "server.pem"), "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return ""
    addresses = [str(each) for each in names.get_values_for_type(x509.IPAddress)]
    return next((each for each in addresses if is_address(each)), "")


def _number(value: Any, default: int) -> int:
    try:
        return int(value) or default
    except (TypeError, ValueError):
        return default


def _engine(options: Mapping[str, Any]) -> EngineSpec:
    """What docker-machine had set; it is shown, and not set again."""

    def texts(key: str) -> tuple[str, ...]:
        value = options.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    return EngineSpec(
        options=texts("ArbitraryFlags"),
        labels=texts("Labels"),
        insecure_registries=texts("InsecureRegistry"),
        registry_mirrors=texts("RegistryMirror"),
        environment=texts("Env"),
        storage_driver=str(options.get("StorageDriver") or "") or None,
    )
