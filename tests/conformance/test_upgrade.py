"""``upgrade``: which version became which, a stopped machine started first; and what the agent does on the host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from machine.agent.converge import engine as engines
from machine.agent.converge import upgrade as on_host
from machine.agent.errors import Failed
from machine.agent.host import Host, Ran
from machine.bootstrap.session import Upgraded
from machine.model import State
from machine.operations import upgrade as operations
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program


class Connection:
    """To a host that is not there."""

    user = "root"

    @contextlib.contextmanager
    def open(self, *_: object) -> Iterator[None]:
        yield


def answers(monkeypatch: pytest.MonkeyPatch, before: str, after: str) -> None:
    done = Upgraded(
        kind="docker",
        before=before,
        after=after,
        package="docker.io",
        package_before=before,
        package_version=after,
        changed=before != after,
    )
    monkeypatch.setattr(operations.session, "upgrade", lambda *_, **__: done)
    monkeypatch.setattr(operations, "connect_to_host", lambda *_, **__: Connection())
    monkeypatch.setattr(operations, "verify_endpoint", lambda *_, **__: None)


def test_it_says_from_and_to_and_the_new_version_is_recorded(
    program: Program, fleet: Fleet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("web", driver="generic")
    fleet.add("db", driver="generic")
    answers(monkeypatch, "20.10.24", "24.0.7")
    said = program("upgrade", "web", "db")
    assert said.code == 0
    assert "web is upgraded from 20.10.24 to 24.0.7." in said.out
    assert "db is upgraded from 20.10.24 to 24.0.7." in said.out
    assert store.machines.get("web").engine == "docker 24.0.7"


def test_nothing_to_do_is_said(program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.add("default", driver="generic")
    answers(monkeypatch, "24.0.7", "24.0.7")
    said = program("upgrade")
    assert (said.code, "24.0.7. Nothing to do." in said.out) == (0, True)


def test_an_unknown_machine_and_nothing_is_done_to_any(
    program: Program, fleet: Fleet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("web", driver="generic")
    answers(monkeypatch, "20.10.24", "24.0.7")
    assert program("upgrade", "web", "nobody").code == 1
    assert store.machines.get("web").engine == "docker 20.10.24"


def test_an_endpoint_without_a_host_cannot_be_upgraded(program: Program, fleet: Fleet) -> None:
    program("create", "-d", "none", "--url", "tcp://192.0.2.9:2375", "far")
    said = program("upgrade", "far")
    assert said.code == 1


def test_a_stopped_machine_is_started(store: Store, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from machine.driver import Capabilities
    from machine.operations.operation import Settings

    machine = fleet.add("web", State.STOPPED)
    order: list[str] = []

    def start(instance: object, _step: object) -> object:
        order.append("start")
        return instance

    def bring_up(*_: object, **__: object) -> Any:
        order.append("bring up")
        return store.machines.get("web")

    answers(monkeypatch, "20.10.24", "24.0.7")
    monkeypatch.setattr(operations, "bring_up", bring_up)
    driver: Any = SimpleNamespace(name="cloud", capabilities=Capabilities(stop=True), start=start)
    after, _ = operations.upgrade(store, machine, driver, Settings())
    assert order == ["start", "bring up"]
    assert after.state is State.RUNNING


class Apt:
    """A package manager that has one version of one package."""

    def __init__(self, installed: dict[str, str], newest: Sequence[str], complaint: str = "", code: int = 0) -> None:
        self.installed, self._newest, self._complaint, self._code = installed, list(newest), complaint, code
        self.asked: list[tuple[str, ...]] = []

    def repair(self) -> None: ...

    def refresh(self) -> str:
        return self._complaint

    def versions(self, package: str) -> list[str]:
        return self._newest

    def get(self, action: str, *words: str, watch: bool = False) -> Ran:
        self.asked.append((action, *words))
        if self._code == 0:
            for name in words:
                if name in self.installed:
                    self.installed[name] = self._newest[0]
        return Ran(self._code, "", "it broke" if self._code else "")


class Wire:
    """Says nothing to nobody."""

    def begin(self, name: str) -> None: ...

    def progress(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def done(self, text: str = "") -> None: ...


def upgraded(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, apt: Apt) -> dict[str, Any]:
    def engine(*_: object) -> engines.Engine:
        version = next((value for name, value in apt.installed.items() if name.startswith("docker")), "1")
        return engines.Engine("/run/docker.sock", {"Version": version}, 0)

    monkeypatch.setattr(on_host, "manager", lambda *_: apt)
    monkeypatch.setattr(on_host, "installed_packages", lambda _host: dict(apt.installed))
    monkeypatch.setattr(engines, "find", engine)
    wire: Any = Wire()
    return on_host.upgrade(Host(str(tmp_path)), wire, {"store": "s", "machine": "web"})


def test_the_engine_s_packages_are_upgraded_together_and_no_other(monkeypatch: Any, tmp_path: Any) -> None:
    apt = Apt({"docker.io": "1.0", "containerd": "1.0", "vim": "1.0"}, ["2.0"])
    result = upgraded(monkeypatch, tmp_path, apt)
    assert (result["before"], result["after"], result["changed"]) == ("1.0", "2.0", True)
    action, *words = apt.asked[0]
    assert action == "install"
    assert {"--only-upgrade", "--no-remove", "docker.io", "containerd"} <= set(words)
    assert "vim" not in words
    assert "runc" not in words  # it is not there, and not brought


def test_the_newest_there_is_stays_untouched(monkeypatch: Any, tmp_path: Any) -> None:
    apt = Apt({"docker-ce": "2.0"}, ["2.0", "1.0"])
    assert upgraded(monkeypatch, tmp_path, apt)["changed"] is False
    assert apt.asked == []


@pytest.mark.parametrize(
    ("apt", "said"),
    [
        (Apt({"vim": "1"}, []), "from none of the packages known here"),
        (Apt({"docker.io": "1.0"}, ["2.0"], code=100), "upgrading docker.io failed"),
        (Apt({"docker.io": "1.0"}, [], complaint="no route"), "package sources cannot be reached"),
    ],
    ids=["by hand", "apt fails", "no sources"],
)
def test_what_cannot_be_upgraded_says_why(monkeypatch: Any, tmp_path: Any, apt: Apt, said: str) -> None:
    with pytest.raises(Failed, match=said):
        upgraded(monkeypatch, tmp_path, apt)
