"""Where an engine comes from: what is asked for, what is found, and whose key is believed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_host import FakeHost
from operator_side import Operator

from machine.agent.converge import openpgp
from machine.agent.converge.packages import Apt
from machine.agent.converge.repositories import DOCKER
from machine.errors import BootstrapFailed

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="makes keys with gpg")
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----
Comment: armor around nothing

{body}
-----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., bytes]]:
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)

    def run(*arguments: str) -> bytes:
        command = ["gpg", "--homedir", str(home), "--batch", "-q", "--passphrase", "", *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    yield run
    if shutil.which("gpgconf"):
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)


@needs_gpg
@pytest.mark.parametrize("algorithm", ["ed25519", "rsa2048"])
def test_the_fingerprint_of_a_key_is_the_one_gpg_names(gpg: Callable[..., bytes], algorithm: str) -> None:
    user = f"{algorithm} <a@example.org>"
    gpg("--quick-generate-key", user, algorithm, "sign", "1d")
    listed = gpg("--list-keys", "--with-colons", user).decode().partition("fpr:")[2].split(":")
    wanted = next(field for field in listed if len(field) == 40)
    plain, armored = gpg("--export", user), gpg("--armor", "--export", user)
    assert openpgp.fingerprints(openpgp.binary(plain)) == [wanted]
    assert openpgp.binary(armored) == plain
    assert openpgp.binary(armored.replace(b"\n", b"\r\n")) == plain


@needs_gpg
def test_every_key_in_a_file_counts_and_a_secret_one_is_refused(gpg: Callable[..., bytes]) -> None:
    for name in ("one", "two"):
        gpg("--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "1d")
    both = gpg("--export", "one@example.org", "two@example.org")
    assert len(openpgp.fingerprints(both)) == 2
    with pytest.raises(openpgp.NotAKey, match="secret"):
        openpgp.fingerprints(gpg("--export-secret-keys", "one@example.org"))


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"\xff", b"\x99\x01\x0d\x04", b"\xc6\xff\xff\xff\xff\xff\x04", b"\x99\x00\x01\x03",
     b"\xc6\xe0" * 9, KEY.format(body="!!").encode(),
     KEY.format(body="").encode(), (KEY + KEY).format(body="AAAA").encode()],
)  # fmt: skip
def test_what_is_no_key_is_told_so(data: bytes) -> None:
    with pytest.raises(openpgp.NotAKey):
        openpgp.fingerprints(openpgp.binary(data))


def test_docker_s_key_is_pinned_whole() -> None:
    for url, fingerprint in DOCKER.values():
        assert url.startswith("https://download.docker.com/linux/")
        assert len(fingerprint) == 40
        assert set(fingerprint) <= set("0123456789ABCDEF")


@pytest.mark.parametrize(
    ("package", "wanted", "fits"),
    [
        ("5:24.0.7-1~debian.12~bookworm", "24.0.7", True),
        ("5:24.0.7-1~debian.12~bookworm", "24.0", True),
        ("5:24.0.7-1~debian.12~bookworm", "24", True),
        ("5:24.0.7-1~debian.12~bookworm", "5:24.0.7-1~debian.12~bookworm", True),
        ("5:24.0.7-1~debian.12~bookworm", "24.0.70", False),
        ("5:24.0.7-1~debian.12~bookworm", "24.0.", False),
        ("5:24.0.7-1~debian.12~bookworm", "4.0.7", False),
        ("20.10.24+dfsg1-1+deb12u1+b6", "20.10.24", True),
        ("20.10.24+dfsg1", "20.10", True),
        ("20.10.24+dfsg1", "2", False),
    ],
)
def test_a_version_is_what_people_say_of_it(package: str, wanted: str, fits: bool) -> None:
    assert Apt.is_version(package, wanted) is fits


def engine(**wanted: Any) -> dict[str, Any]:
    return {"kind": "docker", "source": "auto", **wanted}


APT_GET = """echo "$@" >> {log}
case "$*" in *" install "*docker*)
  printf 'Package: docker-ce\\nStatus: install ok installed\\nVersion: 5:24.0.7-1~x\\n\\n' \\
    >> {root}/var/lib/dpkg/status;;
esac
"""
MADISON = """[ -e {root}/etc/apt/sources.list.d/pymachine-docker.sources ] || [ "$2" = docker.io ] || exit 0
echo " $2 | 5:25.0.0-1~x | http://mirror bookworm/stable amd64 Packages"
echo " $2 | 5:24.0.7-1~x | http://mirror bookworm/stable amd64 Packages"
echo "  Candidate: 1"
"""


@pytest.fixture(scope="module")
def repository_key(gpg: Callable[..., bytes]) -> bytes:
    gpg("--quick-generate-key", "repository <r@example.org>", "ed25519", "sign", "1d")
    return gpg("--armor", "--export", "r@example.org")


@pytest.fixture
def apt_host(bare_host: FakeHost, repository_key: bytes) -> tuple[FakeHost, str, Path]:
    """A host whose apt finds a repository with two versions; the key's fingerprint, and what apt-get was asked."""
    log = bare_host.root.parent / "apt.log"
    key = bare_host.root.parent / "key"
    key.write_bytes(repository_key)
    bare_host.file("etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME=Debian\n")
    bare_host.file("usr/lib/apt/apt-helper", f'#!/bin/sh\nfor last; do :; done\ncat {key} > "$last"\n').chmod(0o755)
    bare_host.command("apt-get", APT_GET.format(log=log, root=bare_host.root))
    bare_host.command("apt-cache", MADISON.format(root=bare_host.root))
    bare_host.command("dpkg", "echo amd64")
    return bare_host, openpgp.fingerprints(openpgp.binary(key.read_bytes()))[0], log


