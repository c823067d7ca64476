from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from machine.driver import Driver, HostIdentity, load_driver, resolve_options
from machine.errors import DriverError, PreCheckFailed
from machine.model import Instance, Spec
from machine.testing.cloud import MemoryCloud
from machine.testing.contract import DriverContract
from machine.testing.memory import CLOUD_VARIABLE, KEY_VARIABLE, MemoryDriver
from machine.testing.plugin import MEMORY, register_drivers
from machine.testing.recorder import ListRecorder

KEY = "canary-4711"


class TestMemoryKeepsTheContract(DriverContract):
    new_address_after_start = True
    cloud: MemoryCloud

    @pytest.fixture
    def provider(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = MemoryCloud(tmp_path / "cloud")
        self.cloud.demand_key(KEY)
        self.cloud.set_latency(0.01)
        monkeypatch.setenv(CLOUD_VARIABLE, str(tmp_path / "cloud"))
        monkeypatch.setenv(KEY_VARIABLE, KEY)

    def new_driver(self) -> Driver:
        return MemoryDriver()

    def given(self) -> Mapping[str, Any]:
        return {"region": "south", "size": "2", "disk": "9", "spot": "yes", "label": ("a", "b"), "api_key": KEY}

    def wrong_values(self) -> Mapping[str, str | None]:
        return {"size": "65"}

    def lose(self, instance: Instance) -> None:
        self.cloud.lose(instance.id)

    def everything(self) -> list[str]:
        return [f"instance {each.id}" for each in self.cloud.instances()]


@pytest.fixture
def cloud(tmp_path: Path) -> MemoryCloud:
    return MemoryCloud(tmp_path)


def create(cloud_directory: Path, token: str = "t") -> Instance:
    driver = MemoryDriver(cloud_directory)
    owner = HostIdentity(store="s", authorized_key="ssh-ed25519 AAAA")
    request = driver.check(Spec(name="m1", driver="memory"), resolve_options(driver, {}, {}), owner)
    return driver.create(request, token, ListRecorder())


def test_many_instances_are_observed_by_one_call(cloud: MemoryCloud, tmp_path: Path) -> None:
    made = [create(tmp_path, f"t{number}") for number in range(5)]
    before = len(cloud.calls())
    MemoryDriver(tmp_path).observe(made)
    assert cloud.calls()[before:] == ["describe"]


def test_a_call_that_failed_had_no_effect_and_one_whose_answer_was_lost_had_it(
    cloud: MemoryCloud, tmp_path: Path
) -> None:
    cloud.fail("run", kind="error")
    with pytest.raises(DriverError):
        create(tmp_path)
    assert cloud.instances() == []
    cloud.fail("run", kind="lost")
    with pytest.raises(DriverError):
        create(tmp_path)
    (there,) = cloud.instances()
    assert create(tmp_path).id == there.id


def test_the_nth_call_fails_and_no_other(cloud: MemoryCloud, tmp_path: Path) -> None:
    cloud.fail("run", nth=2)
    create(tmp_path, "t1")
    with pytest.raises(DriverError):
        create(tmp_path, "t2")
    create(tmp_path, "t2")


def test_a_full_region_refuses_another_instance_and_not_one_that_is_there(cloud: MemoryCloud, tmp_path: Path) -> None:
    cloud.set_capacity("north", 1)
    first = create(tmp_path, "t1")
    with pytest.raises(DriverError) as refused:
        create(tmp_path, "t2")
    assert refused.value.cause == "no capacity in north"
    assert create(tmp_path, "t1") == first


def test_a_wrong_key_is_found_before_anything_is_made(cloud: MemoryCloud, tmp_path: Path) -> None:
    cloud.demand_key("right")
    with pytest.raises(PreCheckFailed) as refused:
        create(tmp_path)
    assert refused.value.hint == f"set {KEY_VARIABLE}"


@pytest.mark.parametrize(("kind", "made"), [("kill-before", 0), ("kill-after", 1)])
def test_a_process_killed_in_a_call_leaves_its_effect_for_other_processes_to_see(
    cloud: MemoryCloud, tmp_path: Path, kind: str, made: int
) -> None:
    cloud.fail("run", kind=kind)
    code = "import sys; from pathlib import Path; from machine.testing.cloud import MemoryCloud as C;"
    code += "C(Path(sys.argv[1])).run(token='t', store='s', machine='m', region='north', size=1,"
    code += "authorized_key='k', host_key='h')"
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(cloud.instances()) == made


def test_a_registered_driver_is_found_here_and_in_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = register_drivers(tmp_path / "plugins", MEMORY)
    monkeypatch.syspath_prepend(directory)
    assert isinstance(load_driver("memory"), MemoryDriver)
    listed = subprocess.run(
        [sys.executable, "-c", "from machine.driver import driver_names; print(driver_names())"],
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "'memory'" in listed.stdout


def test_the_driver_says_what_an_instance_is_billed_as_and_what_that_costs(cloud: MemoryCloud, tmp_path: Path) -> None:
    made = create(tmp_path, "t")
    driver = MemoryDriver(tmp_path)
    (seen,) = driver.observe([made])
    assert seen.offering is not None
    assert made.offering == seen.offering
    (unknown,) = driver.prices([seen.offering])
    assert (unknown.hourly, unknown.why_unknown) == (None, f"the list has no price of {seen.offering.type}")
    cloud.set_price(seen.offering.type, "0.05")
    (known,) = driver.prices([seen.offering])
    assert (known.hourly, known.currency) == ("0.05", "USD")
