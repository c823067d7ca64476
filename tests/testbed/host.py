"""Booted Debian systems that pymachine has not touched inside: what ``create -d generic`` is pointed at.

They are the nspawn driver's machines without the bootstrap. ``docker`` has the engine and Python; ``bare`` has neither,
just systemd, sshd, apt and sudo; ``cloud`` is that with Python and cloud-init, which finds no data as it is.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine.driver import HostIdentity, resolve_options
from machine.drivers.nspawn import NspawnDriver, base, layout, precheck
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.mmdebstrap import Recipe
from machine.model import Instance, Spec
from machine.testing.recorder import ListRecorder

BARE_PACKAGES = ("systemd-sysv", "dbus", "openssh-server", "iproute2", "sudo")
CLOUD_PACKAGES = (*BARE_PACKAGES, "python3", "cloud-init")
STORE = "testbed"


@dataclass(frozen=True, kw_only=True)
class User:
    """An account beside root."""

    name: str
    authorized_keys: Sequence[str] = ()
    sudo: str = "nopasswd"  # nopasswd, password (it has none: sudo always fails) or none


@dataclass(frozen=True, kw_only=True)
class Host:
    """A running host; root's own key of this host is in ``identity_file``."""

    name: str
    instance: Instance
    identity_file: Path
    driver: NspawnDriver = field(repr=False)

    @property
    def address(self) -> str:
        """Where its port 22 is."""
        return self.instance.address

    @property
    def host_key(self) -> str:
        """Its public SSH host key: ``ssh-ed25519 AAAA…``."""
        return self.instance.access.host_keys[0]

    @property
    def upper(self) -> Path:
        """What it changed of its base, as a directory on this computer."""
        return Layout.of().place(self.instance.id).upper

    @property
    def base(self) -> Path:
        """The root file system below it."""
        return Path(self.instance.data["base"])

    def ssh(self, *command: str, user: str = "root", identity_file: Path | None = None) -> list[str]:
        """The ``ssh`` command line, with the host key pinned and no configuration of the operator's."""
        known_hosts = self.identity_file.with_name(f"known_hosts.{self.instance.id}")
        known_hosts.write_text(f"{self.address} {self.host_key}\n")
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "LogLevel=ERROR"]
        options.append(f"UserKnownHostsFile={known_hosts}")
        flags = [part for option in options for part in ("-o", option)]
        key = str(identity_file or self.identity_file)
        return ["ssh", "-F", "/dev/null", "-i", key, *flags, f"{user}@{self.address}", *command]

    def run(
        self, command: str, *, user: str = "root", identity_file: Path | None = None, input: str | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a shell command on the host; a failure is the test's unless ``check`` is off."""
        done = subprocess.run(
            self.ssh(command, user=user, identity_file=identity_file), input=input, capture_output=True, text=True,
            stdin=None if input is not None else subprocess.DEVNULL, check=False, timeout=120,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {command!r} exits {done.returncode}: {done.stderr or done.stdout}")
        return done

    def stop(self) -> None:
        """Shut it down in order."""
        self.driver.stop(self.instance, ListRecorder())

    def start(self) -> None:
        """Boot it again, at the same address and with the same host key."""
        self.driver.start(self.instance, ListRecorder())

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.driver.kill(self.instance, ListRecorder())

    def remove(self) -> None:
        """Remove it; twice is fine."""
        self.driver.remove(self.instance.id, self.instance.data, ListRecorder())
        shutil.rmtree(self.identity_file.parent, ignore_errors=True)


def make_host(
    *,
    kind: str = "docker",
    authorized_keys: Sequence[str] = (),
    user: User | None = None,
    name: str | None = None,
    cpus: float | None = None,
    memory: int | None = None,
) -> Host:
    """Boot a host.

    Args:
        kind: ``docker`` (engine and Python inside), ``bare`` (neither) or ``cloud`` (cloud-init, and no engine).
        authorized_keys: public keys, one OpenSSH line each, that log in as root beside the host's own.
        user: another account.
        name: its host name; a fresh one when it is left out.
        cpus: limit of processor time, in processors.
        memory: limit, in bytes.
    """
    driver = NspawnDriver()
    name = name or f"host-{uuid.uuid4().hex[:6]}"
    secrets = Path(tempfile.mkdtemp(prefix="pymachine-testbed-"))
    identity = make_key(secrets / "id_ed25519")
    given = {"cpus": cpus, "memory": memory}
    options = resolve_options(driver, {key: value for key, value in given.items() if value is not None}, {})
    owner = HostIdentity(store=STORE, authorized_key=identity)
    request = driver.check(Spec(name=name, driver=driver.name), options, owner)
    if kind != "docker":
        request["base"] = base_of({"bare": BARE_PACKAGES, "cloud": CLOUD_PACKAGES}[kind])
    token = uuid.uuid4().hex
    try:
        instance = driver.create(request, token, ListRecorder())
    except BaseException:
        driver.remove(layout.instance_id(token), {}, ListRecorder())
        shutil.rmtree(secrets, ignore_errors=True)
        raise
    host = Host(name=name, instance=instance, identity_file=secrets / "id_ed25519", driver=driver)
    if authorized_keys or user is not None:
        _let_in(host, authorized_keys, user)
    return host


def bare_base() -> dict[str, object]:
    """The base of a ``bare`` host, as it stands in a request."""
    return base_of(BARE_PACKAGES)


def base_of(packages: tuple[str, ...]) -> dict[str, object]:
    """A base with these packages, as it stands in a request."""
    recipe = Recipe(suite=precheck.own_suite(), architecture=precheck.architecture(), include=packages)
    return base.of_recipe(recipe)


def make_key(path: Path) -> str:
    """Make an SSH key pair without a passphrase; its public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


def _let_in(host: Host, authorized_keys: Sequence[str], user: User | None) -> None:
    lines = ["set -e"]
    if authorized_keys:
        lines.append(f"printf '%s\\n' {shlex.join(authorized_keys)} >>/root/.ssh/authorized_keys")
    if user is not None:
        home = f"/home/{user.name}"
        lines += [
            f"useradd --create-home --shell /bin/bash {user.name}",
            f"install -d -m 700 -o {user.name} -g {user.name} {home}/.ssh",
            f"printf '%s\\n' {shlex.join(user.authorized_keys)} >{home}/.ssh/authorized_keys",
            f"chown {user.name}: {home}/.ssh/authorized_keys && chmod 600 {home}/.ssh/authorized_keys",
        ]
        if user.sudo != "none":
            grant = "NOPASSWD:ALL" if user.sudo == "nopasswd" else "ALL"
            lines.append(f"printf '%s\\n' '{user.name} ALL=(ALL:ALL) {grant}' >/etc/sudoers.d/{user.name}")
            lines.append(f"chmod 440 /etc/sudoers.d/{user.name}")
    host.run("\n".join(lines))
