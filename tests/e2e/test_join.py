"""Two stores use one host together: real clients of both, and each leaves without the other noticing."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Pymachine, debian_docker_client
from tests.e2e.conftest import _remove_all
from tests.e2e.test_generic import options
from tests.testbed.fixtures import HostFactory
from tests.testbed.snapshot import difference, snapshot

pytestmark = pytest.mark.e2e
# Hosts come first among a test's fixtures, so that machines are removed while they are there.


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pymachine]:
    """Another operator, with a store of their own."""
    command = Pymachine(tmp_path_factory.mktemp("second"))
    yield command
    _remove_all(command)


def works(pymachine: Pymachine, name: str) -> bool:
    """Whether a docker client of this store is let in, and knows the endpoint."""
    environ = pymachine.docker_environ(name)
    asked = [debian_docker_client(), "version", "-f", "{{.Server.Version}}"]
    return subprocess.run(asked, env=environ, capture_output=True, check=False).returncode == 0


def authority(path: Path) -> str:
    return ssl.PEM_cert_to_DER_cert(path.read_text()).hex()


def test_two_stores_use_a_host_together_and_each_leaves_alone(
    host_factory: HostFactory, pymachine: Pymachine, second: Pymachine
) -> None:
    host = host_factory(kind="docker")
    host.run("docker info >/dev/null")
    before = snapshot(host)
    pymachine("create", *options(host), "mine")
    refused = second("create", *options(host), "theirs", code=1)
    assert "already the machine 'mine' of another store" in refused.stderr
    assert "--join" in refused.stderr
    second("rm", "-y", "theirs", code=None)
    second("rm", "-f", "theirs", code=None)

    started = host.run("systemctl show -p ActiveEnterTimestampMonotonic pymachine-agent.service docker.service").stdout
    joined = second("create", "--join", *options(host), "theirs")
    assert "together with store" in joined.stdout
    assert works(pymachine, "mine")
    assert works(second, "theirs")
    # It knows the endpoint by the owner's CA, and is known by its own.
    assert authority(second.store / "machines/theirs/ca.pem") == authority(pymachine.store / "certs/ca.pem")
    for each, name in ((pymachine, "mine"), (second, "theirs")):
        each("provision", name)
        assert each("status", name).stdout == "Running\n"
        assert works(each, name)
    now = host.run("systemctl show -p ActiveEnterTimestampMonotonic pymachine-agent.service docker.service").stdout
    assert now == started, "nothing was restarted for it"

    # The owner leaves first: the other one goes on at once, and takes over at its next provision.
    left = pymachine("rm", "-y", "mine")
    assert "kept on the host: the agent, for the machine theirs" in left.stdout
    assert works(second, "theirs")
    provisioned = second("provision", "theirs")
    assert "together with" not in provisioned.stdout
    assert authority(second.store / "machines/theirs/ca.pem") == authority(second.store / "certs/ca.pem")
    assert works(second, "theirs")
    second("rm", "-y", "theirs")
    assert difference(before, snapshot(host)) == {}


def test_who_has_left_is_let_in_no_more(host_factory: HostFactory, pymachine: Pymachine, second: Pymachine) -> None:
    host = host_factory(kind="docker")
    pymachine("create", *options(host), "mine")
    second("create", "--join", *options(host), "theirs")
    environ = second.docker_environ("theirs")
    kept = Path(environ["DOCKER_CERT_PATH"])
    copy = kept.parent.parent / "copy"
    subprocess.run(["cp", "-r", kept, copy], check=True)
    asked = [debian_docker_client(), "version"]
    again = {**environ, "DOCKER_CERT_PATH": str(copy)}
    assert subprocess.run(asked, env=again, capture_output=True, check=False).returncode == 0
    second("rm", "-y", "theirs")
    assert subprocess.run(asked, env=again, capture_output=True, check=False).returncode != 0
    assert works(pymachine, "mine")
    assert host.run("grep -c pymachine: /root/.ssh/authorized_keys").stdout == "1\n"


def test_an_address_the_owner_s_certificate_does_not_name_is_said_with_what_to_do(
    host_factory: HostFactory, pymachine: Pymachine, second: Pymachine
) -> None:
    host = host_factory(kind="docker")
    pymachine("create", *options(host), "mine")
    other = host.address.rpartition(".")[0] + ".251"
    host.run(f"ip address add {other}/24 dev $(ip -o route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/')")
    flags = [flag.replace(host.address, other) for flag in options(host)]
    refused = second("create", "--join", *flags, "theirs", code=1)
    assert f"does not name {other}" in refused.stderr
    assert f"--tls-san {other}" in refused.stderr
    members = json.loads(host.run("cat /var/lib/pymachine-agent/state.json").stdout)
    assert "members" not in members
