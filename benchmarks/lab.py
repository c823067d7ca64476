"""What the cases share: the installed command, a store, a host, its endpoints. All of it goes at the end."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hosts import Hosts, booted
from machine.drivers.nspawn.layout import ROOT_VARIABLE, Layout
from machine.store.location import DATABASE
from tests.testbed.host import Host, make_host
from tests.testbed.leftovers import leftovers

_TESTBED = Path(__file__).parent.parent / "tests" / "testbed"
_OPERATORS = ("DOCKER_", "MACHINE_", "GENERIC_", "XDG_", "PYTHON")
MACHINE = "bench"
DOCKERDS_PORT = 3376
_AGENT = "/var/lib/pymachine-agent"
_DISK_BYTES = 512 << 20


class NotNormal(Exception):
    """The installation is not what a user has."""


def pymachine_command() -> str:
    """The installed command, the script's wrapper included.

    Raises:
        NotNormal: it is not there, or editable.
    """
    command = Path(sys.executable).with_name("pymachine")
    if not command.exists() or not Path(sysconfig.get_path("purelib"), "machine", "hot.py").exists():
        raise NotNormal(f"{command.parent} holds no normal installation of pymachine; run: make bench")
    return str(command)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a docker client goes, and the environment that sends it there."""

    address: str
    port: int
    environ: Mapping[str, str]
    certificates: Path


@contextlib.contextmanager
def _journalled(directory: Path) -> Iterator[None]:
    """``directory/disk``: a file system as an operator's home has it, for the store: ext4 with its journal.

    One without (as virtual machines may have it) looks for every new file at all that were deleted in the last five
    minutes, and between two runs machines by the dozen are: 0.3 ms of a processor for a file, in place of 0.01.
    """
    image, disk = directory / "disk.img", directory / "disk"
    disk.mkdir(mode=0o700)
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    for command in (["mkfs.ext4", "-q", "-F", image], ["mount", "-o", "loop", image, disk]):
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", disk], stdin=subprocess.DEVNULL, check=True)


class Lab:
    """Use it as a context manager: what is in it is made when it is first used, and removed at the end."""

    def __init__(self, runs: int, fleet: int = 50) -> None:
        self.runs = runs
        self.fleet = fleet
        self.pymachine = pymachine_command()
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Lab:
        # /var/tmp: an engine inside keeps its layers below, and /tmp may lie in memory.
        self.directory = Path(tempfile.mkdtemp(prefix="pymachine-bench-", dir="/var/tmp"))
        self._exit.callback(shutil.rmtree, self.directory, ignore_errors=True)
        os.environ[ROOT_VARIABLE] = str(self.directory / "nspawn")  # machines of our own, apart from all others
        (self.directory / "home").mkdir(mode=0o700)
        self._exit.enter_context(_journalled(self.directory))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OPERATORS)}
        kept.pop("SSH_AUTH_SOCK", None)
        store = str(self.directory / "disk" / "store")
        self.environ = {**kept, "HOME": str(self.directory / "home"), "PYMACHINE_HOME": store}
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    @property
    def database(self) -> Path:
        """The store's."""
        return self.directory / "disk" / "store" / DATABASE

    def left(self) -> list[str]:
        """What of ours is on this computer; to be called at the end."""
        found = [line for line in leftovers(Layout.of()) if str(self.directory) in line]
        return found + ([str(self.directory)] if self.directory.exists() else [])

    def run(self, *arguments: str) -> str:
        """Run a ``pymachine`` command; what it printed."""
        done = subprocess.run(
            [self.pymachine, *arguments], env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, ["pymachine", *arguments], stderr=done.stderr)
        return done.stdout

    def at_the_end(self, *command: str) -> None:
        """Run this when all is removed, whatever happened."""
        self._exit.callback(
            subprocess.run, command, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )

    @functools.cached_property
    def host(self) -> Host:
        """A booted host with an engine, which pymachine has not touched."""
        host = make_host(kind="docker", name="bench-host")
        self._exit.callback(host.remove)
        host.run("for try in $(seq 200); do docker info >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1")
        return host

    @functools.cached_property
    def hosts(self) -> Hosts:
        """Many such hosts."""
        return self._exit.enter_context(booted(self.fleet, self.directory))

    def create_generic(self) -> list[str]:
        """The command line that makes the host a machine."""
        return [
            self.pymachine, "create", "-d", "generic", "--generic-ip-address", self.host.address,
            "--generic-ssh-key", str(self.host.identity_file), MACHINE,
        ]  # fmt: skip

    def with_machine(self) -> None:
        """Let the host be a machine."""
        if MACHINE not in self.run("ls", "-q").split():
            self.run(*self.create_generic()[1:])

    def without_machine(self) -> None:
        """Let the host be a host only."""
        if MACHINE in self.run("ls", "-q").split():
            self.run("rm", "-f", "-y", MACHINE)

    @functools.cached_property
    def agent(self) -> Endpoint:
        """The agent's endpoint on the host; from here on it stays a machine."""
        self.with_machine()
        return self._endpoint(2376)

    @functools.cached_property
    def dockerd(self) -> Endpoint:
        """The same engine's own TLS, on a second port, with the agent's key and certificate."""
        endpoint = self.agent
        options = (
            f"-H tcp://0.0.0.0:{DOCKERDS_PORT} --tlsverify --tlscacert={_AGENT}/ca.pem --tlscert={_AGENT}/cert.pem"
            f" --tlskey={_AGENT}/key.pem"
        )
        self.host.run(f"echo 'DOCKER_OPTS=\"{options}\"' >/etc/default/docker && systemctl restart docker")
        self.docker(endpoint, "info")
        return self._endpoint(DOCKERDS_PORT)

    def _endpoint(self, port: int) -> Endpoint:
        certificates = self.directory / "disk" / "store" / "machines" / MACHINE
        environ = {
            **self.environ,
            "DOCKER_HOST": f"tcp://{self.host.address}:{port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(certificates),
        }
        return Endpoint(address=self.host.address, port=port, environ=environ, certificates=certificates)

    @functools.cached_property
    def client(self) -> str:
        """A stock docker client."""
        found = shutil.which("docker")
        if found is None:
            script = str(_TESTBED / "docker-client.sh")
            found = subprocess.run([script], capture_output=True, text=True, check=True).stdout.strip()
        return found

    def docker(self, endpoint: Endpoint, *arguments: str) -> str:
        """Run a docker command; what it printed."""
        done = subprocess.run(
            [self.client, *arguments], env=endpoint.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, ["docker", *arguments], stderr=done.stderr)
        return done.stdout

    @functools.cached_property
    def image(self) -> str:
        """An image with busybox, in the host's engine."""
        path = self.directory / "busybox.tar"
        subprocess.run([str(_TESTBED / "busybox-image.sh"), str(path)], env=os.environ, check=True)
        self.docker(self.agent, "import", str(path), "busybox:bench")
        return "busybox:bench"

    def fresh(self, name: str) -> Path:
        """A directory that does not exist yet."""
        return self.directory / f"{name}-{uuid.uuid4().hex[:8]}"
