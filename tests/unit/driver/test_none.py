from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.driver import HostIdentity, resolve_options
from machine.drivers.none import NoneDriver
from machine.errors import PreCheckFailed, UsageError
from machine.model import Spec
from machine.trust.certificates import load_authority, new_authority, new_client

FLAGS = ("ca_cert", "client_cert", "client_key")


def request(**given: str) -> dict[str, Any]:
    driver = NoneDriver()
    options = resolve_options(driver, given, {})
    owner = HostIdentity(store="s", authorized_key="ssh-ed25519 AAAA")
    return driver.check(Spec(name="web", driver="none"), options, owner)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    pair = new_authority("s")
    client = new_client(load_authority(pair), store="s", machine="web", user="me")
    for name, content in zip(FLAGS, (pair.certificate, client.certificate, client.key), strict=True):
        (tmp_path / name).write_bytes(content)
    return {name: str(tmp_path / name) for name in FLAGS}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("tcp://192.0.2.7:2376", "192.0.2.7", 2376),
        ("tcp://docker.example.org:80/", "docker.example.org", 80),
        ("tcp://[2001:db8::7]:2376", "2001:db8::7", 2376),
        ("tcp://[2001:db8::7]", "2001:db8::7", 2375),
        ("tcp://192.0.2.7", "192.0.2.7", 2375),
    ],
)
def test_a_url_is_a_host_and_a_port_and_without_tls_the_port_is_that_of_dockers_plain_one(
    url: str, host: str, port: int
) -> None:
    assert request(url=url) == {"host": host, "port": port, "certificates": None}


def test_with_certificates_the_port_left_out_is_that_of_dockers_tls(files: dict[str, str]) -> None:
    assert request(url="tcp://192.0.2.7", **files) == {"host": "192.0.2.7", "port": 2376, "certificates": files}


@pytest.mark.parametrize(
    "url",
    [
        "192.0.2.7:2376",
        "none",
        "http://192.0.2.7",
        "unix:///run/docker.sock",
        "tcp://",
        "tcp://:2376",
        "tcp://192.0.2.7:0",
        "tcp://192.0.2.7:65536",
        "tcp://192.0.2.7:x",
        "tcp://2001:db8::7",
        "tcp://[2001:db8::g]:1",
        "tcp://[v1.x]:1",
        "tcp://me@192.0.2.7:2376",
        "tcp://192.0.2.7:2376/v1.41",
        "tcp://192.0.2.7:2376?x",
        "tcp://a b:1",
        "tcp://-x:1",
        'tcp://x";id;":1',
    ],
)
def test_what_is_not_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--none-url: "):
        request(url=url)


@pytest.mark.parametrize("missing", FLAGS)
def test_certificates_go_together_and_the_missing_one_is_named(files: dict[str, str], missing: str) -> None:
    del files[missing]
    with pytest.raises(UsageError, match=f"--none-{missing.replace('_', '-')}"):
        request(url="tcp://192.0.2.7", **files)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_certificate_that_cannot_be_used_is_refused_and_its_file_named(
    files: dict[str, str], name: str, content: bytes | None
) -> None:
    if content is None:
        Path(files[name]).unlink()
    else:
        Path(files[name]).write_bytes(content)
    with pytest.raises(PreCheckFailed, match=files[name]):
        request(url="tcp://192.0.2.7", **files)


def test_a_key_of_another_certificate_is_refused(files: dict[str, str]) -> None:
    Path(files["client_key"]).write_bytes(new_authority("s").key)
    with pytest.raises(PreCheckFailed, match="not a certificate and its key"):
        request(url="tcp://192.0.2.7", **files)


def test_a_path_is_the_same_file_in_every_directory(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert request(url="tcp://192.0.2.7", **{name: name for name in FLAGS})["certificates"] == files
