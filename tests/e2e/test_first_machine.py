"""From nothing to ``docker run`` and back to nothing, with the commands a user types."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import Pymachine, busybox_image, debian_docker_client

pytestmark = pytest.mark.e2e


def test_a_machine_is_made_used_and_removed_without_a_trace(
    pymachine: Pymachine, nothing_stays: None, tmp_path: Path
) -> None:
    made = pymachine("create", "dev")
    assert "Using the driver nspawn" in made.stdout
    assert "dev is ready at tcp://" in made.stdout

    docker = debian_docker_client()
    environ = pymachine.docker_environ("dev")
    image = busybox_image(tmp_path / "busybox.tar")
    subprocess.run([docker, "import", image, "busybox"], env=environ, check=True, stdout=subprocess.DEVNULL)
    said = subprocess.run(
        [docker, "run", "--rm", "busybox", "/bin/echo", "hello"], env=environ, check=True, capture_output=True
    )
    assert said.stdout == b"hello\n"

    removed = pymachine("rm", "-y", "dev")
    assert "dev is removed" in removed.stdout
    assert pymachine("ls", "-q").stdout == ""
    assert not (pymachine.store / "machines" / "dev").exists()


def test_every_command_says_the_same_of_a_machine(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    address = pymachine("ip", name).stdout.strip()
    url = pymachine("url", name).stdout.strip()
    assert url == f"tcp://{address}:2376"
    assert pymachine("status", name).stdout == "Running\n"
    assert pymachine("status", "--recorded", name).stdout == "Running\n"
    assert pymachine("active", DOCKER_HOST=url).stdout == f"{name}\n"
    assert pymachine("ls", "-q").stdout == f"{name}\n"

    listed = json.loads(pymachine("ls", "-o", "json", DOCKER_HOST=url).stdout)[0]
    assert (listed["name"], listed["state"], listed["url"], listed["active"]) == (name, "Running", url, True)
    assert not listed["recorded"]
    assert listed["engine"] == pymachine("version", name).stdout.strip()

    document = json.loads(pymachine("inspect", name).stdout)
    assert document["Driver"]["IPAddress"] == address
    assert document["DriverName"] == "nspawn"
    assert f"-H={url}" in pymachine("config", name).stdout


def test_ssh_passes_on_arguments_and_the_exit_code(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    assert pymachine("ssh", name, "hostname").stdout.strip() == name
    pymachine("ssh", name, "exit 7", code=7)
    assert pymachine("ssh", name, "cat", stdin="through stdin").stdout == "through stdin"


def test_what_the_operator_keeps_is_private(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    modes = {}
    for directory, directories, files in os.walk(pymachine.store):
        for each in (*directories, *files):
            path = Path(directory, each)
            modes[str(path.relative_to(pymachine.store))] = stat.S_IMODE(path.stat().st_mode)
    assert modes["certs"] == modes["machines"] == modes[f"machines/{name}"] == 0o700
    for secret in ("certs/ca-key.pem", f"machines/{name}/key.pem", f"machines/{name}/id_ed25519", "pymachine.db"):
        assert modes.pop(secret) == 0o600
    assert {path: mode for path, mode in modes.items() if mode & 0o022} == {}


def test_no_secret_is_in_the_database_in_inspect_or_in_a_log(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    database = b"".join(path.read_bytes() for path in pymachine.store.glob("pymachine.db*"))
    shown = pymachine("inspect", name).stdout.encode()
    logs = b"".join(path.read_bytes() for path in (pymachine.store / "logs").iterdir())
    assert logs
    for secret in ("certs/ca-key.pem", f"machines/{name}/key.pem", f"machines/{name}/id_ed25519"):
        body = b"".join((pymachine.store / secret).read_bytes().splitlines()[1:-1])
        for place in (database, shown, logs):
            assert body[:40] not in place.replace(b"\\n", b"").replace(b"\n", b"")


def test_the_private_key_on_the_host_is_the_host_s_alone(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    listing = pymachine("ssh", name, "stat -c '%a %U' /var/lib/pymachine-agent /var/lib/pymachine-agent/key.pem").stdout
    assert listing.splitlines() == ["700 root", "600 root"] or listing.splitlines() == ["755 root", "600 root"]


def test_creating_a_machine_that_exists_changes_nothing(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    refused = pymachine("create", "-d", "nspawn", name.upper(), code=1)
    assert f'a machine "{name}" exists' in refused.stderr
    assert pymachine("ls", "-q").stdout == f"{name}\n"


def test_a_store_that_was_moved_still_works(machine: tuple[Pymachine, str], tmp_path: Path) -> None:
    pymachine, name = machine
    subprocess.run(["cp", "-a", pymachine.store, tmp_path / "moved"], check=True)
    moved = Pymachine(tmp_path / "moved")
    assert moved("status", name).stdout == "Running\n"
    assert moved("ssh", name, "true").stdout == ""
    assert f'DOCKER_CERT_PATH="{tmp_path}/moved/machines/{name}"' in moved("env", "--shell", "bash", name).stdout
