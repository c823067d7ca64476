"""Through the endpoint a docker client works as on the engine's own socket."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.e2e.command import Pymachine, busybox_image, debian_docker_client

pytestmark = pytest.mark.e2e


class Client:
    """A docker client pointed at the machine."""

    def __init__(self, binary: str, environ: dict[str, str]) -> None:
        self.binary = binary
        self.environ = environ

    def __call__(self, *arguments: str, stdin: bytes | None = None, code: int = 0, timeout: float = 60) -> bytes:
        done = subprocess.run(
            [self.binary, *arguments],
            env=self.environ,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode} {done.stderr.decode()}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.binary, *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory, machine: tuple[Pymachine, str]) -> dict[str, str]:
    pymachine, name = machine
    home = tmp_path_factory.mktemp("docker-config")
    return {**pymachine.docker_environ(name), "DOCKER_CONFIG": str(home)}


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Client:
    client = Client(debian_docker_client(), environ)
    image = busybox_image(tmp_path_factory.mktemp("image") / "busybox.tar")
    client("import", str(image), "busybox")
    return client


@pytest.fixture
def container(docker: Client) -> Iterator[str]:
    """A running container that prints a line for each line put into /tmp/say."""
    script = (
        "mkdir -p /tmp; touch /tmp/say; while true; do"
        " if [ -s /tmp/say ]; then cat /tmp/say; : >/tmp/say; fi; sleep 0.05; done"
    )
    name = docker("run", "-d", "busybox", "/bin/busybox", "sh", "-c", script).decode().strip()
    yield name
    docker("rm", "-f", name)


def test_run_reads_a_file_on_stdin_to_its_end_and_returns_what_came_of_it(docker: Client) -> None:
    data = os.urandom(3_000_000)
    assert docker("run", "-i", "--rm", "busybox", "/bin/cat", stdin=data) == data


def test_run_with_an_empty_stdin_ends(docker: Client) -> None:
    assert docker("run", "-i", "--rm", "busybox", "/bin/wc", "-c", stdin=b"").strip() == b"0"


def test_the_exit_code_of_a_container_is_the_client_s(docker: Client) -> None:
    docker("run", "--rm", "busybox", "/bin/sh", "-c", "exit 7", code=7)


def test_exec_with_a_terminal_talks_both_ways(docker: Client, container: str) -> None:
    child = pexpect.spawn(docker.binary, ["exec", "-it", container, "/bin/sh"], env=docker.environ, timeout=20)
    child.expect("#")
    child.sendline("echo $((6 * 7))")
    child.expect("42")
    child.sendline("exit 3")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 3


def test_quiet_logs_stay_open_and_show_what_comes_late(docker: Client, container: str) -> None:
    follow = docker.start("logs", "-f", container)
    try:
        # Quiet for longer than any of the agent's own deadlines (they are for handshakes and heads only).
        with pytest.raises(subprocess.TimeoutExpired):
            follow.wait(12)
        docker("exec", container, "/bin/sh", "-c", "echo late >/tmp/say")
        assert follow.stdout is not None
        assert follow.stdout.readline() == b"late\n"
    finally:
        follow.kill()
        follow.communicate()


def test_attach_shows_output_and_ends_with_the_container(docker: Client, container: str) -> None:
    attached = docker.start("attach", "--no-stdin", container)
    try:
        assert attached.stdout is not None
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.append(attached.stdout.readline()))  # type: ignore[union-attr]
        reader.start()
        while reader.is_alive():  # until the attach has reached the engine
            docker("exec", container, "/bin/sh", "-c", "echo seen >/tmp/say")
            reader.join(0.3)
        assert lines == [b"seen\n"]
        docker("kill", container)
        attached.wait(20)
    finally:
        attached.kill()
        attached.communicate()


def test_cp_brings_a_tree_there_and_back_unchanged(docker: Client, container: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    content = os.urandom(5_000_000)
    (tmp_path / "there" / "file").write_bytes(content)
    docker("cp", str(tmp_path / "there"), f"{container}:/tmp/there")
    docker("cp", f"{container}:/tmp/there/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content


@pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic", "buildkit"])
def test_build_makes_an_image(docker: Client, tmp_path: Path, buildkit: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY word /word\nRUN /bin/cat /word >/copied\n")
    (tmp_path / "word").write_text(f"built {buildkit}\n")
    client = Client(docker.binary, {**docker.environ, "DOCKER_BUILDKIT": buildkit})
    client("build", "-t", f"built{buildkit}", str(tmp_path), timeout=120)
    assert docker("run", "--rm", f"built{buildkit}", "/bin/cat", "/copied").decode() == f"built {buildkit}\n"


def test_load_takes_an_image_of_200_megabytes(docker: Client, tmp_path: Path) -> None:
    filler = tmp_path / "root"
    filler.mkdir()
    with open(filler / "filler", "wb") as file:
        for _ in range(200):
            file.write(os.urandom(1 << 20))
    tar = tmp_path / "big.tar"
    subprocess.run(["tar", "-C", str(filler), "-cf", str(tar), "."], check=True)
    docker("import", str(tar), "big", timeout=120)
    saved = tmp_path / "saved.tar"
    docker("save", "-o", str(saved), "big", timeout=120)
    docker("rmi", "big")
    assert b"big" in docker("load", "-i", str(saved), timeout=120)
    assert json.loads(docker("image", "inspect", "big"))[0]["Size"] >= 200 << 20
    docker("rmi", "big")


def test_stats_and_events_stream(docker: Client, container: str) -> None:
    name = docker("stats", "--no-stream", "--format", "{{.Container}}", container).decode().strip()
    assert container.startswith(name)
    events = docker.start("events", "--filter", "event=die", "--format", "{{.Actor.ID}}")
    try:
        seen: list[bytes] = []
        assert events.stdout is not None
        reader = threading.Thread(target=lambda: seen.append(events.stdout.readline()))  # type: ignore[union-attr]
        reader.start()
        deadline = time.monotonic() + 30
        while reader.is_alive() and time.monotonic() < deadline:  # until the subscription has reached the engine
            docker("run", "--rm", "busybox", "/bin/true")
            reader.join(0.2)
        assert len(seen[0].strip()) == 64
    finally:
        events.kill()
        events.communicate()


def test_a_client_that_is_killed_leaves_nothing_open_on_the_engine(
    docker: Client, container: str, machine: tuple[Pymachine, str]
) -> None:
    pymachine, name = machine

    def streams() -> int:
        listing = pymachine("ssh", name, "ss", "-xH", "state", "connected", "src", "/run/docker.sock").stdout
        return len(listing.splitlines())

    before = streams()
    follow = docker.start("logs", "-f", container)
    deadline = time.monotonic() + 20
    while streams() <= before:
        assert time.monotonic() < deadline, "the stream never reached the engine"
    follow.kill()
    follow.communicate()
    while streams() > before:
        assert time.monotonic() < deadline, "the engine's side of a killed client stays open"
