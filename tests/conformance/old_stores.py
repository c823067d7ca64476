"""Stores as docker-machine writes them: config.json of each of its versions, with the certificates beside it."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.conformance.authorities import rsa_authority, rsa_leaf

HOME = "/home/ada/.docker/machine"  # what its absolute paths say, wherever the store is now
ADDRESS = "192.0.2.7"


class OldStore:
    """A directory of docker-machine's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        certs = directory / "certs"
        self.authority = rsa_authority(certs)
        rsa_leaf(certs, self.authority, ("cert.pem", "key.pem"))

    def machine(self, name: str, document: dict[str, Any], *, address: str = ADDRESS, files: bool = True) -> Path:
        """Write a machine's directory."""
        place = self.directory / "machines" / name
        place.mkdir(parents=True)
        text = json.dumps(document, indent=4).replace("$STORE", HOME).replace("$NAME", name)
        (place / "config.json").write_text(text)
        (place / "config.json").chmod(0o600)
        if files:
            rsa_leaf(place, self.authority, ("server.pem", "server-key.pem"), address=address)
            for file in ("ca.pem", "cert.pem", "key.pem"):
                (place / file).write_bytes((self.directory / "certs" / file).read_bytes())
            for file, content in _ssh_key().items():
                (place / file).touch(0o600)
                (place / file).write_bytes(content)
        return place

    def snapshot(self) -> dict[str, tuple[int, bytes]]:
        """All that is in it, with modes."""
        return {
            str(path.relative_to(self.directory)): (path.stat().st_mode, path.read_bytes())
            for path in sorted(self.directory.rglob("*"))
            if path.is_file()
        }


@functools.lru_cache
def _ssh_key() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "id_rsa"
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", path], check=True)
        return {each.name: each.read_bytes() for each in Path(directory).iterdir()}


def driver(kind: str = "generic", **fields: Any) -> dict[str, Any]:
    """The fields of a driver, those of every driver first."""
    base = {
        "IPAddress": ADDRESS,
        "MachineName": "$NAME",
        "SSHUser": "root",
        "SSHPort": 22,
        "SSHKeyPath": "$STORE/machines/$NAME/id_rsa",
        "StorePath": "$STORE",
        "SwarmMaster": False,
        "SwarmHost": "tcp://0.0.0.0:3376",
        "SwarmDiscovery": "",
    }
    own = {"EnginePort": 2376, "SSHKey": "/home/ada/.ssh/id_rsa"} if kind == "generic" else {}
    return {**base, **own, **fields}


def version_3(kind: str = "generic", *, labels: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """As 0.16 writes it."""
    return {
        "ConfigVersion": 3,
        "Driver": driver(kind, **fields),
        "DriverName": kind,
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": {
                "ArbitraryFlags": ["log-driver=journald", "tlsverify"],
                "Dns": None,
                "GraphDir": "",
                "Env": [],
                "Ipv6": False,
                "InsecureRegistry": [],
                "Labels": list(labels),
                "LogLevel": "",
                "StorageDriver": "overlay2",
                "SelinuxEnabled": False,
                "TlsVerify": True,
                "RegistryMirror": [],
                "InstallURL": "https://get.docker.com",
            },
            "SwarmOptions": {"IsSwarm": False, "Master": False, "Image": "swarm:latest"},
            "AuthOptions": {**_auth(), "StorePath": "$STORE/machines/$NAME", "ServerCertSANs": ["web.example.org"]},
        },
        "Name": "$NAME",
    }


def version_2(kind: str = "generic", **fields: Any) -> dict[str, Any]:
    """The driver's store path was the machine's own directory."""
    document = version_3(kind, **fields)
    document["ConfigVersion"] = 2
    document["Driver"]["StorePath"] = "$STORE/machines/$NAME"
    return document


def version_1(kind: str = "generic", **fields: Any) -> dict[str, Any]:
    """The key of the authority was called otherwise, and the store path stood at the top."""
    document = version_2(kind, **fields)
    auth = document["HostOptions"]["AuthOptions"]
    auth["PrivateKeyPath"] = auth.pop("CaPrivateKeyPath")
    return {**document, "ConfigVersion": 1, "StorePath": "$STORE/machines/$NAME"}


def version_0(kind: str = "generic", **fields: Any) -> dict[str, Any]:
    """No version, no name, and everything at the top."""
    own = driver(kind, **fields)
    del own["SSHKeyPath"]
    return {
        "DriverName": kind,
        "Driver": own,
        "StorePath": "$STORE/machines/$NAME",
        "CaCertPath": "$STORE/certs/ca.pem",
        "PrivateKeyPath": "$STORE/certs/ca-key.pem",
        "ServerCertPath": "$STORE/machines/$NAME/server.pem",
        "ServerKeyPath": "$STORE/machines/$NAME/server-key.pem",
        "ClientCertPath": "$STORE/certs/cert.pem",
        "SwarmMaster": False,
        "SwarmHost": "tcp://0.0.0.0:3376",
        "SwarmDiscovery": "",
    }


VERSIONS = (version_0, version_1, version_2, version_3)


def _auth() -> dict[str, Any]:
    return {
        "CertDir": "$STORE/certs",
        "CaCertPath": "$STORE/certs/ca.pem",
        "CaPrivateKeyPath": "$STORE/certs/ca-key.pem",
        "CaCertRemotePath": "",
        "ServerCertPath": "$STORE/machines/$NAME/server.pem",
        "ServerKeyPath": "$STORE/machines/$NAME/server-key.pem",
        "ClientKeyPath": "$STORE/certs/key.pem",
        "ServerCertRemotePath": "",
        "ServerKeyRemotePath": "",
        "ClientCertPath": "$STORE/certs/cert.pem",
    }
