"""Make a host fit to be an image: what makes it this machine and no other goes, what was installed stays.

Afterwards nobody can log in, and it has no host key: the last conversation with this host. The first boot of a host
that is made from the image makes all of that anew, and the next converge finds the agent's files and the engine.
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil

from machine.agent.converge import authorized, service
from machine.agent.converge.packages import await_cloud_init
from machine.agent.converge.state import State
from machine.agent.errors import Failed
from machine.agent.host import DIRECTORY, Host
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Of what the agent remembers: nothing that says whose host it is.
_STAYS = ("agent", "engine", "installed")
_OUR_FILES = ("agents", "current", "state.json")
_ENGINE_UNITS = ("docker.socket", "docker.service", "containerd.service")
# By which an engine is told from another one: its id (two places, by its age), the ids of its networks, containerd's.
_ENGINES_IDENTITY = (
    "/var/lib/docker/engine-id",
    "/etc/docker/key.json",
    "/var/lib/docker/network/files/local-kv.db",
    "/var/lib/containerd/io.containerd.grpc.v1.introspection/uuid",
)
_CONTAINERS = "/var/lib/docker/containers"
_IN_HOMES = (
    ".ssh/authorized_keys", ".ssh/authorized_keys2", ".bash_history", ".sh_history", ".ash_history", ".zsh_history",
    ".python_history", ".lesshst", ".viminfo",
)  # fmt: skip
# systemd's BUILDING_IMAGES.md, and what else a first boot makes where it is missing.
_SECRETS = (
    "/etc/ssh/ssh_host_*",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/boot/efi/loader/random-seed",
    "/efi/loader/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/dbus/machine-id",
    "/var/lib/dhcp/*",
    "/var/lib/NetworkManager/*lease",
    "/var/lib/NetworkManager/secret_key",
)
_SEED_UNIT = "systemd-random-seed.service"
_MACHINE_ID = "/etc/machine-id"
_HOST_NAME = "/etc/hostname"
_LOGS = "/var/log"
_JOURNAL = "/var/log/journal"


def clean(host: Host, wire: Wire, store: str, machine: str) -> dict[str, Any]:
    """Take away all that must not be on two hosts; the result for the operator.

    Raises:
        Failed: ``clean``: something of it cannot go, or is not ours to take; ``other-store``, ``other-machine``.
    """
    wire.begin("clean")
    state = State.load(host)
    state.check_owner(store, machine)
    _refuse(host, state)
    await_cloud_init(host, wire)  # what it is at would else come after us
    # Cut off from here on, the host is good for nothing any more; the operator knows that by this line.
    wire.progress("stopping the agent and the engine")
    _stop_agent(host)
    _engine(host)
    # By cloud-init's own means: it would else take the new host for this one, and not look at its user data.
    ran = host.run("cloud-init", "clean", "--logs", "--seed")
    if ran.code not in (0, 127):
        raise Failed("clean", "cloud-init on the host does not forget this host", ran.last_words())
    _own_files(host, state)
    wire.progress("removing keys, identity and logs")
    host.run("systemctl", "stop", _SEED_UNIT)  # which writes it: after this, the shutdown does not write it again
    _logs(host)
    for pattern in _SECRETS:
        for path in glob.glob(host.path(pattern)):
            host.remove(path)
    _truncate(host.path(_MACHINE_ID))  # and not removed: a first boot fills in one that is empty
    host.write(host.path(_HOST_NAME), b"localhost\n")  # as there is none; the new host is told its own
    _homes(host)
    os.sync()
    wire.done("nothing of this machine is left on the host")
    return {"kept": sorted(os.listdir(host.path(DIRECTORY)))}


def _refuse(host: Host, state: State) -> None:
    if state.values.get("members"):
        raise Failed("clean", "the host is used by several stores")
    if state.get("settings") or state.get("changing"):
        raise Failed("clean", "the engine on the host has settings that were made for this machine")
    try:
        containers = os.listdir(host.path(_CONTAINERS))
    except OSError:
        return
    if containers:
        raise Failed("clean", f"there are {len(containers)} containers on the host", hint="remove them: docker rm")


def _stop_agent(host: Host) -> None:
    host.run("systemctl", "disable", "-q", "--now", service.SOCKET, service.SERVICE)
    for name in (service.SOCKET, service.SERVICE):
        host.remove(service.unit_path(host, name))
    host.run("systemctl", "daemon-reload")


def _engine(host: Host) -> None:
    ran = host.run("systemctl", "stop", *_ENGINE_UNITS)
    if ran.code not in (0, 5):  # 5: one of them does not exist
        raise Failed("clean", "the engine on the host does not stop", ran.last_words())
    for path in _ENGINES_IDENTITY:
        host.remove(host.path(path))


def _own_files(host: Host, state: State) -> None:
    """The agent under its hash stays, and where the engine came from; key, certificate, CA and owner go."""
    state.update({name: None for name in state.values if name not in _STAYS})
    for name in os.listdir(host.path(DIRECTORY)):
        if name not in _OUR_FILES:
            path = host.own(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                host.remove(path)


def _logs(host: Host) -> None:
    host.run("journalctl", "--relinquish-var")  # into memory, until it is powered off
    for name in glob.glob(os.path.join(host.path(_JOURNAL), "*")):
        shutil.rmtree(name, ignore_errors=True)
    for directory, _, names in os.walk(host.path(_LOGS)):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path) and not os.path.islink(path):
                _truncate(path)


def _homes(host: Host) -> None:
    """Who may log in and what was typed, of every account; as that account, for its files may be links."""
    homes: dict[str, str] = {}
    for account in pwd.getpwall():
        homes.setdefault(account.pw_dir, account.pw_name)
    for home, user in homes.items():
        place = host.path(home)
        if home.strip("/") and any(os.path.lexists(os.path.join(place, name)) for name in _IN_HOMES):
            authorized.forget_files(host, user, _IN_HOMES)


def _truncate(path: str) -> None:
    try:
        os.truncate(path, 0)
    except FileNotFoundError:
        pass
