"""Files that other programs read in docker-machine's store, and help and version as scripts ask for them."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from machine.compat.views import write_views
from machine.store.store import Store
from machine.trust.certificates import KeyPair, belongs_together
from tests.conformance.conftest import Fleet, Program
from tests.unit.specs import add_machine

NONE = ["create", "-d", "none", "--url", "tcp://192.0.2.9:2375"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_under_its_name_are_there_any(program: Program, store: Store) -> None:
    assert program(*NONE, "far").code == 0
    files = Path(store.files("far").directory)
    assert (files / "config.json").exists() == program.drop_in
    assert Path(store.certs.path("cert.pem")).exists() == program.drop_in


def test_they_are_kept_up_to_date_under_either_name_once_they_are_there(program: Program, store: Store) -> None:
    write_views(store)
    assert program(*NONE, "far").code == 0
    assert json.loads((Path(store.files("far").directory) / "config.json").read_text())["Name"] == "far"


def test_the_view_has_its_shape_and_is_for_its_owner_alone(store: Store) -> None:
    add_machine(store)
    write_views(store, "web")
    path = Path(store.files("web").path("config.json"))
    view = json.loads(path.read_text())
    assert mode(path) == 0o600
    assert list(view) == ["ConfigVersion", "Driver", "DriverName", "HostOptions", "Name"]
    assert view["ConfigVersion"] == 3
    assert view["Driver"]["IPAddress"] == "192.0.2.7"
    auth = view["HostOptions"]["AuthOptions"]
    for key in ("CaCertPath", "ClientCertPath", "ClientKeyPath"):
        assert Path(auth[key]).is_file()
    assert path.read_text().startswith('{\n    "ConfigVersion": 3,\n')


def test_the_view_is_replaced_whole_and_only_when_it_changes(store: Store) -> None:
    add_machine(store)
    write_views(store, "web")
    path = Path(store.files("web").path("config.json"))
    first = path.stat().st_ino
    write_views(store, "web")
    assert path.stat().st_ino == first
    path.write_text("{}")
    write_views(store, "web")
    assert path.stat().st_ino != first


def test_the_key_has_both_names(store: Store) -> None:
    add_machine(store)
    files = store.files("web")
    files.write("id_ed25519", b"a key\n")
    files.write("id_ed25519.pub", b"its half\n")
    write_views(store, "web")
    assert files.read("id_rsa") == b"a key\n"
    assert files.read("id_rsa.pub") == b"its half\n"
    assert mode(Path(files.path("id_rsa"))) == 0o600


def test_one_client_certificate_is_for_every_machine(store: Store) -> None:
    write_views(store)
    certificate, key = store.certs.read("cert.pem"), store.certs.read("key.pem")
    assert certificate is not None
    assert key is not None
    assert belongs_together(KeyPair(certificate, key))
    from cryptography import x509

    names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert f"pymachine:{store.id}/machine/*" in names.value.get_values_for_type(x509.UniformResourceIdentifier)
    assert {mode(Path(store.certs.path(name))) for name in ("key.pem", "ca-key.pem")} == {0o600}
    write_views(store)
    assert store.certs.read("cert.pem") == certificate


def test_the_agent_accepts_that_certificate(store: Store) -> None:
    import ssl

    from machine.agent.serve.peer import identify
    from machine.agent.x509 import Certificate

    write_views(store)
    certificate = store.certs.read("cert.pem")
    assert certificate is not None
    der = ssl.PEM_cert_to_DER_cert(certificate.decode())
    for name in ("web", "db"):
        assert identify(der, {Certificate(der).issuer: (store.id, name)}).role == "admin"


def test_what_gitlab_s_runner_does_with_a_machine(program: Program, store: Store) -> None:
    """Its executor: list machines/, stat config.json, read the certificates' place, and remove."""
    write_views(store)
    assert program("create", "--driver", "none", "--url", "tcp://192.0.2.9:2375", "runner-1-a").code == 0
    machines = Path(store.directory) / "machines"
    assert [path.name for path in machines.iterdir()] == ["runner-1-a"]
    assert (machines / "runner-1-a" / "config.json").stat().st_size > 0
    document = json.loads(program("inspect", "runner-1-a").out)
    for key in ("CaCertPath", "ClientCertPath", "ClientKeyPath"):
        assert Path(document["HostOptions"]["AuthOptions"][key]).is_file()
    assert program("rm", "-y", "runner-1-a").code == 0
    assert list(machines.iterdir()) == []


@pytest.mark.parametrize("words", [["version"], ["-v"], ["--version"]])
def test_the_version_is_where_scripts_cut_it_out(program: Program, words: list[str]) -> None:
    said = program(*words)
    assert said.code == 0
    first = said.out.split()
    assert first[:2] == [program.name, "version"]
    if program.drop_in:
        assert re.match(r"docker-machine version (\d+)\.(\d+)\.(\d+)\S*, build [0-9a-f]{7,}\n\Z", said.out)
        assert first[2].startswith("0.16.2")


@pytest.mark.parametrize("name", ["ls", "create", "scp", "regenerate-certs"])
def test_help_is_what_the_flag_says(program: Program, name: str) -> None:
    said = program("help", name)
    assert said.code == 0
    assert said.out == program(name, "--help").out
    assert said.out


def test_help_alone_lists_the_commands(program: Program) -> None:
    said = program("help")
    assert said.code == 0
    commands = """active config create env inspect ip kill ls mount provision regenerate-certs restart rm scp ssh start
        status stop upgrade url version help"""
    for name in commands.split():
        assert re.search(rf"^  {name} ", said.out, re.MULTILINE)


def test_help_for_nothing_names_the_nearest(program: Program) -> None:
    said = program("help", "creat")
    assert said.code == 1
    assert "Did you mean create?" in said.err


def test_a_fleet_is_not_slowed_down_by_what_is_up_to_date(store: Store, fleet: Fleet) -> None:
    for number in range(50):
        fleet.add(f"m{number}", driver="generic")
    write_views(store)
    before = {path: path.stat().st_mtime_ns for path in Path(store.directory).rglob("config.json")}
    write_views(store)
    assert {path: path.stat().st_mtime_ns for path in Path(store.directory).rglob("config.json")} == before
