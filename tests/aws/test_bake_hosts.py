"""An image that was baked of a real host: machines from it are ready without being set up, and share nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.world import left
from tests.e2e.command import Pymachine, busybox_image, debian_docker_client
from tests.testbed.aws.fixtures import *  # noqa: F403
from tests.testbed.aws.server import ACCOUNT, AwsServer
from tests.testbed.fixtures import nothing_stays

__all__ = ["nothing_stays"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("nothing_stays")]

# What tells one host from another, one line each.
IDENTITIES = """
cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub
cat /etc/machine-id
sudo docker info --format '{{.ID}}'
sudo docker network inspect --format '{{.Id}}' bridge
sudo ssh-keygen -y -P '' -f /var/lib/pymachine-agent/key.pem | cut -d' ' -f2
cat /var/lib/cloud/data/instance-id
"""


@pytest.fixture
def pymachine(tmp_path: Path, aws_hosts: AwsServer) -> Iterator[Pymachine]:
    """The command with an empty store and an empty account."""
    command = Pymachine(tmp_path / "store")
    yield command
    names = command("ls", "-q").stdout.split()
    if names:
        command("rm", "-f", *names, code=None)


def facts_of_converge(pymachine: Pymachine, name: str) -> dict[str, object]:
    """What the host said when it was set up."""
    with sqlite3.connect(pymachine.store / "pymachine.db") as db:
        sql = (
            "SELECT s.result FROM steps s JOIN operations o ON o.id = s.operation_id"
            " WHERE o.machine = ? AND o.kind = 'create' AND s.name = 'converge' ORDER BY o.id DESC LIMIT 1"
        )
        ((result,),) = db.execute(sql, (name,)).fetchall()
    return dict(json.loads(result))


def files_with(tree: Path, secrets: dict[str, bytes]) -> list[str]:
    """Each file of an image that has one of these in it, and which."""
    found = []
    for at, _, names in os.walk(tree):
        for name in names:
            path = Path(at, name)
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [
                    f"{what} in {path.relative_to(tree)}" for what, secret in secrets.items() if secret in content
                ]
    return found


def test_machines_from_a_baked_image_need_nothing_sent_share_nothing_and_leave_nothing(
    pymachine: Pymachine, aws_hosts: AwsServer, tmp_path: Path
) -> None:
    # What the temporary machine is known by, noted while it is there: it is stopped before its image is made.
    held = aws_hosts.fail("CreateImage", "UnauthorizedOperation")
    refused = pymachine("bake", "-d", "aws", "web", code=1)
    assert held.done == 1
    assert "sending the agent" in refused.stdout
    assert "to go on: pymachine bake web" in refused.stderr
    files = pymachine.store / "machines/bake-web"
    authorized = (files / "id_ed25519.pub").read_text().split()[1]
    host_key = (files / "known_hosts").read_text().split()[2]
    (temporary,) = aws_hosts.backend().all_instances()
    store = _column(pymachine, "SELECT value FROM meta WHERE key = 'store'")

    ready = pymachine("bake", "web").stdout
    assert "The image web is ready: ami-" in ready
    assert "sending the agent" not in ready
    (image,) = [each for each in aws_hosts.backend().amis.values() if each.owner_id == ACCOUNT]
    tree = aws_hosts.hosts._images / image.id
    agents = list((tree / "var/lib/pymachine-agent/agents").glob("*.pyz"))
    assert len(agents) == 1
    assert files_with(tree, {"its hash": agents[0].stem.encode()}) == ["its hash in var/lib/pymachine-agent/state.json"]
    secrets = {
        "the authorized key": authorized.encode(),
        "the host key": host_key.encode(),
        "the store": store.encode(),
        "the machine": b"bake-web/",
        "the instance": temporary.id.encode(),
        "a private SSH key": b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "a private TLS key": b"-----BEGIN EC PRIVATE KEY-----\n",
    }
    public = {what: secret for what, secret in secrets.items() if "private" not in what}
    assert files_with(tree, public) == []  # the heads of private keys are in programs, too
    own = [
        tree / name for name in ("etc", "home", "root", "var/lib/pymachine-agent", "var/lib/cloud", "var/log", "tmp")
    ]
    assert [each for place in own for each in files_with(place, secrets)] == []
    assert (tree / "etc/machine-id").read_bytes() == b""
    assert left(aws_hosts) == [f"image {image.id}", f"snapshot {image.ebs_snapshot.id}"]

    said = pymachine("create", "-d", "aws", "--aws-ami", "baked", "-n", "2", "web").stdout
    assert "sending the agent" not in said
    assert said.count("the host has this agent") == 2
    for name in ("web-1", "web-2"):
        facts = facts_of_converge(pymachine, name)
        assert (facts["agent_sent"], facts["installed"]) == (False, [])
    identities = [pymachine("ssh", name, IDENTITIES).stdout.split() for name in ("web-1", "web-2")]
    assert [len(each) for each in identities] == [6, 6]
    assert [one for one, other in zip(*identities, strict=True) if one == other] == []

    docker = debian_docker_client()
    busybox = busybox_image(tmp_path / "busybox.tar")
    for name in ("web-1", "web-2"):
        environ = pymachine.docker_environ(name)
        subprocess.run([docker, "import", busybox, "busybox"], env=environ, check=True, stdout=subprocess.DEVNULL)
        hello = [docker, "run", "--rm", "busybox", "/bin/echo", "hello"]
        assert subprocess.run(hello, env=environ, check=True, capture_output=True).stdout == b"hello\n"

    # The image is the operator's: no rm and no gc takes it.
    pymachine("rm", "-y", "web-1", "web-2")
    assert pymachine("gc", "-y").stdout == "Nothing was left behind.\n"
    assert "web" in pymachine("bake", "ls").stdout
    pymachine("bake", "rm", "-y", "web")
    assert left(aws_hosts) == []
    assert pymachine("ls", "-q").stdout == ""


def _column(pymachine: Pymachine, sql: str) -> str:
    with sqlite3.connect(pymachine.store / "pymachine.db") as db:
        return str(db.execute(sql).fetchone()[0])
