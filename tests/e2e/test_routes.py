"""Where only port 22 is open the endpoint is reached through SSH, and a filtered port is told from a dead agent."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.command import PYMACHINE, Pymachine, debian_docker_client
from tests.e2e.test_generic import options
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host

pytestmark = pytest.mark.e2e

FILTERS = {"dropped": "DROP", "rejected": "REJECT --reject-with tcp-reset"}


def close_port(host: Host, how: str, port: int = 2376) -> None:
    """Let no packet from outside reach a port of a host."""
    host.run(f"iptables -I INPUT ! -i lo -p tcp --dport {port} -j {FILTERS[how]}")


@contextmanager
def tunnel(pymachine: Pymachine, name: str) -> Iterator[None]:
    """``pymachine tunnel NAME`` running."""
    running = subprocess.Popen(
        [PYMACHINE, "tunnel", name], env=pymachine.environ(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        assert "until Ctrl-C" in running.stdout.readline()
        yield
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
    assert running.returncode == 0


@pytest.mark.parametrize("how", FILTERS)
def test_a_filtered_endpoint_is_verified_and_used_through_ssh(
    pymachine: Pymachine, host_factory: HostFactory, how: str
) -> None:
    host = host_factory(kind="docker")
    close_port(host, how)
    made = pymachine("create", *options(host), "far1")
    assert "cannot be reached from here, and works through SSH" in made.stdout

    url = pymachine("url", "far1").stdout.strip()
    assert url.startswith("tcp://localhost:")
    assert "keep `pymachine tunnel far1` running" in pymachine("env", "--shell", "bash", "far1").stdout
    assert pymachine("status", "far1").stdout == "Running\n"
    with tunnel(pymachine, "far1"):
        environ = pymachine.docker_environ("far1")
        assert environ["DOCKER_HOST"] == url
        docker = debian_docker_client()
        subprocess.run([docker, "version"], env=environ, check=True, stdout=subprocess.DEVNULL)
    pymachine("rm", "-y", "far1")


def test_a_port_that_is_opened_later_is_reached_directly_again(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    close_port(host, "rejected")
    pymachine("create", *options(host), "far2")
    host.run("iptables -F INPUT")
    pymachine("provision", "far2")
    assert pymachine("url", "far2").stdout == f"tcp://{host.address}:2376\n"
    assert "tunnel" not in pymachine("env", "--shell", "bash", "far2").stdout


def test_a_dead_agent_is_not_taken_for_a_filtered_port(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    pymachine("create", *options(host), "dead1")
    # Nobody gets through to the agent, from inside neither.
    host.run("iptables -I INPUT -p tcp --dport 2376 -j REJECT --reject-with tcp-reset")
    refused = pymachine("provision", "dead1", code=1)
    assert "endpoint" in refused.stderr
    assert "pymachine-agent.socket" in refused.stderr
    assert pymachine("url", "dead1").stdout == f"tcp://{host.address}:2376\n"
