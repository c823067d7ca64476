"""An authority that was docker-machine's lives three years: told in time, with the date and the command that helps."""

from __future__ import annotations

import datetime
import re
import subprocess
from pathlib import Path

import pytest

from machine.operations.authority import ensure_client_certificate, store_authority
from machine.store.store import Store
from machine.trust.certificates import expiry
from tests.conformance.authorities import rsa_authority
from tests.conformance.conftest import Program
from tests.conformance.hosts import Hosts
from tests.conformance.old_stores import OldStore, version_3

# days left, and what is said of it
SAID = [(60, "expires on "), (1, "expires on "), (-1, "has expired on ")]


def date(left: int) -> str:
    """The day, give or take the five minutes by which such certificates begin early."""
    return f"{datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=left, minutes=-5):%Y-%m-%d}"


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if "authority" in line and "on 2" in line]


@pytest.fixture
def old(tmp_path: Path) -> OldStore:
    made = OldStore(tmp_path / "old")
    made.machine("web", version_3())
    return made


@pytest.mark.parametrize(("left", "words"), SAID)
def test_import_says_so(program: Program, old: OldStore, left: int, words: str) -> None:
    rsa_authority(old.directory / "certs", left=left)
    for more in (["--dry-run"], []):
        said = program("import", "--from-docker-machine", str(old.directory), *more)
        assert said.code == 0
        (line,) = warnings(said.err)
        assert line.startswith(f"Warning: docker-machine's authority {words}{date(left)}")
        assert line.endswith("pymachine provision NAME")


@pytest.mark.parametrize(("left", "words"), SAID)
def test_import_in_place_says_how_it_lives_on(program: Program, old: OldStore, left: int, words: str) -> None:
    rsa_authority(old.directory / "certs", left=left)
    said = program("import", "--from-docker-machine", str(old.directory), "--in-place")
    (line,) = warnings(said.err)
    assert f"the authority that signs in this store {words}{date(left)}: openssl x509 " in line


@pytest.mark.parametrize("more", [[], ["--in-place"]])
def test_import_says_nothing_while_there_is_time(program: Program, old: OldStore, more: list[str]) -> None:
    assert program("import", "--from-docker-machine", str(old.directory), *more).err == ""


@pytest.mark.parametrize("command", [["create"], ["provision"], ["regenerate-certs", "-f"]], ids=lambda each: each[0])
@pytest.mark.parametrize(("left", "words"), [(60, "expires on "), (365, "")])
def test_whatever_has_it_sign_says_so(
    program: Program, hosts: Hosts, store: Store, command: list[str], left: int, words: str
) -> None:
    rsa_authority(Path(store.certs.directory), left=left)
    said = program(*hosts.create, "web")
    if command != ["create"]:
        said = program(*command, "web")
    assert said.code == 0
    found = warnings(said.out + said.err)
    assert len(found) == bool(words)
    assert all(
        f"the authority that signs in this store expires on {date(left)}: openssl x509 " in line for line in found
    )


def test_an_authority_of_ours_has_time(program: Program, hosts: Hosts) -> None:
    said = program(*hosts.create, "web")
    assert warnings(said.out + said.err) == []


def test_the_command_gives_the_same_key_a_later_date(program: Program, hosts: Hosts, store: Store) -> None:
    rsa_authority(Path(store.certs.directory), left=60)
    said = program(*hosts.create, "web")
    files = store.files("web")
    ensure_client_certificate(store, files, "web", store_authority(store))
    before = files.read("cert.pem")
    found = re.search(r"(openssl x509 .*?); then", said.out + said.err)
    assert found
    subprocess.run(["sh", "-c", found[1]], check=True, capture_output=True)
    renewed = store.certs.read("ca.pem")
    assert renewed is not None
    assert expiry(renewed) - datetime.datetime.now(datetime.timezone.utc) > datetime.timedelta(days=3000)
    (Path(files.directory) / "before.pem").write_bytes(before or b"")
    for name in ("before.pem", "server.pem"):  # signed before, and still good
        line = ["openssl", "verify", "-CAfile", store.certs.path("ca.pem"), files.path(name)]
        subprocess.run(line, check=True, capture_output=True)
    said = program("provision", "web")
    assert (said.code, warnings(said.out + said.err)) == (0, [])
    assert files.read("ca.pem") == renewed
