"""A password in an engine's settings is in one file of the machine's, and on its host: nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from machine.model import EngineSpec
from machine.operations.enginesecrets import ENGINE_SECRETS
from machine.store.files import Files
from machine.store.location import DATABASE
from machine.store.store import Store
from tests.conformance.conftest import Program, Said
from tests.conformance.hosts import Hosts
from tests.conformance.old_stores import OldStore, version_3
from tests.faults import scripted
from tests.unit.specs import spec

CANARY = "canary-4711"
SAID = {
    "--engine-env": f"HTTP_PROXY=http://ada:{CANARY}@proxy.example:3128",
    "--engine-opt": f"log-opt=splunk-token={CANARY}",
    "--engine-registry-mirror": f"https://ada:{CANARY}@mirror.example",
}
FLAGS = [word for pair in SAID.items() for word in pair]
SETTINGS = {"log-opts": {"splunk-token": CANARY}, "registry-mirrors": [f"https://ada:{CANARY}@mirror.example"]}
ENVIRONMENT = {"HTTP_PROXY": f"http://ada:{CANARY}@proxy.example:3128"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What hosts were asked for. They are careless, and repeat what they were told."""
    documents: list[dict[str, Any]] = []
    original = scripted.ScriptedChannel._wanted

    def wanted(self: scripted.ScriptedChannel, data: bytes) -> None:
        documents.append(json.loads(data))
        text = f"the proxy is now http://ada:{CANARY}@proxy.example:3128, the token {CANARY}"
        self._say(step="engine", status="progress", text=text, elapsed=0.1)
        original(self, data)

    monkeypatch.setattr(scripted.ScriptedChannel, "_wanted", wanted)
    return documents


def holders(store: Store) -> set[str]:
    """The files of a store with the password in them, the database's own beside it included."""
    found = {path for path in Path(store.directory).rglob("*") if path.is_file()}
    assert any(path.name == f"{DATABASE}-wal" and path.stat().st_size for path in found)
    return {str(path.relative_to(store.directory)) for path in found if CANARY.encode() in path.read_bytes()}


@pytest.fixture
def kept(store: Store) -> Callable[[], bool]:
    """Whether the password is where it may be, and only there."""
    return lambda: holders(store) == {f"machines/web/{ENGINE_SECRETS}"}


def shown(said: Said) -> str:
    return said.out + said.err


def test_the_host_is_sent_the_password_and_nothing_else_has_it(
    program: Program, hosts: Hosts, sent: list[dict[str, Any]], kept: Callable[[], bool], store: Store
) -> None:
    said = program(*hosts.create, *FLAGS, "web")
    assert said.code == 0
    assert (sent[0]["engine"]["settings"], sent[0]["engine"]["environment"]) == (SETTINGS, ENVIRONMENT)
    assert kept()
    place = Path(store.files("web").path(ENGINE_SECRETS))
    assert place.stat().st_mode & 0o777 == 0o600
    for flag in SAID:
        assert f"the secret in {flag} is kept in {place} (0600), and on the host" in said.err
    assert CANARY not in shown(said)


@pytest.mark.parametrize(
    "words",
    [["inspect"], ["inspect", "-f", "{{json .}}"], ["ls", "-o", "json"], ["ls", "-f", "{{.EngineOptions}}"],
     ["ls", "--recorded"]],
    ids=" ".join,
)  # fmt: skip
def test_whoever_looks_sees_a_placeholder(
    program: Program, hosts: Hosts, sent: list[dict[str, Any]], words: list[str]
) -> None:
    program(*hosts.create, *FLAGS, "web")
    said = program(*words, *(["web"] if words[0] == "inspect" else []))
    assert said.code == 0
    assert CANARY not in shown(said)
    if words[0] == "inspect":
        assert "http://[hidden]@proxy.example:3128" in said.out


def test_a_debugger_sees_none_either(program: Program, hosts: Hosts, sent: list[dict[str, Any]]) -> None:
    said = program("-D", *hosts.create, *FLAGS, "web")
    assert said.code == 0
    assert "the proxy is now" in said.err
    assert CANARY not in shown(said)


def test_provision_sends_it_again(
    program: Program, hosts: Hosts, sent: list[dict[str, Any]], kept: Callable[[], bool]
) -> None:
    program(*hosts.create, *FLAGS, "web")
    assert program("provision", "web").code == 0
    assert sent[-1]["engine"]["environment"] == ENVIRONMENT
    assert kept()


def test_it_goes_with_the_machine(program: Program, hosts: Hosts, sent: list[dict[str, Any]], store: Store) -> None:
    program(*hosts.create, *FLAGS, "web")
    assert program("rm", "-y", "web").code == 0
    assert holders(store) == set()


