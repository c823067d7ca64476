"""The driver generic: a host that is given, and never more than that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.driver import Found, HostIdentity, resolve_options, stored_options
from machine.drivers.generic import GenericDriver
from machine.errors import DriverError, UsageError
from machine.model import Instance, State
from tests.unit.specs import spec

DRIVER = GenericDriver()
IDENTITY = HostIdentity(store="abc123", authorized_key="ssh-ed25519 AAAA")
FINGERPRINT = "SHA256:" + "A" * 43


class Recorder:
    """What a driver told."""

    def __init__(self) -> None:
        self.resources: list[tuple[str, str]] = []

    def resource(self, kind: str, id: str, **data: Any) -> None:
        self.resources.append((kind, id))

    def progress(self, text: str) -> None:
        raise AssertionError(text)

    def check(self, waiting_for: str = "") -> None:
        pass


def resolved(environ: dict[str, str] | None = None, **given: Any) -> Any:
    return resolve_options(DRIVER, {"ip_address": "192.0.2.7", **given}, environ or {})


def created(**given: Any) -> Instance:
    request = DRIVER.check(spec(), resolved(**given), IDENTITY)
    return DRIVER.create(request, "token", Recorder())


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("web.example", "web.example"),
        ("alias", "alias"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::1", "::1"),
        (" web ", "web"),
    ],
)
def test_names_addresses_and_aliases_are_hosts(text: str, host: str) -> None:
    assert resolved(ip_address=text).ip_address == host


@pytest.mark.parametrize("text", ["", " ", "a b", "-oProxyCommand=x", "a\x1b[2J", "a\nb"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--generic-ip-address"):
        resolved(ip_address=text)


def test_a_user_or_a_port_in_the_host_is_pointed_to_its_flag() -> None:
    with pytest.raises(UsageError, match="--generic-ssh-user me"):
        resolved(ip_address="me@web")
    with pytest.raises(UsageError, match="--generic-ssh-port 2222"):
        resolved(ip_address="192.0.2.7:2222")
    with pytest.raises(UsageError, match="--generic-ssh-port 2222"):
        resolved(ip_address="[2001:db8::7]:2222")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "ssh", "", "2 2", "²", "٣"])
@pytest.mark.parametrize("flag", ["ssh_port", "engine_port"])
def test_a_port_is_a_port(flag: str, port: str) -> None:
    with pytest.raises(UsageError, match="is not a port number"):
        resolve_options(DRIVER, {"ip_address": "192.0.2.7", flag: port}, {})


def test_docker_machines_variables_count() -> None:
    environ = {"GENERIC_IP_ADDRESS": "192.0.2.9", "GENERIC_SSH_USER": "me", "GENERIC_SSH_PORT": "2222"}
    options = resolve_options(DRIVER, {}, environ)
    assert (options.ip_address, options.ssh_user, options.ssh_port) == ("192.0.2.9", "me", 2222)


def test_the_key_file_is_the_same_from_every_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "id").touch()
    monkeypatch.chdir(tmp_path)
    assert created(ssh_key="id").access.identity_file == str(tmp_path / "id")
    assert resolved(ssh_key="~/id").ssh_key == str(tmp_path / "home" / "id")


def test_a_key_file_that_is_not_there_is_found_before_anything_is_made() -> None:
    with pytest.raises(UsageError, match="--generic-ssh-key: there is no file /nowhere/id"):
        created(ssh_key="/nowhere/id")


def test_a_fingerprint_is_checked_as_it_is_given() -> None:
    assert created(host_key=FINGERPRINT).access.host_key_fingerprint == FINGERPRINT
    with pytest.raises(UsageError, match="is not a host key fingerprint"):
        resolved(host_key="SHA256:abc")


def test_the_operators_keys_log_in_first_and_ssh_decides_what_is_not_given() -> None:
    instance = created()
    access = instance.access
    assert (access.host, access.port, access.user, access.identity_file) == ("192.0.2.7", None, None, None)
    assert not access.machine_key_installed
    assert access.host_keys == ()
    assert instance.data == {"engine_port": 2376}


def test_the_host_is_recorded_and_the_same_request_gives_the_same_instance() -> None:
    request, recorder = DRIVER.check(spec(), resolved(), IDENTITY), Recorder()
    assert DRIVER.create(request, "token", recorder) == DRIVER.create(request, "token", recorder)
    assert set(recorder.resources) == {("host", "192.0.2.7")}


def test_nothing_of_it_is_a_secret_and_all_of_it_is_stored() -> None:
    assert stored_options(DRIVER, resolved(ssh_port="2222")) == {
        "ip_address": "192.0.2.7",
        "ssh_port": 2222,
        "engine_port": 2376,
    }


def test_it_removes_nothing_and_finds_nothing() -> None:
    recorder = Recorder()
    DRIVER.remove("192.0.2.7", {}, recorder)
    nothing: list[Found] = []
    assert DRIVER.find("abc123") == nothing
    assert recorder.resources == []


def test_the_state_of_a_host_is_not_guessed() -> None:
    (seen,) = DRIVER.observe([created()])
    assert (seen.state, seen.address) == (State.UNKNOWN, "192.0.2.7")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill"])
def test_what_only_a_provider_can_do_is_refused_with_where_to_do_it(verb: str) -> None:
    with pytest.raises(DriverError, match=f"the driver generic cannot {verb} a host") as raised:
        getattr(DRIVER, verb)(created(), Recorder())
    assert "192.0.2.7" in str(raised.value.hint)
