"""What the agent's process sees of its host: asked inside its own mounts, as a root with all capabilities."""

from __future__ import annotations

import pytest

from tests.e2e.command import Pymachine

pytestmark = pytest.mark.e2e

_WRITABLE = "find /proc /sys -not -type l -writable 2>/dev/null | head"
_INSIDE = "nsenter --mount --target $(systemctl show -p MainPID --value pymachine-agent.service)"


def test_the_agents_view_of_proc_and_sys_is_read_only(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    assert pymachine("ssh", name, _WRITABLE).stdout  # this root may write, where the mounts let it
    assert pymachine("ssh", name, f"{_INSIDE} sh -c '{_WRITABLE}'").stdout == ""


def test_the_agent_reads_no_addresses_or_memory_of_the_kernel(machine: tuple[Pymachine, str]) -> None:
    pymachine, name = machine
    read = "cat /proc/kallsyms /proc/kcore 2>/dev/null | head -c 100 | wc -c"
    assert pymachine("ssh", name, read).stdout != "0\n"
    assert pymachine("ssh", name, f"{_INSIDE} sh -c '{read}'").stdout == "0\n"