def test_it_is_written_before_anything_is_made(
    program: Program, hosts: Hosts, kept: Callable[[], bool], sent: list[dict[str, Any]]
) -> None:
    hosts.cloud.fail("run")
    assert program(*hosts.create, *FLAGS, "web").code == 1
    assert kept()
    assert program("create", "web").code == 0  # its name is enough to go on
    assert sent[0]["engine"]["environment"] == ENVIRONMENT


def test_a_repeated_create_with_another_password_goes_on_with_the_new_one(
    program: Program, hosts: Hosts, sent: list[dict[str, Any]], store: Store
) -> None:
    hosts.cloud.fail("run")
    program(*hosts.create, *(word.replace(CANARY, "mistyped") for word in FLAGS), "web")
    assert program(*hosts.create, *FLAGS, "web").code == 0
    assert sent[0]["engine"]["environment"] == ENVIRONMENT
    assert b"mistyped" not in Path(store.files("web").path(ENGINE_SECRETS)).read_bytes()


def test_other_settings_are_other_settings(program: Program, hosts: Hosts, sent: list[dict[str, Any]]) -> None:
    hosts.cloud.fail("run")
    program(*hosts.create, *FLAGS, "web")
    said = program(*hosts.create, *FLAGS, "--engine-label", "a=b", "web")
    assert said.code == 1
    assert CANARY not in shown(said)
    if not program.drop_in:
        assert "was begun with other options" in said.err


def test_a_create_that_was_cut_off_before_it_was_written_asks_for_it_again(
    program: Program, hosts: Hosts, sent: list[dict[str, Any]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Files.write

    def cut(self: Files, name: str, content: bytes, *mode: int) -> None:
        if name == ENGINE_SECRETS:
            raise KeyboardInterrupt
        write(self, name, content, *mode)

    with monkeypatch.context() as patch:
        patch.setattr(Files, "write", cut)
        assert program(*hosts.create, *FLAGS, "web").code == 130
    assert holders(store) == set()
    said = program("create", "web")
    assert said.code == 1
    assert "say the settings again, with their passwords" in said.err
    assert program(*hosts.create, *FLAGS, "web").code == 0
    assert sent[0]["engine"]["environment"] == ENVIRONMENT


def test_a_placeholder_from_inspect_is_no_password(program: Program, hosts: Hosts, store: Store) -> None:
    said = program(*hosts.create, "--engine-env", "HTTP_PROXY=http://[hidden]@proxy.example:3128", "web")
    assert said.code == 1
    assert "passwords of the engine's settings are not kept" in said.err
    assert store.machines.names() == []


def test_what_a_host_s_failure_repeats_is_not_recorded(
    program: Program, hosts: Hosts, kept: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wanted(self: scripted.ScriptedChannel, data: bytes) -> None:
        message = f"no answer from http://ada:{CANARY}@proxy.example:3128"
        self._say(error={"message": message, "code": "apt", "cause": f"curl -u ada:{CANARY}"})

    monkeypatch.setattr(scripted.ScriptedChannel, "_wanted", wanted)
    said = program(*hosts.create, *FLAGS, "web")
    assert said.code == 1
    assert "no answer from http://[hidden]@proxy.example:3128" in said.err
    assert CANARY not in shown(said)
    assert kept()


def test_a_question_about_an_engine_shows_none(
    program: Program, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    from machine.bootstrap.session import EngineChange
    from machine.operations.consent import _shown

    program(*hosts.create, *FLAGS, "web")
    change = EngineChange(lines=(("proxy", "", f"http://ada:{CANARY}@proxy"),), containers=0, warnings=(CANARY,))
    assert CANARY not in repr(_shown(change))


def test_a_record_of_an_older_version_is_not_shown_and_still_sent(program: Program, store: Store) -> None:
    from machine.operations.enginesecrets import put_back

    engine = EngineSpec(environment=(SAID["--engine-env"],))
    store.journal.begin_create(spec("web", engine=engine))
    assert put_back(store.files("web"), store.machines.get("web").spec.engine) == engine
    said = program("inspect", "web")
    assert CANARY not in shown(said)
    assert "[hidden]" in said.out


def test_an_import_takes_it_into_the_file(
    program: Program, tmp_path: Path, store: Store, kept: Callable[[], bool]
) -> None:
    document = version_3()
    document["HostOptions"]["EngineOptions"]["Env"] = [SAID["--engine-env"]]
    old = OldStore(tmp_path / "old")
    old.machine("web", document)
    said = program("import", "--from-docker-machine", str(old.directory))
    assert said.code == 0
    assert ENGINE_SECRETS in said.out
    assert CANARY not in shown(said)
    assert kept()
