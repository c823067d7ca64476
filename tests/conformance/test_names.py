"""docker-machine's names: of drivers, of their flags and variables, and of the flags before a command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from machine import driver as drivers
from machine.cli import command_line as run
from machine.compat import names
from machine.driver import declared_options, option
from machine.drivers.generic import GenericDriver
from machine.drivers.none import NoneDriver
from machine.errors import PymachineError, UnknownDriver, UsageError
from machine.operations.authority import adopt_authority, store_authority
from machine.store.store import Store
from machine.trust.certificates import new_authority
from tests.conformance.authorities import rsa_authority

INSTALLED = ("generic", "none", "nspawn")  # for what is looked up in tables; whatever runs a command has all there are
BUILT_IN = [
    "amazonec2",
    "azure",
    "digitalocean",
    "exoscale",
    "generic",
    "google",
    "hyperv",
    "none",
    "openstack",
    "rackspace",
    "softlayer",
    "virtualbox",
    "vmwarefusion",
    "vmwarevcloudair",
    "vmwarevsphere",
]
FLAGS = [flag[2:] for flag in (*names.SWARM_SWITCHES, *names.SWARM_FLAGS)]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in names.GLOBALS:
        monkeypatch.delenv(row.variable, raising=False)
    monkeypatch.delenv("MACHINE_DRIVER", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def pymachine(store: Path, *words: str) -> int:
    return run(["-s", str(store), *words])


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_driver_of_docker_machine_has_a_row(name: str) -> None:
    assert names.old_driver(name) is not None


def test_a_row_names_what_is_there_now_or_why_nothing_is() -> None:
    for row in names.DRIVERS:
        assert bool(row.now) != bool(row.gone), row
    assert len({row.name for row in names.DRIVERS}) == len(names.DRIVERS)


@pytest.mark.parametrize("row", [row for row in names.DRIVERS if row.now == names.LOCAL], ids=lambda row: row.name)
def test_what_made_machines_on_this_computer_is_the_local_default(row: names.OldDriver) -> None:
    meant = names.meant_driver(row.name, INSTALLED)
    assert meant.driver is None
    assert row.name in meant.note


@pytest.mark.parametrize(
    "row",
    [row for row in names.DRIVERS if row.now not in (names.LOCAL, *drivers.driver_names())],
    ids=lambda row: row.name,
)
def test_a_driver_that_is_not_there_yet_is_answered_by_its_new_name(
    row: names.OldDriver, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pymachine(store, "create", "-d", row.name, f"--{row.name}-anything", "x", "m") == 1
    said = capsys.readouterr().err
    assert (row.now or row.name) in said
    assert ("not available in this version" in said) == bool(row.now)


def test_the_driver_of_the_environment_has_the_same_names(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "google")
    assert pymachine(store, "create", "m") == 1
    assert "is called gcp here, and is not available in this version" in capsys.readouterr().err


def test_a_new_name_without_its_driver_is_said_to_be_missing() -> None:
    with pytest.raises(UnknownDriver, match="the driver aws is not available in this version"):
        names.meant_driver("aws", INSTALLED)


def test_an_installed_driver_has_its_own_name_also_when_that_is_an_old_one() -> None:
    assert names.meant_driver("amazonec2", (*INSTALLED, "amazonec2")) == names.Meant("amazonec2")


def test_a_mistyped_driver_gets_the_nearest_of_both_tables() -> None:
    with pytest.raises(UnknownDriver) as refused:
        names.meant_driver("amazonec", INSTALLED)
    assert "did you mean amazonec2?" in str(refused.value.hint)


@pytest.mark.parametrize("driver", [GenericDriver, NoneDriver])
def test_variables_begin_as_they_did(driver: type[Any]) -> None:
    row = names.old_driver(driver.name)
    assert row is not None
    for item in declared_options(driver):
        assert item.info.env[0].startswith(row.variables or f"{driver.name.upper()}_")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    region: str = option(help="Where.", default="us-east-1", env=("AWS_DEFAULT_REGION",))
    secret_key: str | None = option(help="The key.", env=("AWS_SECRET_ACCESS_KEY",), secret=True)
    open_port: tuple[str, ...] = option(help="Ports.", default=())


class CloudDriver(NoneDriver):
    """Stands in for a cloud: as a plugin that is called `aws` would be found."""

    name: ClassVar[str] = "aws"
    Options: ClassVar[type] = CloudOptions
    asked: ClassVar[list[CloudOptions]] = []

    def check(self, spec: Any, options: Any, identity: Any) -> dict[str, Any]:
        self.asked.append(options)
        return {"host": "203.0.113.9", "port": 2375, "certificates": None}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> list[CloudOptions]:
    point = SimpleNamespace(name="aws", value="a plugin", load=lambda: CloudDriver)
    others = [each for each in drivers._entry_points() if each.name != "aws"]
    monkeypatch.setattr(drivers, "_entry_points", lambda: [*others, point])
    CloudDriver.asked.clear()
    return CloudDriver.asked


@pytest.mark.parametrize("driver", ["amazonec2", "aws"])
@pytest.mark.parametrize("prefix", ["--amazonec2", "--aws"])
def test_flags_of_both_names_reach_the_driver(store: Path, cloud: list[CloudOptions], driver: str, prefix: str) -> None:
    words = [f"{prefix}-region=eu-west-1", f"{prefix}-open-port", "80", f"{prefix}-open-port", "443"]
    words.append("--save-credentials")  # else a secret that is given as a flag is refused
    assert pymachine(store, "create", "-d", driver, "m", *words, f"{prefix}-secret-key", "canary-2711") == 0
    assert cloud == [CloudOptions(region="eu-west-1", secret_key="canary-2711", open_port=("80", "443"))]
    found = [path for path in store.rglob("*") if path.is_file() and b"canary-2711" in path.read_bytes()]
    assert [(path.name, path.stat().st_mode & 0o777) for path in found] == [("credentials.json", 0o600)]


def test_flags_of_another_driver_name_it(
    store: Path, cloud: list[CloudOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert pymachine(store, "create", "-d", "none", "--amazonec2-region", "eu", "m") == 1
    assert "is an option of the driver aws" in capsys.readouterr().err


@pytest.mark.parametrize("flag", FLAGS)
def test_the_classic_swarm_is_answered_with_a_pointer_to_swarm_mode(
    store: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = [] if f"--{flag}" in names.SWARM_SWITCHES else ["x"]
    assert pymachine(store, "create", "-d", "none", "--url", "tcp://203.0.113.7:2375", f"--{flag}", *value, "m") == 1
    said = capsys.readouterr().err
    assert f"--{flag}: " in said
    assert "docker swarm init" in said
    assert not store.exists()


@pytest.mark.parametrize(
    "words", [["-url", "tcp://203.0.113.7:2375"], ["-driver", "none"], ["-url=tcp://203.0.113.7"], ["-tls-san", "x"]]
)
def test_long_flags_with_one_dash_fail(store: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert pymachine(store, "create", "-d", "none", *words, "m") == 1
    assert f"it has two dashes: -{words[0].partition('=')[0]}" in capsys.readouterr().err
    assert not store.exists()


def test_flags_may_follow_the_name(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pymachine(store, "create", "m", "-d", "none", "--url", "tcp://203.0.113.7:2375") == 0
    assert pymachine(store, "rm", "m", "-y") == 0
    assert "Traceback" not in capsys.readouterr().err


ACCEPTED = [["--native-ssh"], ["--github-api-token", "x"], ["--bugsnag-api-token", "no-report"], ["-D"]]


@pytest.mark.parametrize("words", ACCEPTED, ids=lambda words: words[0])
def test_flags_before_the_command_are_accepted(
    store: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "-s", str(store), "ls", "-q"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("variable", ["MACHINE_NATIVE_SSH", "MACHINE_GITHUB_API_TOKEN", "MACHINE_BUGSNAG_API_TOKEN"])
def test_their_variables_are_accepted(store: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    assert pymachine(store, "ls", "-q") == 0


def test_an_authority_of_the_user_s_signs_for_a_new_store(tmp_path: Path, store: Path) -> None:
    rsa_authority(tmp_path)
    flags = ["--tls-ca-cert", str(tmp_path / "ca.pem"), "--tls-ca-key", str(tmp_path / "ca-key.pem")]
    create = ["create", "-d", "none", "--url", "tcp://203.0.113.7:2375"]
    assert run([*flags, "-s", str(store), *create, "m"]) == 0
    assert (store / "certs" / "ca.pem").read_bytes() == (tmp_path / "ca.pem").read_bytes()
    assert (store / "certs" / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert run([*flags, "-s", str(store), *create, "again"]) == 0


def test_a_store_keeps_the_authority_that_its_machines_believe(tmp_path: Path, store: Path) -> None:
    rsa_authority(tmp_path)
    opened = Store(str(store))
    store_authority(opened)
    with pytest.raises(UsageError, match="has an authority of its own already"):
        adopt_authority(opened, str(tmp_path / "ca.pem"), str(tmp_path / "ca-key.pem"))
    opened.close()


def test_two_files_that_are_no_authority_are_refused(tmp_path: Path, store: Path) -> None:
    rsa_authority(tmp_path)
    other = new_authority("another")
    (tmp_path / "ca-key.pem").write_bytes(other.key)
    opened = Store(str(store))
    with pytest.raises(PymachineError, match="do not belong together"):
        adopt_authority(opened, str(tmp_path / "ca.pem"), str(tmp_path / "ca-key.pem"))
    with pytest.raises(UsageError, match="cannot read"):
        adopt_authority(opened, str(tmp_path / "nowhere"), str(tmp_path / "ca-key.pem"))
    assert not (store / "certs").exists()
    opened.close()


def test_half_an_authority_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create = ["create", "-d", "none", "--url", "tcp://203.0.113.7:2375", "m"]
    assert run(["--tls-ca-cert", "x", "-s", str(store), *create]) == 1
    assert "also needed: --tls-ca-key" in capsys.readouterr().err
