"""``import --from-docker-machine``: what its records say becomes ours, and its directory stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from machine.compat.foreign import is_docker_machine_store
from machine.model import State
from machine.store.store import Store
from tests.conformance.old_stores import ADDRESS, VERSIONS, OldStore, version_0, version_3
from tests.unit.specs import add_machine

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def old(tmp_path: Path) -> OldStore:
    return OldStore(tmp_path / "old")


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line on the test's store."""
    from machine.cli import command_line as run

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MACHINE_STORAGE_PATH", raising=False)

    def line(*words: str) -> tuple[int, str, str]:
        code = run(["-s", str(tmp_path / "store"), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return line


def taken(tmp_path: Path, name: str = "web") -> Any:
    store = Store(str(tmp_path / "store"))
    try:
        return store.machines.get(name)
    finally:
        store.close()


@pytest.mark.parametrize("version", VERSIONS, ids=lambda each: each.__name__)
def test_every_version_of_its_records_is_read(
    tmp_path: Path, old: OldStore, say: Say, version: Callable[..., dict[str, Any]]
) -> None:
    old.machine("web", version())
    before = old.snapshot()
    code, out, err = say("import", "--from-docker-machine", str(old.directory))
    assert (code, err) == (0, "")
    assert f"web (generic at {ADDRESS}): taken over" in out
    machine = taken(tmp_path)
    assert machine.spec.driver == "generic"
    assert machine.state is State.UNKNOWN
    assert machine.url == f"tcp://{ADDRESS}:2376"
    assert machine.endpoint.route == "given"
    access = machine.instance.access
    assert (access.user, access.port, access.identity_file) == ("root", 22, "id_rsa")
    files = tmp_path / "store" / "machines" / "web"
    for name in ("ca.pem", "cert.pem", "key.pem", "id_rsa"):
        assert (files / name).read_bytes() == (old.directory / "machines" / "web" / name).read_bytes()
        assert (files / name).stat().st_mode & 0o777 == 0o600
    assert old.snapshot() == before


def test_env_config_ip_url_and_inspect_work_at_once(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("web", version_3(labels=("tier=front",)))
    say("import", "--from-docker-machine", str(old.directory))
    files = tmp_path / "store" / "machines" / "web"
    assert f'export DOCKER_CERT_PATH="{files}"' in say("env", "--shell", "bash", "web")[1]
    assert f'--tlscacert="{files}/ca.pem"' in say("config", "web")[1]
    assert say("ip", "web")[1] == f"{ADDRESS}\n"
    assert say("url", "web")[1] == f"tcp://{ADDRESS}:2376\n"
    assert say("inspect", "-f", "{{.Driver.SSHKeyPath}}", "web")[1] == f"{files}/id_rsa\n"
    assert say("inspect", "-f", "{{.HostOptions.EngineOptions.Labels}}", "web")[1] == "[tier=front]\n"


def test_without_a_place_it_is_where_docker_machine_looks(tmp_path: Path, say: Say, monkeypatch: Any) -> None:
    OldStore(tmp_path / "home" / ".docker" / "machine").machine("home1", version_3(), files=False)
    assert "home1 (generic" in say("import", "--from-docker-machine")[1]
    OldStore(tmp_path / "elsewhere").machine("else1", version_3(), files=False)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(tmp_path / "elsewhere"))
    assert "else1 (generic" in say("import", "--from-docker-machine")[1]


def test_ssh_uses_its_key_and_records_the_host_key_it_finds_first(tmp_path: Path, old: OldStore, say: Say) -> None:
    from machine.operations.sshoptions import ssh_host

    old.machine("web", version_3(SSHUser="ada", SSHPort=2222))
    say("import", "--from-docker-machine", str(old.directory))
    files = tmp_path / "store" / "machines" / "web"
    host = ssh_host(taken(tmp_path), str(files))
    assert (host.user, host.port, host.identity_file) == ("ada", 2222, str(files / "id_rsa"))
    assert dict(host.options)["StrictHostKeyChecking"] == "accept-new"
    (files / "known_hosts").write_text("web ssh-ed25519 AAAA\n")
    assert dict(ssh_host(taken(tmp_path), str(files)).options)["StrictHostKeyChecking"] == "yes"


def test_a_dry_run_changes_nothing_at_all(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("web", version_3())
    code, out, _ = say("import", "--from-docker-machine", str(old.directory), "--dry-run")
    assert code == 0
    assert "web (generic at 192.0.2.7): would be taken over" in out
    assert not (tmp_path / "store").exists()


def test_a_second_import_takes_over_what_is_new(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("web", version_3())
    say("import", "--from-docker-machine", str(old.directory))
    old.machine("db", version_3(IPAddress="192.0.2.8"))
    code, out, _ = say("import", "--from-docker-machine", str(old.directory))
    assert code == 0
    assert "web (generic at 192.0.2.7): is ours already" in out
    assert "db (generic at 192.0.2.8): taken over" in out


def test_names_that_clash_are_reported_and_the_others_taken_over(tmp_path: Path, old: OldStore, say: Say) -> None:
    store = Store(str(tmp_path / "store"))
    add_machine(store, "Web", address="198.51.100.1")
    store.close()
    old.machine("web", version_3())
    old.machine("db", version_3())
    code, out, err = say("import", "--from-docker-machine", str(old.directory))
    assert code == 1
    assert 'web (generic at 192.0.2.7): not taken over: a machine "Web" exists, and it is another one' in err
    assert "db (generic at 192.0.2.7): taken over" in out
    assert taken(tmp_path, "web").address == "198.51.100.1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty: docker-machine lost it when a disk was full"),
        ("{", "is damaged"),
        ("[]", "does not describe a machine"),
        (json.dumps({**version_3(), "ConfigVersion": 4}), "has version 4"),
        (json.dumps({**version_3(), "DriverName": ""}), "names no driver"),
        (json.dumps(version_3(IPAddress="")), "its create was never finished"),
    ],
    ids=["empty", "cut", "list", "newer", "no driver", "no address"],
)
def test_what_cannot_be_read_says_why_and_stops_no_other(
    tmp_path: Path, old: OldStore, say: Say, content: str, reason: str
) -> None:
    old.machine("web", version_3())
    place = old.directory / "machines" / "broken"
    place.mkdir()
    (place / "config.json").write_text(content)
    code, out, err = say("import", "--from-docker-machine", str(old.directory))
    assert code == 1
    assert err.startswith("broken (not readable): not taken over: ")
    assert reason in err
    assert "web (generic at 192.0.2.7): taken over" in out


def test_an_address_that_its_driver_asked_for_each_time_is_in_the_certificate(
    tmp_path: Path, old: OldStore, say: Say
) -> None:
    old.machine("web", version_3("google", IPAddress="", Project="p"), address="203.0.113.5")
    say("import", "--from-docker-machine", str(old.directory))
    assert taken(tmp_path).address == "203.0.113.5"


CLOUD = {"DropletID": "4711", "Region": "ams3", "AccessToken": "canary-2711", "SessionToken": "canary-2711"}


def test_a_cloud_s_machine_can_be_used_and_its_credentials_stay_behind(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("web", version_3("digitalocean", SSHUser="ubuntu", **CLOUD))
    code, out, _ = say("import", "--from-docker-machine", str(old.directory))
    assert code == 0
    assert "not copied, for they are the provider's credentials: AccessToken, SessionToken" in out
    machine = taken(tmp_path)
    assert (machine.spec.driver, machine.instance.id) == ("digitalocean", "4711")
    assert machine.instance.data["Region"] == "ams3"
    assert machine.instance.access.user == "ubuntu"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"canary" not in kept.lower()
    for words in (["stop", "web"], ["start", "web"], ["kill", "web"], ["rm", "-y", "web"]):
        code, _, err = say(*words)
        assert code == 1
        assert "the driver digitalocean is not available in this version" in err
    assert say("status", "--recorded", "web")[:2] == (0, "Unknown\n")
    assert say("env", "--shell", "sh", "web")[0] == 0
    code, _, err = say("rm", "-f", "web")
    assert code == 1
    assert say("ls", "-q")[1] == ""
    assert "4711" in say("gc", "--dry-run")[1] + say("gc", "--dry-run")[2]


def test_a_virtualbox_machine_is_reached_at_its_forwarded_port(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("default", version_3("virtualbox", SSHUser="docker", SSHPort=50022, IPAddress="192.168.99.100"))
    say("import", "--from-docker-machine", str(old.directory))
    machine = taken(tmp_path, "default")
    assert (machine.instance.access.host, machine.instance.access.port) == ("127.0.0.1", 50022)
    assert machine.url == "tcp://192.168.99.100:2376"


def test_a_url_of_the_driver_none_has_the_store_s_certificates(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("far", version_3("none", URL="tcp://192.0.2.9:2376", IPAddress="192.0.2.9:2376"), files=False)
    assert say("import", "--from-docker-machine", str(old.directory))[0] == 0
    machine = taken(tmp_path, "far")
    assert (machine.url, machine.address, machine.endpoint.route) == ("tcp://192.0.2.9:2376", "192.0.2.9", "given")
    assert not machine.has_host
    assert (tmp_path / "store" / "machines" / "far" / "key.pem").exists()
    assert "no host to log in to" in say("ssh", "far", "true")[2]


def test_a_store_copied_from_another_home_is_found_where_it_is(tmp_path: Path, old: OldStore, say: Say) -> None:
    old.machine("web", version_0())
    moved = tmp_path / "backup" / "dm"
    shutil.copytree(old.directory, moved)
    shutil.rmtree(old.directory)
    assert say("import", "--from-docker-machine", str(moved))[0] == 0
    assert (tmp_path / "store" / "machines" / "web" / "cert.pem").exists()


def test_a_member_of_the_classic_swarm_is_told_so(tmp_path: Path, old: OldStore, say: Say) -> None:
    document = version_3()
    document["HostOptions"]["SwarmOptions"]["IsSwarm"] = True
    old.machine("web", document)
    assert "docker swarm init" in say("import", "--from-docker-machine", str(old.directory))[1]


@pytest.mark.parametrize("words", [[], ["--from-docker-machine", "nowhere"]])
def test_no_store_is_said_to_be_none(say: Say, words: list[str], tmp_path: Path) -> None:
    code, _, err = say("import", *(str(tmp_path / word) if word == "nowhere" else word for word in words))
    assert code == 1
    assert "pymachine import --from-docker-machine" in err
    assert not (tmp_path / "store").exists()


def test_our_own_store_is_not_imported(tmp_path: Path, say: Say) -> None:
    add = Store(str(tmp_path / "mine"))
    add_machine(add)
    add.close()
    assert "is a store of pymachine's" in say("import", "--from-docker-machine", str(tmp_path / "mine"))[2]


class TestInPlace:
    """The command docker-machine becomes this program, on the store that was its own."""

    @pytest.fixture
    def adopted(self, old: OldStore, say: Say) -> tuple[OldStore, str]:
        old.machine("web", version_3())
        code, out, err = say("import", "--from-docker-machine", str(old.directory), "--in-place")
        assert (code, err) == (0, "")
        return old, out

    def test_it_is_asked_for(self, old: OldStore, capsys: pytest.CaptureFixture[str]) -> None:
        from machine.cli import command_line as run

        old.machine("web", version_3())
        before = old.snapshot()
        assert run(["-s", str(old.directory), "import", "--from-docker-machine", str(old.directory)]) == 1
        assert "--in-place" in capsys.readouterr().err
        assert old.snapshot() == before

    def test_each_record_is_kept_untouched_under_another_name(self, tmp_path: Path, old: OldStore, say: Say) -> None:
        place = old.machine("web", version_3())
        before = old.snapshot()
        say("import", "--from-docker-machine", str(old.directory), "--in-place")
        kept = place / "config.json.docker-machine"
        assert kept.read_bytes() == before["machines/web/config.json"][1]
        assert kept.stat().st_mode & 0o777 == 0o600
        after = old.snapshot()
        changed = {name for name in before if after.get(name, (0, b""))[1] != before[name][1]}
        assert changed == {"machines/web/config.json", "certs/cert.pem", "certs/key.pem"}
        assert after["certs/cert.pem.docker-machine"][1] == before["certs/cert.pem"][1]
        assert not (tmp_path / "store").exists()

    def test_the_printed_command_rolls_back(self, adopted: tuple[OldStore, str]) -> None:
        old, out = adopted
        place = old.directory / "machines" / "web"
        original = (place / "config.json.docker-machine").read_bytes()
        subprocess.run(["sh", "-c", out.rstrip().rpartition("itself: ")[2]], check=True)
        assert (place / "config.json").read_bytes() == original
        assert not (place / "config.json.docker-machine").exists()

    def test_the_authority_stays_and_signs_for_new_machines(self, adopted: tuple[OldStore, str], say: Say) -> None:
        from machine.operations.authority import ensure_client_certificate, store_authority

        old, _ = adopted
        store = Store(str(old.directory))
        ensure_client_certificate(store, store.files("new"), "new", store_authority(store))
        store.close()
        verify = ["openssl", "verify", "-CAfile", str(old.directory / "certs" / "ca.pem"), "-purpose", "sslclient"]
        for path in ("machines/new/cert.pem", "certs/cert.pem"):
            subprocess.run([*verify, str(old.directory / path)], check=True, stdout=subprocess.DEVNULL)

    def test_cut_off_in_the_middle_it_goes_on(self, old: OldStore, say: Say) -> None:
        first, second = old.machine("a", version_3()), old.machine("b", version_3(IPAddress="192.0.2.8"))
        Store(str(old.directory), beside=True).close()  # killed after the database was made,
        os.replace(first / "config.json", first / "config.json.docker-machine")  # and after this
        assert say("import", "--from-docker-machine", str(old.directory), "--in-place")[0] == 0
        for place in (first, second):
            assert (place / "config.json").exists()
            assert (place / "config.json.docker-machine").exists()
        store = Store(str(old.directory))
        assert store.machines.names() == ["a", "b"]
        store.close()

    def test_a_second_time_is_nothing_new(self, adopted: tuple[OldStore, str], say: Say) -> None:
        old, _ = adopted
        kept = (old.directory / "machines" / "web" / "config.json.docker-machine").read_bytes()
        code, out, _ = say("import", "--from-docker-machine", str(old.directory), "--in-place")
        assert code == 0
        assert "is ours already" in out
        assert (old.directory / "machines" / "web" / "config.json.docker-machine").read_bytes() == kept


class TestRecognising:
    def test_its_store_is_known_by_its_machines(self, old: OldStore) -> None:
        old.machine("web", version_3(), files=False)
        assert is_docker_machine_store(str(old.directory))

    def test_and_by_its_certificates_before_the_first_one(self, old: OldStore) -> None:
        assert is_docker_machine_store(str(old.directory))

    def test_ours_is_ours(self, tmp_path: Path) -> None:
        store = Store(str(tmp_path / "store"))
        add_machine(store)
        store.close()
        assert not is_docker_machine_store(str(tmp_path / "store"))

    def test_ours_without_its_database_is_not_taken_for_its(self, tmp_path: Path) -> None:
        (tmp_path / "store" / "machines" / "web").mkdir(parents=True)
        (tmp_path / "store" / "machines" / "web" / "id_ed25519").touch()
        (tmp_path / "store" / "machines" / "web" / "config.json").touch()
        assert not is_docker_machine_store(str(tmp_path / "store"))

    def test_nothing_is_nobody_s(self, tmp_path: Path) -> None:
        assert not is_docker_machine_store(str(tmp_path))
        assert not is_docker_machine_store(str(tmp_path / "nowhere"))


def test_an_agent_that_does_not_answer_takes_nothing_away(
    tmp_path: Path, old: OldStore, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from machine.errors import EndpointUnverified
    from machine.operations import bringup

    old.machine("web", version_3())
    say("import", "--from-docker-machine", str(old.directory))
    connection = SimpleNamespace(user="root", host=ADDRESS, port=22)
    monkeypatch.setattr(bringup, "connect_to_host", lambda *_, **__: connection)
    monkeypatch.setattr(bringup, "converge_host", lambda _op, _step, machine, *_, **__: (machine, None))

    def no_route(*_: object) -> None:
        raise EndpointUnverified("it does not answer", layer="agent")

    monkeypatch.setattr(bringup, "find_route", no_route)
    files = tmp_path / "store" / "machines" / "web"
    before = {path.name: path.read_bytes() for path in files.glob("*.pem")}
    assert say("provision", "web")[0] == 1
    assert {path.name: path.read_bytes() for path in files.glob("*.pem")} == before
    assert say("url", "web")[1] == f"tcp://{ADDRESS}:2376\n"