def mirror(key: str, **wanted: Any) -> dict[str, Any]:
    return engine(repository={"url": "http://mirror.example.org/debian", "key": key}, **wanted)


@needs_gpg
def test_the_version_asked_for_is_installed_from_the_repository_and_recorded(
    apt_host: tuple[FakeHost, str, Path], operator: Operator
) -> None:
    host, key, log = apt_host
    host.start_engine_when(host.root / "var/lib/dpkg/status")
    report = operator.converge(host, engine=mirror(key, version="24.0"))
    assert (report.engine_source, report.engine_package) == ("docker", "docker-ce")
    assert report.engine_package_version == "5:24.0.7-1~x"
    assert "docker-ce=5:24.0.7-1~x docker-ce-cli=5:24.0.7-1~x" in log.read_text()
    source = (host.root / "etc/apt/sources.list.d/pymachine-docker.sources").read_text()
    assert "URIs: http://mirror.example.org/debian\nSuites: bookworm\n" in source
    assert "Signed-By: /etc/apt/keyrings/pymachine-docker.gpg" in source
    again = operator.converge(host, engine=mirror(key, version="24.0"))
    assert (again.changed, again.engine_package_version) == ((), "5:24.0.7-1~x")
    kept = operator.uninstall(host).kept
    assert "/etc/apt/sources.list.d/pymachine-docker.sources" in kept


@needs_gpg
@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        ({"key": "A" * 40}, "engine-key", "is not the one that is pinned"),
        ({"version": "23.0"}, "engine-version", "has no docker-ce 23.0"),
    ],
)
def test_what_cannot_be_used_leaves_nothing(
    apt_host: tuple[FakeHost, str, Path], operator: Operator, wanted: dict[str, str], code: str, message: str
) -> None:
    host, key, _ = apt_host
    before = host.files()
    with pytest.raises(BootstrapFailed, match=message) as caught:
        operator.converge(host, engine=mirror(wanted.get("key", key), version=wanted.get("version")))
    assert caught.value.code == code
    assert host.files() == before
    assert not (host.root / "etc/apt/keyrings").exists()
    if code == "engine-version":
        assert caught.value.cause == "it has 25.0.0, 24.0.7"


@needs_gpg
def test_auto_takes_the_distribution_s_where_docker_s_key_is_not_the_pinned_one(
    apt_host: tuple[FakeHost, str, Path], operator: Operator
) -> None:
    host, _, log = apt_host
    host.start_engine_when(host.root / "var/lib/dpkg/status")
    report = operator.converge(host)
    assert (report.engine_source, report.engine_package) == ("distribution", "docker.io")
    assert any("is not the one that is pinned" in text for text in operator.texts("warning"))
    assert "docker-ce" not in log.read_text()


def test_found_installs_nothing(bare_host: FakeHost, operator: Operator) -> None:
    bare_host.command("apt-get", f"touch {bare_host.root}/called")
    before = bare_host.files()
    with pytest.raises(BootstrapFailed, match="none may be installed") as caught:
        operator.converge(bare_host, engine=engine(source="found"))
    assert caught.value.code == "engine-missing"
    assert bare_host.files() == before


@pytest.mark.parametrize(
    ("wanted", "code"),
    [({"version": "24.0"}, "engine-version"), ({"source": "docker"}, "engine-source")],
)
def test_an_engine_that_is_there_is_never_replaced(
    host: FakeHost, operator: Operator, wanted: dict[str, str], code: str
) -> None:
    before = host.files()
    with pytest.raises(BootstrapFailed, match=r"Docker Engine 20\.10\.24") as caught:
        operator.converge(host, engine=engine(**wanted))
    assert caught.value.code == code
    assert host.files() == before


def test_an_engine_that_is_what_was_asked_for_is_used(host: FakeHost, operator: Operator) -> None:
    package = "Package: docker.io\nStatus: install ok installed\nVersion: 20.10.24+dfsg1-1\n\n"
    host.file("var/lib/dpkg/status", package)
    wanted = engine(source="distribution", version="20.10")
    assert operator.converge(host, engine=wanted).engine_source == "found"
    # Later the engine is its owner's business: one that was upgraded is no error.
    assert operator.converge(host, engine=engine(version="19.03")).changed == ()
