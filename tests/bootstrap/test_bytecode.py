"""The agent compiled: run where it is this Python's and whole, done without where not, and never a change of a host."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest
from fake_host import PYTHON, FakeHost
from operator_side import Operator

from machine.bootstrap import bytecode as made
from machine.bootstrap.bundle import AgentBundle, agent_bundle
from machine.bootstrap.bytecode import AgentBytecode, agent_bytecode, compiled
from machine.bootstrap.cache import sealed
from machine.errors import BootstrapFailed
from machine.version import VERSION

SAYS = f"{VERSION}+compiled"  # which of the two runs: what is compiled here says another version than the source
MAGIC = MAGIC_NUMBER.hex()
_ask = "import importlib.util; print(importlib.util.MAGIC_NUMBER.hex())"
_hosts = subprocess.run([PYTHON, "-c", _ask], capture_output=True, text=True, check=True).stdout.strip()
fitting = pytest.mark.skipif(_hosts != MAGIC, reason="AGENT_PYTHON has another bytecode than this Python")


@pytest.fixture(scope="module")
def marked() -> AgentBytecode:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(agent_bundle().data)) as ours, zipfile.ZipFile(buffer, "w") as other:
        for name in ours.namelist():
            content = ours.read(name)
            if name == "machine/agent/version.py":
                content = content.replace(f'VERSION = "{VERSION}"'.encode(), f'VERSION = "{SAYS}"'.encode())
                assert SAYS.encode() in content
            other.writestr(name, content)
    data = sealed(compiled(AgentBundle(sha256="", data=buffer.getvalue(), version=SAYS)))
    return AgentBytecode(MAGIC, hashlib.sha256(data).hexdigest(), data)


def on_disk(host: FakeHost, magic: str = MAGIC) -> Path:
    return host.own(f"agents/{agent_bundle().sha256}.{magic}.pyc.zip")


def service_says(host: FakeHost) -> str:
    """What the agent on the host says of itself, started as its service is."""
    command = [PYTHON, "-I", "-S", host.own("current"), "version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@fitting
def test_it_runs_in_the_converge_and_in_the_service(host: FakeHost, operator: Operator, marked: AgentBytecode) -> None:
    report = operator.converge(host, bytecode=marked)
    assert (report.agent_version, service_says(host)) == (SAYS, SAYS)
    assert report.agent_sha256 == agent_bundle().sha256, "the source is what it is known by"
    assert host.own("current").read_bytes() == agent_bundle().data
    assert not any("pyc" in line for line in report.changed)
    assert stat.S_IMODE(on_disk(host).stat().st_mode) == 0o644, "the service has a user of its own"


@fitting
def test_it_is_sent_once(host: FakeHost, operator: Operator, marked: AgentBytecode) -> None:
    operator.converge(host, bytecode=marked)
    before = host.files()
    report = operator.converge(host)  # another operator's, of the same code and the same Python: other bytes
    assert (report.agent_version, report.changed) == (SAYS, ())
    assert host.channels[-1].sent < 12_000
    assert host.files() == before


def test_that_of_another_python_is_not_asked_for(host: FakeHost, operator: Operator, marked: AgentBytecode) -> None:
    report = operator.converge(host, bytecode=replace(marked, magic="00000d0a"))
    assert (report.agent_version, service_says(host)) == (VERSION, VERSION)
    assert host.channels[-1].sent < len(agent_bundle().data) + 12_000
    assert os.listdir(host.own("agents")) == [f"{agent_bundle().sha256}.pyz"]


@fitting
def test_a_host_that_has_the_agent_gets_it_unseen(host: FakeHost, operator: Operator, marked: AgentBytecode) -> None:
    """From a pymachine that sent none, or that ran on another Python."""
    operator.converge(host, bundle=agent_bundle())
    assert not on_disk(host).exists()
    before, calls = host.files(), len(host.systemctl_calls())
    report = operator.converge(host)
    assert (report.changed, report.agent_changed, report.agent_sent) == ((), False, False)
    assert [call[0] for call in host.systemctl_calls()[calls:]] == ["show"]
    added = host.files()
    del added[str(on_disk(host).relative_to(host.root))]
    assert added == before


@fitting
@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"one byte"])
def test_a_damaged_one_is_done_without_and_sent_again(
    host: FakeHost, operator: Operator, marked: AgentBytecode, damage: bytes
) -> None:
    operator.converge(host)
    whole = on_disk(host).read_bytes()
    on_disk(host).write_bytes(damage if damage != b"one byte" else whole[:-1] + bytes([whole[-1] ^ 1]))
    assert service_says(host) == VERSION
    report = operator.converge(host, bytecode=marked)
    assert (report.agent_version, report.changed, report.agent_sent) == (SAYS, (), False)
    assert on_disk(host).read_bytes() == marked.data


@fitting
def test_what_is_not_as_promised_is_not_run(host: FakeHost, operator: Operator, marked: AgentBytecode) -> None:
    before = host.files()
    with pytest.raises(BootstrapFailed, match="could not be started") as caught:
        operator.converge(host, bytecode=replace(marked, sha256="0" * 64))
    assert "did not arrive whole" in str(caught.value.cause)
    assert host.files() == before


@fitting
def test_a_newer_agent_on_the_host_gets_none_of_ours(host: FakeHost, operator: Operator, marked: AgentBytecode) -> None:
    operator.converge(host, bundle=agent_bundle())
    older = AgentBundle(sha256="0" * 64, data=b"never sent", version="0.0.9")
    report = operator.converge(host, bundle=older, bytecode=marked)
    assert (report.agent_kept, report.agent_version) == (True, VERSION)
    assert os.listdir(host.own("agents")) == [f"{agent_bundle().sha256}.pyz"]


def test_when_the_hosts_python_is_upgraded_the_old_one_goes(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    on_disk(host, "01000d0a").write_bytes(b"of a Python that is no more")
    assert service_says(host) == VERSION
    assert operator.converge(host).changed == ()
    assert not on_disk(host, "01000d0a").exists()


def test_an_uninstall_takes_it_along(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    operator.uninstall(host)
    assert not host.own("").exists()


def test_it_names_no_file_of_the_operators() -> None:
    with zipfile.ZipFile(io.BytesIO(agent_bytecode().data)) as archive:
        names = set(archive.namelist())
        contents = b"".join(map(archive.read, names))
    sources = {name for name in zipfile.ZipFile(io.BytesIO(agent_bundle().data)).namelist() if name.endswith(".py")}
    assert names == {f"{name}c" for name in sources - {"__main__.py"}}
    assert os.fsencode(Path(made.__file__).parents[1]) not in contents
    assert b"/var/lib/pymachine-agent/current/machine/agent/serve/loop.py" in contents


def in_a_new_process(home: Path, *options: str) -> tuple[str, str]:
    """The hash of what a new process offers, and whether it has compiled it."""
    script = (
        "from machine.bootstrap import bytecode as made; real, ran = made.compiled, []\n"
        "made.compiled = lambda bundle: ran.append(1) or real(bundle)\n"
        "print(made.agent_bytecode().sha256, 'compiled' if ran else 'found')"
    )
    command, environ = [sys.executable, *options, "-c", script], {**os.environ, "HOME": str(home)}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.split()
    return said[0], said[1]


def test_it_is_compiled_once_and_not_by_each_process(home: Path) -> None:
    sha256, how = in_a_new_process(home)
    assert how == "compiled"
    assert in_a_new_process(home) == (sha256, "found")
    assert in_a_new_process(home, "-O") == (sha256, "found")
    (kept,) = (home / ".cache/pymachine/agent").glob("*.pyc.zip")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert in_a_new_process(home)[1] == "compiled"
    assert in_a_new_process(home)[1] == "found"


def test_those_of_other_versions_do_not_pile_up(home: Path) -> None:
    directory = home / ".cache/pymachine/agent"
    directory.mkdir(mode=0o700, parents=True)
    for number in range(50):
        (directory / f"{number}.pyc.zip").write_bytes(b"")
        os.utime(directory / f"{number}.pyc.zip", (number, number))
    in_a_new_process(home)
    assert len(list(directory.iterdir())) == 24
    assert in_a_new_process(home)[1] == "found"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_what_others_could_have_written_is_not_believed(home: Path, mode: int) -> None:
    in_a_new_process(home)
    (home / ".cache/pymachine/agent").chmod(mode)
    assert in_a_new_process(home)[1] == "compiled"


def test_where_nothing_can_be_kept_it_is_made_all_the_same(home: Path) -> None:
    (home / ".cache").write_text("no directory")
    assert in_a_new_process(home)[1] == "compiled"
    assert (home / ".cache").read_text() == "no directory"
