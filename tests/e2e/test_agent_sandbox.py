"""What the agent's process sees of its host: asked inside its own mounts, as a root with all capabilities; and what it
may do to it: asked by another process that its own unit starts.
"""

from __future__ import annotations

import shlex

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


_TRY = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
calls = {"x86_64": (176, 313, 175), "aarch64": (106, 273, 105)}[platform.machine()]
for name, number in zip(("delete_module", "finit_module", "init_module"), calls):
    libc.syscall(number, -1, -1, -1)
    print(name, errno.errorcode[ctypes.get_errno()])
print(*(line for line in open("/proc/self/status") if line.startswith(("Cap", "NoNewPrivs"))), sep="")
"""
_UNIT = "/etc/systemd/system/pymachine-agent.service"
_TRIAL = "/run/systemd/system/trial.service"
# The agent's unit with another thing to run, whose output goes where root can read it; and another errno, which tells
# the refusals of this unit's filter from all others.
_AS_TRIAL = (
    r"s/^Type=.*/Type=oneshot/; s/^SystemCallErrorNumber=.*/SystemCallErrorNumber=ENOTUNIQ/; "
    r"s#^ExecStart=.*#ExecStart=/usr/bin/python3 -I -S /usr/local/lib/trial.py#; "
    r"/^\(Restart\|Watchdog\|ExecReload\|NotifyAccess\|Requires\|After\)/d; /^\[Install\]/,$d; "
    r"/^\[Service\]/a StandardOutput=file:/run/trial.out"
)


def test_the_agent_may_not_touch_the_kernels_modules(machine: tuple[Pymachine, str]) -> None:
    """Twice over: no capability, and no system call."""
    pymachine, name = machine
    put = f"printf %s {shlex.quote(_TRY)} >/usr/local/lib/trial.py; sed {shlex.quote(_AS_TRIAL)} {_UNIT} >{_TRIAL}"
    run = "systemctl daemon-reload && systemctl start trial.service && cat /run/trial.out"
    end = f"rm -f {_TRIAL} /run/trial.out /usr/local/lib/trial.py; systemctl daemon-reload"
    said = dict(line.split() for line in pymachine("ssh", name, f"{put}; {run}; {end}").stdout.splitlines() if line)
    assert [said.pop(f"{call}_module") for call in ("delete", "finit", "init")] == ["ENOTUNIQ"] * 3
    assert said.pop("NoNewPrivs:") == "1"
    assert said == {f"Cap{which}:": "0" * 16 for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
