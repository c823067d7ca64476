"""Where everything is and what it is called: pure, so that a name is decided in one place.

Every name that all of the computer can see (interface, control group, firewall comment) is made here from the
machine's id or from the label, and says whose it is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "PYMACHINE_NSPAWN_ROOT"
CACHE_VARIABLE = "PYMACHINE_NSPAWN_CACHE"

_STATE = "var/lib/pymachine/nspawn"
_RUN = "run/pymachine/nspawn"
_CACHE = "var/cache/pymachine/nspawn"


def instance_id(token: str) -> str:
    """The id of the machine that this token makes: the same token, the same machine.

    It also names the machine's network interface, which must not be longer than 15 characters.
    """
    return "pm-" + hashlib.sha256(token.encode()).hexdigest()[:12]


def machine_id(token: str) -> str:
    """The machine's ``/etc/machine-id``: stable, and different for each machine over the same base."""
    return hashlib.sha256(b"machine-id\0" + token.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places and names of one set of machines; there is one per computer, and more of them only in tests."""

    state: Path  # survives a reboot
    run: Path  # does not
    cache: Path  # bases; can be made again
    label: str  # control group and firewall comment
    bridge: str  # at most 15 characters

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Layout:
        """The layout of this computer, or of the directory that ``PYMACHINE_NSPAWN_ROOT`` names."""
        cache = Path(environ.get(CACHE_VARIABLE) or Path("/", _CACHE))
        prefix = environ.get(ROOT_VARIABLE)
        if not prefix:
            return cls(
                state=Path("/", _STATE), run=Path("/", _RUN), cache=cache, label="pymachine", bridge="pymachine0"
            )
        root = Path(prefix).absolute()
        mark = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
        return cls(
            state=root / _STATE, run=root / _RUN, cache=cache, label=f"pymachine-{mark}", bridge=f"pymach-{mark}"
        )

    @property
    def machines(self) -> Path:
        """One directory per machine."""
        return self.state / "machines"

    @property
    def network(self) -> Path:
        """What all machines share: the subnet, and this computer's settings before the first of them."""
        return self.state / "network.json"

    @property
    def users(self) -> Path:
        """One link per set of machines that uses the cache, to its state directory; named by its label."""
        return self.cache / "users"

    def base_lock(self, name: str) -> Path:
        """Held by whoever makes a base, takes it into use or drops it."""
        return self.cache / "locks" / name

    def place(self, id: str) -> Place:
        """The directory of one machine."""
        return Place(directory=self.machines / id, leader=self.run / f"{id}.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The files of one machine."""

    directory: Path
    leader: Path  # which process it is, while it runs

    @property
    def record(self) -> Path:
        """Written before anything else of the machine is made."""
        return self.directory / "instance.json"

    @property
    def upper(self) -> Path:
        """What the machine changed of its base."""
        return self.directory / "upper"

    @property
    def work(self) -> Path:
        """The overlay's own scratch directory."""
        return self.directory / "work"

    @property
    def merged(self) -> Path:
        """The mount point of the root file system; mounted only in the machine's own mount namespace."""
        return self.directory / "root"

    @property
    def binds(self) -> Mapping[str, Path]:
        """Directories that must not lie on the overlay, or the engine inside cannot use an overlay of its own."""
        return {"/var/lib/docker": self.directory / "docker", "/var/lib/containerd": self.directory / "containerd"}

    @property
    def host_key(self) -> Path:
        """The machine's SSH host key on its way into the machine; the private half goes once it is there."""
        return self.directory / "ssh_host_ed25519_key"

    @property
    def console(self) -> Path:
        """What the machine's boot said."""
        return self.directory / "console.log"
