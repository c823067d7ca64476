"""What of an engine's settings is a secret, and how it comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.errors import StoreError
from machine.model import EngineSpec
from machine.operations.enginesecrets import ENGINE_SECRETS, as_file, flags_with_secrets, put_back, taken_out
from machine.store.files import Files

CASES = [
    ("environment", "HTTP_PROXY=http://ada:pass@proxy:3128", "HTTP_PROXY=http://[hidden]@proxy:3128"),
    ("environment", "HTTP_PROXY=http://ada:p@ss@proxy:3128", "HTTP_PROXY=http://[hidden]@proxy:3128"),
    ("environment", "A=http://a:b@c,http://d:e@f", "A=http://[hidden]@c,http://[hidden]@f"),
    ("environment", "AWS_SECRET_ACCESS_KEY=abc==", "AWS_SECRET_ACCESS_KEY=[hidden]"),
    ("options", "http-proxy=socks5://ada:pass@proxy", "http-proxy=socks5://[hidden]@proxy"),
    ("options", "log-opt=splunk-token=abc", "log-opt=splunk-token=[hidden]"),
    ("options", "registry-mirror=https://token@mirror/x", "registry-mirror=https://[hidden]@mirror/x"),
    ("registry_mirrors", "https://ada:pass@mirror", "https://[hidden]@mirror"),
]
HARMLESS = [
    ("environment", "HTTP_PROXY=http://proxy:3128"),
    ("environment", "A=http://host/ada@b"),
    ("environment", "GREETING=mail@example.org"),
    ("options", "log-driver=journald"),
    ("labels", "token=front"),
]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "web"))


def keep(files: Files, secrets: dict[str, Any]) -> None:
    for name, content in as_file(secrets).items():
        files.write(name, content)


@pytest.mark.parametrize(("field", "value", "shown"), CASES)
def test_it_is_taken_out_and_put_back_to_the_letter(files: Files, field: str, value: str, shown: str) -> None:
    engine = EngineSpec(**{field: ("A=b", value)})
    without, secrets = taken_out(engine)
    assert getattr(without, field) == ("A=b", shown)
    keep(files, secrets)
    assert put_back(files, without) == engine


def test_a_mirror_of_packages_may_have_one(files: Files) -> None:
    engine = EngineSpec(repository="https://ada:pass@mirror/debian", repository_key="A" * 40)
    without, secrets = taken_out(engine)
    assert without.repository == "https://[hidden]@mirror/debian"
    keep(files, secrets)
    assert put_back(files, without) == engine


@pytest.mark.parametrize(("field", "value"), HARMLESS)
def test_what_is_none_stays_and_no_file_is_made(files: Files, field: str, value: str) -> None:
    engine = EngineSpec(**{field: (value,)})
    assert taken_out(engine) == (engine, {})
    assert as_file({}) == {}
    assert put_back(files, engine) == engine


def test_a_placeholder_is_no_secret(files: Files) -> None:
    without, _ = taken_out(EngineSpec(environment=("P=http://ada:pass@proxy", "TOKEN=abc")))
    assert taken_out(without) == (without, {})


def test_the_flags_that_hold_one_are_named() -> None:
    engine = EngineSpec(
        environment=("P=http://a:b@c",), options=("mtu=1",), registry_mirrors=("https://a:b@c",), repository="http://x"
    )
    assert flags_with_secrets(engine) == ["--engine-env", "--engine-registry-mirror"]


@pytest.mark.parametrize("content", [None, b"", b"no json", b"[]", b'{"environment": ["P=http://a:b@other"]}', b"{}"])
def test_a_file_that_is_gone_or_another_s_is_an_error_and_never_a_placeholder_on_a_host(
    files: Files, content: bytes | None
) -> None:
    without, _ = taken_out(EngineSpec(environment=("P=http://ada:pass@proxy",)))
    if content is not None:
        files.write(ENGINE_SECRETS, content)
    with pytest.raises(StoreError, match="passwords of the engine's settings are not kept") as refused:
        put_back(files, without)
    assert ENGINE_SECRETS in str(refused.value.cause)


def test_what_is_kept_of_other_fields_does_not_come_along(files: Files) -> None:
    engine = EngineSpec(environment=("P=http://ada:pass@proxy",))
    without, secrets = taken_out(engine)
    keep(files, {**secrets, "labels": ["a=b"]})
    with pytest.raises(StoreError):
        put_back(files, without)
