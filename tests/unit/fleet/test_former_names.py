"""docker-machine's names in a fleet file: each is answered with what to write, at its place; none is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.compat.names import DRIVERS, LOCAL, UNUSED_FLAGS, VIRTUALBOX_FLAGS
from machine.driver import declared_options, driver_names, load_driver
from machine.fleet.schema import option_key
from tests.unit.fleet.marked import problems

INSTALLED = driver_names()


def options(driver: str, text: str) -> str:
    return f"fleet: x\ngroups: {{web: {{driver: {driver}, options: {{{text}}}}}}}"


@pytest.mark.parametrize("old", [each for each in DRIVERS if each.name not in INSTALLED], ids=lambda each: each.name)
@pytest.mark.parametrize("place", ["group", "defaults"])
def test_a_driver(tmp_path: Path, old: object, place: str) -> None:
    name, now, gone = old.name, old.now, old.gone  # type: ignore[attr-defined]
    text = f"fleet: x\ngroups: {{web: {{driver: ¦{name}}}}}"
    if place == "defaults":
        text = f"fleet: x\ndefaults: {{driver: ¦{name}}}\ngroups: {{web: }}"
    (said,) = problems(tmp_path, text)
    if now in INSTALLED:
        assert said == f"driver: docker-machine's {name} is called {now} here: write driver: {now}"
    elif now == LOCAL:
        assert said == f"driver: {name} is not driven here: write driver: nspawn"
    elif gone:
        assert gone in said
    else:
        assert "is not available in this version; there is aws, generic" in said
        assert now in said


@pytest.mark.parametrize("name", ["gcp", "vsphere", "ibmcloud"])
def test_a_driver_by_the_name_that_it_has_here_and_that_is_not_there_yet(tmp_path: Path, name: str) -> None:
    (said,) = problems(tmp_path, f"fleet: x\ngroups: {{web: {{driver: ¦{name}}}}}")
    assert f"{name} is not available in this version" in said


@pytest.mark.parametrize("driver", ["aws", "generic"])
def test_every_option_of_a_driver_under_its_flag(tmp_path: Path, driver: str) -> None:
    prefixes = {"aws": ("aws-", "amazonec2-", "--amazonec2-"), "generic": ("generic-", "--generic-")}
    for item in declared_options(load_driver(driver)):
        for prefix in prefixes[driver]:
            key = option_key(item)
            found = problems(tmp_path, options(driver, f"'{prefix}{key}': x").replace("{'", "{¦'"))
            assert found == [f"options of the driver {driver}: there is no key {prefix + key!r}; write {key}:"]


@pytest.mark.parametrize("prefix", ["amazonec2-", ""])
@pytest.mark.parametrize("flag", UNUSED_FLAGS["aws"], ids=lambda each: each.name)
def test_an_option_with_nothing_left_to_do(tmp_path: Path, flag: object, prefix: str) -> None:
    name, why = flag.name, flag.why  # type: ignore[attr-defined]
    (said,) = problems(tmp_path, options("aws", f"¦{prefix}{name}: x"))
    assert said.endswith(f"; leave it out: {why}")


@pytest.mark.parametrize("flag", VIRTUALBOX_FLAGS)
def test_an_option_of_virtualbox(tmp_path: Path, flag: str) -> None:
    first, said = problems(tmp_path, options("¦virtualbox", f"¦virtualbox-{flag}: 1"))
    assert "write driver: nspawn" in first
    same = VIRTUALBOX_FLAGS[flag]
    assert said.endswith(f"; write {same[0]}: {same[1].format('N')}, of the driver nspawn" if same else
                         "; leave it out: only VirtualBox has it")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # All is said at once: the driver's name does not hide its options.
        (
            options("¦amazonec2", "¦amazonec2-region: a, ¦amazonec2-use-ebs-optimized-instance: true, ¦zoen: b"),
            ["write driver: aws", "; write region:", "; write ebs-optimized:", "did you mean zone?"],
        ),
        (options("aws", "¦request-spot-instance: true, ¦endpoint: h"), ["; write spot:", "; write endpoint-url:"]),
        # In the wrong place.
        (
            options("aws", "¦engine-opt: debug, ¦tls-san: a"),
            ["; write opt: below engine:, beside", "; write it beside"],
        ),
        (options("aws", "¦swarm-master: true"), ["the classic Swarm has been dead"]),
        (
            "fleet: x\ngroups: {web: {driver: aws, ¦amazonec2-region: a, ¦engine-insecure-registry: h, ¦swarm: true}}",
            [
                "; below options:, write region:",
                "; write insecure-registry: below engine:",
                "; leave it out: the classic",
            ],
        ),
        (
            "fleet: x\ndefaults: {driver: nspawn, ¦virtualbox-memory: 1, ¦engine-optt: a}\ngroups:",
            ["; leave it out: only VirtualBox", "did you mean engine?"],
        ),
        # Close matches of what is neither.
        ("fleet: x\ngroups: {web: {driver: ¦amazonec}}", ["'amazonec' is not known; there is aws, generic"]),
        ("fleet: x\ngroups: {web: {driver: ¦virtualbx}}", ["'virtualbx' is not known; there is aws, generic"]),
    ],
)
def test_names_in_other_places(tmp_path: Path, text: str, said: list[str]) -> None:
    found = problems(tmp_path, text)
    assert len(found) == len(said)
    for each, problem in zip(said, found, strict=True):
        assert each in problem
