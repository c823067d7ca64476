"""The program under both of its names, and machines in a store whose providers and endpoints say what a test wants."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# These shall hold the real load_driver, and not one that a test puts there.
import machine.api.making
import machine.cli.create
import machine.operations.absent  # noqa: F401
from machine import hot
from machine.driver import Capabilities
from machine.errors import DriverError, EndpointUnverified
from machine.model import Access, Endpoint, EngineSpec, Instance, Machine, Observation, Spec, State
from machine.operations.endpoint import Health
from machine.store.store import Store
from tests.conformance import hosts as real_ones

NAMES = ("pymachine", "docker-machine")


@pytest.fixture(autouse=True)
def _no_debugger_left() -> Iterator[None]:
    """What `-D` of a test has set up in this process goes with the test."""
    logger = logging.getLogger("machine")
    before = list(logger.handlers)
    yield
    logger.handlers[:] = before


@dataclass(frozen=True)
class Said:
    """What a command line printed, and how it ended."""

    code: int
    out: str
    err: str


class Program:
    """The command under one of its names, on the store of the test."""

    def __init__(self, path: Path, store: Store, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.name = path.name
        self.drop_in = path.name == "docker-machine"
        self._store = store
        self._capsys = capsys
        self._patch = patch

    def __call__(self, *argv: str, stdin: str = "") -> Said:
        """Run a command line in this very process: everything but the start of one is the same."""
        self._patch.setattr(sys, "argv", [str(self.path), "-s", self._store.directory, *argv])
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        code = hot.main()
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def process(self, *argv: str) -> Said:
        """Run a command line in a process of its own."""
        line = [str(self.path), "-s", self._store.directory, *argv]
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=60)
        return Said(done.returncode, done.stdout, done.stderr)

    def expects(self, both: Any) -> Any:
        """What is expected under this name: a mapping of the two names, or one value for both."""
        return both[self.name] if isinstance(both, Mapping) and set(both) == set(NAMES) else both


@pytest.fixture(params=NAMES)
def program(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Program:
    """The installed command, and a link to it by the other name."""
    path = Path(sys.executable).parent / "pymachine"
    if request.param != path.name:
        link = tmp_path / "bin" / request.param
        link.parent.mkdir()
        link.symlink_to(path)
        path = link
    return Program(path, store, capsys, monkeypatch)


class Fleet:
    """Machines that are recorded, and what is said of each when somebody asks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: list[str] = []
        self.says: dict[str, State | str] = {}  # by the instance's id: what the provider says, or fails with
        self.engines: dict[str, str | None] = {}  # by the address: the version; None: nobody answers

    def add(
        self,
        name: str,
        state: State = State.RUNNING,
        *,
        driver: str = "cloud",
        address: str | None = None,
        port: int = 2376,
        route: str = "direct",
        says: State | str | None = None,
        engine: str | None = "20.10.24",
        labels: Sequence[str] = (),
        error: str | None = None,
        settings: EngineSpec | None = None,
        **spec: Any,
    ) -> Machine:
        """Record a machine.

        Args:
            state: as it is recorded.
            says: what its provider says of it; left out: the same. A text: the call fails.
            engine: the version that its endpoint tells; None: nobody answers there.
        """
        address = address or f"192.0.2.{len(self.says) + 1}"
        wanted = Spec(name=name, driver=driver, engine=settings or EngineSpec(labels=tuple(labels)), **spec)
        entry = self._store.journal.begin_create(wanted)
        access = Access(host=address, host_keys=("ssh-ed25519 AAAA",))
        if route == "plain":  # as the driver none has it
            access = Access(host=address, port=None, user=None, machine_key_installed=False)
        instance = Instance(driver=driver, id=name, access=access)
        self._store.journal.record_instance(entry, instance)
        shown = f"[{address}]" if ":" in address else address
        if route != "plain":
            recorded = f"docker {engine}" if engine else None
            self._store.journal.record_converged(entry, port=port, engine=recorded, facts={"os": "Debian 12"})
        self._store.journal.record_endpoint(entry, Endpoint(url=f"tcp://{shown}:{port}", route=route))
        self._store.journal.finish(entry, state=state, error=error)
        self.says[name] = state if says is None else says
        self.engines[address] = engine
        return self._store.machines.get(name)

    def load(self, driver: str) -> Any:
        """In the place of `machine.driver.load_driver`."""
        return _Provider(driver, self)

    def health(self, address: str, *_: Any, **__: Any) -> Health:
        """In the place of an endpoint."""
        self.asked.append(address)
        version = self.engines[address]
        if version is None:
            raise EndpointUnverified(f"{address}:2376 refuses connections", layer="port")
        return Health(agent_version="0.1.0", engine_version=version, engine_trouble="")


class _Provider:
    capabilities = Capabilities(stop=True)

    def __init__(self, driver: str, fleet: Fleet) -> None:
        self._driver = driver
        self._fleet = fleet

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        self._fleet.asked.append(self._driver)
        said = [self._fleet.says[each.id] for each in instances]
        for word in said:
            if not isinstance(word, State):
                raise DriverError(word)
        return [Observation(state=word) for word in said if isinstance(word, State)]


@pytest.fixture
def fleet(store: Store, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """An empty one."""
    made = Fleet(store)
    monkeypatch.setattr("machine.driver.load_driver", made.load)
    monkeypatch.setattr("machine.operations.observe.ask_health", made.health)
    monkeypatch.setattr("machine.operations.observe.ask_engine", made.health)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert "DOCKER_MACHINE_NAME" not in os.environ
    return made


@pytest.fixture
def some(fleet: Fleet) -> Fleet:
    """Machines of several kinds."""
    fleet.add("web10", labels=["env=Prod", "tier=front", "bare"])
    fleet.add("Web2", State.STOPPED, engine=None, labels=["env=test"])
    fleet.add("web1", driver="other", engine="24.0.7")
    fleet.add("db", State.ERROR, driver="Other", engine=None)
    return fleet


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> real_ones.Hosts:
    """A cloud in a file for `create -d memory`, whose hosts speak from a script."""
    return real_ones.played(tmp_path, monkeypatch)
