"""Many hosts at once: `fleet apply` beside pyinfra, Ansible, and a pool of connections by hand."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.hosts import AGENTS_PORT, PEERS_PORT, Hosts
from benchmarks.lab import Lab
from benchmarks.row import Row
from benchmarks.timing import interleaved
from benchmarks.usage import Usage, used
from machine.bootstrap.bundle import agent_bundle
from machine.bootstrap.bytecode import agent_bytecode
from machine.bootstrap.session import PROTOCOL
from machine.bootstrap.stub import command as bootstrap_command
from machine.bootstrap.stub import preamble
from machine.model import EngineSpec
from machine.operations.enginesettings import wanted_engine
from machine.operations.many import WORKERS
from machine.trust.certificates import new_authority
from machine.trust.sshkeys import fingerprint, public_line

_PEERS = Path(__file__).with_name("peers")
_ENVIRONMENT = Path(__file__).parent.parent / ".venv-peers"
_PAYLOAD_BYTES = 200_000
_LEAST_TURNS = 3
_BY_HAND = "hand"  # the store that the machines made by hand say they are of


def apply(lab: Lab) -> Iterator[Row]:
    """`fleet apply` of so many hosts that exist, to verified endpoints."""
    hosts = lab.hosts
    peers = install_peers()
    contest = Contest(lab, hosts, peers)
    turns = max(lab.runs, _LEAST_TURNS)
    connections = contest.connections()
    cases: dict[str, Callable[[], float]] = {
        "ours": contest.ours, "pyinfra": contest.pyinfra, "hand": contest.hand,
    }  # fmt: skip
    samples = interleaved(turns, cases)
    ansible = [contest.ansible()]
    count = len(hosts.all)
    case = f"fleet apply, {count} generic hosts"
    yield Row(
        case=case, samples=samples["ours"], unit="s", bar=1.0,
        limit="pyinfra: file, unit, restart, port", limit_samples=samples["pyinfra"],
    )  # fmt: skip
    yield Row(
        case="  the same", samples=samples["ours"], unit="s", bar=0.1,
        limit="Ansible: the same as pyinfra", limit_samples=ansible,
    )  # fmt: skip
    yield Row(
        case="  the same", samples=samples["ours"], unit="s", bar=1.5,
        limit="by hand: the same bootstrap", limit_samples=samples["hand"],
    )  # fmt: skip
    yield Row(case="  its SSH connections per host", samples=[max(connections)], unit="", bar=1)
    yield Row(
        case="  its CPU", samples=[each.cpu for each in contest.usages["ours"]], unit="s", bar=2.0,
        limit="by hand", limit_samples=[each.cpu for each in contest.usages["hand"]],
    )  # fmt: skip
    yield Row(case="  its memory", samples=[max(each.megabytes for each in contest.usages["ours"])], unit="MB", bar=100)


@dataclass
class Contest:
    """Who does the work, each on hosts where nothing of it is done."""

    lab: Lab
    hosts: Hosts
    peers: Path  # where the peers' commands are
    usages: dict[str, list[Usage]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.payload = self.lab.directory / "server.py"
        self.payload.write_text(payload())

    def ours(self) -> float:
        """By pymachine."""
        names = [host.name for host in self.hosts.all]
        try:
            return self._timed("ours", self._apply(), self.lab.environ, AGENTS_PORT)
        finally:
            self.lab.run("rm", "-f", "-y", *names)

    def _apply(self) -> list[str]:
        file = self.lab.directory / "fleet.yaml"
        file.write_text(fleet_file(self.hosts))
        return [self.lab.pymachine, "fleet", "apply", "-y", str(file)]

    def connections(self) -> list[int]:
        """How many SSH connections one apply makes to each host, by what their servers have logged."""
        before = self.hosts.connections()
        self._timed("counted", self._apply(), self.lab.environ, AGENTS_PORT, memory=False)
        after = self.hosts.connections()
        self.lab.run("rm", "-f", "-y", *(host.name for host in self.hosts.all))
        return [late - early - 1 for early, late in zip(before, after, strict=True)]

    def pyinfra(self) -> float:
        """By pyinfra."""
        inventory = self.lab.directory / "inventory.py"
        inventory.write_text(pyinfra_inventory(self.hosts, self._data()))
        command = [str(self.peers / "pyinfra"), "-y", str(inventory), str(_PEERS / "deploy.py")]
        try:
            return self._timed("pyinfra", command, self._peers_environ(), PEERS_PORT)
        finally:
            self.hosts.clear_peers()

    def ansible(self) -> float:
        """By Ansible, with pipelining, one connection per host kept open between tasks, all hosts at once."""
        inventory = self.lab.directory / "inventory.json"
        inventory.write_text(ansible_inventory(self.hosts, self._data()))
        sockets = self.lab.fresh("ssh")
        sockets.mkdir()
        environ = {
            **self._peers_environ(),
            "ANSIBLE_HOME": str(self.lab.directory / "ansible"),
            "ANSIBLE_FORKS": str(len(self.hosts.all)),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            "ANSIBLE_SSH_ARGS": f"-F /dev/null -C -o ControlMaster=auto -o ControlPersist=60s -o "
            f"UserKnownHostsFile={self.hosts.known_hosts} -o StrictHostKeyChecking=yes",
        }
        command = [str(self.peers / "ansible-playbook"), "-i", str(inventory), str(_PEERS / "deploy.yml")]
        try:
            return self._timed("ansible", command, environ, PEERS_PORT, memory=False)
        finally:
            for each in sockets.iterdir():
                subprocess.run(
                    ["ssh", "-F", "/dev/null", "-O", "exit", "-S", each, "x"], capture_output=True, check=False
                )
            self.hosts.clear_peers()

    def hand(self) -> float:
        """By a pool of connections, and nothing else of pymachine than what it sends."""
        given = self.lab.directory / "hand.json"
        given.write_text(json.dumps(by_hand(self.hosts)))
        given.chmod(0o600)
        try:
            command = [sys.executable, str(_PEERS / "hand.py"), str(given)]
            return self._timed("hand", command, self.lab.environ, AGENTS_PORT)
        finally:
            self.hosts.clear_agents(_BY_HAND)

    def _peers_environ(self) -> dict[str, str]:
        return {**self.lab.environ, "LC_ALL": "C.UTF-8"}

    def _data(self) -> dict[str, str]:
        return {"payload": str(self.payload), "unit": str(_PEERS / "peer.service"), "port": str(PEERS_PORT)}

    def _timed(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], port: int, *, memory: bool = True
    ) -> float:
        usage = used(command, environ=environ, directory=self.lab.directory, memory=memory)
        self.usages.setdefault(name, []).append(usage)
        self.hosts.refuse_silent(port)
        return usage.seconds


def install_peers() -> Path:
    """The peers, in an environment of their own beside ours; kept for the next time.

    Raises:
        subprocess.CalledProcessError: they are not there, and cannot be had.
    """
    commands, wanted = _ENVIRONMENT / "bin", _PEERS / "requirements.txt"
    stamp = _ENVIRONMENT / "installed"
    if stamp.exists() and stamp.read_bytes() == wanted.read_bytes():
        return commands
    for command in (
        [sys.executable, "-m", "venv", str(_ENVIRONMENT)],
        [str(commands / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)],
    ):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            said = f"the peers of the fleet rows cannot be installed; is there a network?\n{done.stderr}"
            raise subprocess.CalledProcessError(done.returncode, command, stderr=said)
    stamp.write_bytes(wanted.read_bytes())
    return commands


def payload() -> str:
    """The peers' file: something that listens, of the size of an agent, and that does not compress."""
    server = (
        f"import socket\nlistener = socket.create_server(('', {PEERS_PORT}))\n"
        "while True:\n    listener.accept()[0].close()\n"
    )
    filler = "# " + secrets.token_hex((_PAYLOAD_BYTES - len(server)) // 2)
    return (server + filler)[:_PAYLOAD_BYTES]


def fleet_file(hosts: Hosts) -> str:
    """The fleet: one group of hosts that exist, all at once as far as pymachine does that by default."""
    options = {"ssh-user": "root", "ssh-key": str(hosts.key)}
    machines = {
        host.name: {"options": {"ip-address": host.address, "host-key": fingerprint(host.host_key)}}
        for host in hosts.all
    }
    document = {
        "fleet": "bench",
        "defaults": {"driver": "generic", "options": options},
        "groups": {"hosts": {"machines": machines}},
    }
    return json.dumps(document, indent=1)  # which is YAML


def pyinfra_inventory(hosts: Hosts, data: Mapping[str, str]) -> str:
    """An inventory as pyinfra takes it: Python."""
    of_all = {
        **data, "ssh_user": "root", "ssh_key": str(hosts.key), "ssh_known_hosts_file": str(hosts.known_hosts),
        "ssh_strict_host_key_checking": "yes",
    }  # fmt: skip
    return f"hosts = {[(host.address, of_all) for host in hosts.all]!r}\n"


def ansible_inventory(hosts: Hosts, data: Mapping[str, str]) -> str:
    """An inventory as Ansible takes it: YAML, and so JSON."""
    of_all = {
        **data, "ansible_user": "root", "ansible_ssh_private_key_file": str(hosts.key),
        "ansible_python_interpreter": "/usr/bin/python3",  # or it looks for one, on each host
    }  # fmt: skip
    return json.dumps({"all": {"hosts": {host.address: {} for host in hosts.all}, "vars": of_all}})


def by_hand(hosts: Hosts) -> dict[str, object]:
    """What `benchmarks.peers.hand` sends, ready made."""
    bundle, authority = agent_bundle(), new_authority(_BY_HAND)
    offer, agent = {**bundle.offer, "root": "/"}, bundle.data
    bytecode = agent_bytecode()
    if bytecode.magic == hosts.magic():  # it is sent unasked: they would ask for it
        offer, agent = {**offer, "bytecode": bytecode.offer}, agent + bytecode.data
    stdin = preamble({}, offer, may_install=True) + agent
    line = public_line(hosts.key.read_bytes())
    certificate = authority.certificate.decode()
    each = []
    for host in hosts.all:
        kind, data = host.host_key.split()[:2]
        names = [host.address, host.name, "localhost"]
        document = {
            "protocol": PROTOCOL, "action": "converge", "now": time.time(), "store": _BY_HAND, "machine": host.name,
            "operator": "somebody", "endpoint": {"port": AGENTS_PORT, "take": False},
            "engine": wanted_engine(EngineSpec(), changes=True), "environment": {}, "deadline": 120, "join": False,
            "authorized_key": {"user": "root", "key": line}, "certificate": {"ca": certificate, "names": names},
        }  # fmt: skip
        each.append(
            {"name": host.name, "address": host.address, "key_type": kind, "key_data": data, "names": names,
             "document": document}
        )  # fmt: skip
    return {
        "key": str(hosts.key), "ca": certificate, "ca_key": authority.key.decode(), "workers": WORKERS,
        "command": bootstrap_command(False), "stdin": base64.b64encode(stdin).decode(), "hosts": each,
    }  # fmt: skip
