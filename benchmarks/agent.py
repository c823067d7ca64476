"""What the agent takes of its host."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
from collections.abc import Iterator

from benchmarks.lab import Lab
from benchmarks.row import Row

_CLIENTS = 1000
_IDLE_SECONDS = 10


def cost(lab: Lab) -> Iterator[Row]:
    """Memory at the start and with a thousand clients, and processor time while these do nothing."""
    lab.host.run("systemctl restart pymachine-agent.service")
    yield Row(case="agent: memory at start", samples=[_memory(lab)], unit="MB", bar=30)
    with contextlib.ExitStack() as clients:
        _connect(lab, clients)
        yield Row(case="agent: with 1,000 idle clients", samples=[_memory(lab)], unit="MB", bar=60)
        first, second = _on_host(lab, f"cat /proc/$pid/schedstat; sleep {_IDLE_SECONDS}; cat /proc/$pid/schedstat")
        busy = (int(second.split()[0]) - int(first.split()[0])) / 1e9
        yield Row(case="agent: CPU with them, idle", samples=[100 * busy / _IDLE_SECONDS], unit="%", bar=0.2)


def _on_host(lab: Lab, command: str) -> list[str]:
    pid = "pid=$(systemctl show -p MainPID --value pymachine-agent.service)"
    return lab.host.run(f"{pid}; {command}").stdout.splitlines()


def _memory(lab: Lab) -> float:
    """Resident, in MB."""
    return int(_on_host(lab, "grep VmRSS /proc/$pid/status")[0].split()[1]) * 1024 / 1e6


def _connect(lab: Lab, clients: contextlib.ExitStack) -> None:
    """A thousand clients that have asked once and keep their connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    endpoint = lab.agent
    context = ssl.create_default_context(cafile=str(endpoint.certificates / "ca.pem"))
    context.load_cert_chain(str(endpoint.certificates / "cert.pem"), str(endpoint.certificates / "key.pem"))
    for _ in range(_CLIENTS):
        plain = socket.create_connection((endpoint.address, endpoint.port), timeout=10)
        client = clients.enter_context(context.wrap_socket(plain, server_hostname=endpoint.address))
        client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        while not client.recv(4096).endswith(b"OK"):
            pass
