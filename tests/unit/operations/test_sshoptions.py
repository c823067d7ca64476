"""What ssh is told of a host's key: the pinned one and no other, also where its file was lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from machine.model import Access, Instance, Machine, Spec, State
from machine.operations.sshoptions import ssh_host

NEW = Machine(
    id=1, name="web", spec=Spec(name="web", driver="generic"), state=State.RUNNING, state_at=0.0, endpoint=None,
    created_at=0.0, instance=Instance(driver="generic", id="192.0.2.7", access=Access(host="192.0.2.7", user="root")),
)  # fmt: skip


def checking(machine: Machine, files: Path) -> str:
    return dict(ssh_host(machine, str(files)).options)["StrictHostKeyChecking"]


@pytest.mark.parametrize(("policy", "said"), [("first-use", "accept-new"), ("strict", "yes")])
def test_a_host_that_was_never_met_is_met_as_its_policy_says(tmp_path: Path, policy: str, said: str) -> None:
    machine = dataclasses.replace(NEW, spec=dataclasses.replace(NEW.spec, host_key_policy=policy))
    assert checking(machine, tmp_path) == said


def test_after_the_first_meeting_no_other_key_is_taken(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("web ssh-ed25519 AAAA\n")
    assert checking(NEW, tmp_path) == "yes"


def test_a_known_hosts_file_that_was_lost_does_not_make_the_next_key_the_first(tmp_path: Path) -> None:
    assert NEW.instance is not None
    access = dataclasses.replace(NEW.instance.access, host_keys=("ssh-ed25519 AAAA",))
    met = dataclasses.replace(NEW, instance=dataclasses.replace(NEW.instance, access=access))
    assert checking(met, tmp_path) == "yes"
