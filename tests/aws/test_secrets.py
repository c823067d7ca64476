"""What must stay secret is nowhere but where it must be: planted, and looked for everywhere."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.world import AwsWorld, left
from tests.faults.nursery import Ended

KEY, SECRET, TOKEN = "AKIACANARY4711CANARY", "canary-4712-secret-access-key-of-forty-ch", "canary-4713-session-token"
CONTENT = "canary-4714-password-in-the-operators-user-data"
CREATE = "--debug create -d aws --aws-userdata HOME/data web"


@pytest.fixture
def planted(world: AwsWorld) -> AwsWorld:
    """A world whose credentials and user data are canaries."""
    world.prelude = "tests.aws.child:tells_what_it_starts"
    world.variables = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    (world.home / "data").write_text(f"#cloud-config\nchpasswd:\n  list: root:{CONTENT}\n")
    return world


def forms(secret: str) -> Iterator[bytes]:
    """How it may be written: as it is, and in base64 wherever in the text it begins."""
    yield secret.encode()
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + secret.encode())
        yield text[4:-4]


def holding(directory: Path, secrets: list[str]) -> dict[str, int]:
    """The files below a directory with one of these in them, with their modes."""
    wanted = [form for secret in secrets for form in forms(secret)]
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and any(form in path.read_bytes() for form in wanted):
            found[str(path.relative_to(directory))] = stat.S_IMODE(path.stat().st_mode)
    return found


def nothing_said(ended: list[Ended], secrets: list[str]) -> None:
    for each in ended:
        for secret in secrets:
            for form in forms(secret):
                assert form not in each.said.encode(), each


def kept(world: AwsWorld) -> list[str]:
    """The private half of the injected host key, as an interrupted create keeps it: a line out of its middle."""
    lines = (world.store / "machines" / "web" / "kept-host-key").read_text().splitlines()
    assert lines[0].startswith("-----BEGIN")
    return [lines[len(lines) // 2]]


def everything_else(world: AwsWorld) -> list[Ended]:
    """Every command that shows something."""
    return world.run(
        "--debug ls", "ls -o json", "ls -o wide", "--debug inspect web", "status web", "config web", "env web",
        "url web", "ip web", "log web", "create --dry-run -d aws --aws-userdata HOME/data other", "drivers check aws",
    )  # fmt: skip


def test_in_the_life_of_a_machine_no_secret_is_in_the_store_said_or_an_argument(planted: AwsWorld) -> None:
    world = planted
    (killed,) = world.run(CREATE, point="ec2.RunInstances #1: before", action="kill")
    assert killed.killed, killed
    host_key = kept(world)
    secrets = [KEY, SECRET, TOKEN, CONTENT, *host_key]
    interrupted = holding(world.store, secrets)
    assert interrupted == {f"machines/web/kept-{name}": 0o600 for name in ("host-key", "user-data")}
    said = [killed, *everything_else(world)]
    said += world.ok("--debug create web")
    assert holding(world.store, secrets) == {}
    said += everything_else(world)
    said += world.ok("--debug stop web", "--debug start web", "--debug provision web")
    assert holding(world.store, secrets) == {}
    said += world.ok("--debug rm -y web", "--debug gc -y")
    nothing_said(said, secrets)
    assert holding(world.store, secrets) == {}
    assert (world.directory / "argv").exists()  # of every process that was started
    assert holding(world.directory, secrets) == {"home/data": 0o644}
    assert left(world.server) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "RunInstances", "code": "InvalidParameterValue"},
        {"action": "RunInstances", "code": "UnauthorizedOperation"},
        {"action": "RunInstances", "drop": True},
        {"action": "CreateSecurityGroup", "code": "AuthFailure"},
        {"action": "GetCallerIdentity", "code": "InvalidClientTokenId"},
    ],
    ids=str,
)
def test_no_failure_tells_a_secret(planted: AwsWorld, fault: dict) -> None:
    world = planted
    world.server.fail(times=None, **fault)
    (ended,) = world.run(CREATE)
    assert ended.code in (1, 3), ended
    secrets = [KEY, SECRET, TOKEN, CONTENT]
    if world.names():
        secrets += kept(world)
    nothing_said([ended, *everything_else(world)], secrets)
    assert set(holding(world.store, secrets)) <= {"machines/web/kept-host-key", "machines/web/kept-user-data"}
    world.server.heal()
    if world.names():
        world.ok("rm -y web")
    assert holding(world.store, secrets) == {}


def test_keys_that_were_given_as_flags_are_in_one_file_and_serve_every_later_command(world: AwsWorld) -> None:
    world.prelude = "tests.aws.child:tells_what_it_starts"
    world.variables = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    flags = f"--aws-access-key {KEY} --aws-secret-key {SECRET} --aws-session-token {TOKEN}"
    (refused,) = world.run(f"create -d aws {flags} web")
    assert refused.code == 3, refused
    assert "--save-credentials" in refused.err
    assert world.names() == []
    said = world.ok(f"--debug create -d aws --save-credentials {flags} web", "--debug ls", "inspect web", "stop web")
    for each in said:
        for secret in (KEY, SECRET, TOKEN):
            assert secret not in each.said
    assert holding(world.store, [KEY, SECRET, TOKEN]) == {"machines/web/credentials.json": 0o600}
    world.ok("rm -y web")
    assert holding(world.store, [KEY, SECRET, TOKEN]) == {}
    assert left(world.server) == []
