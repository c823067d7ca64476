"""The agent as it travels."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from machine.agent.version import VERSION as AGENT_VERSION
from machine.agent.version import newer
from machine.bootstrap.bundle import agent_bundle
from machine.version import VERSION


@pytest.fixture
def zipapp(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_bundle().data)
    return path


def test_the_same_code_gives_the_same_bytes(tmp_path: Path) -> None:
    script = "from machine.bootstrap.bundle import agent_bundle; print(agent_bundle().sha256)"
    anew = {"XDG_CACHE_HOME": str(tmp_path)}
    environment = {**os.environ, **anew, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.strip() == agent_bundle().sha256
    assert hashlib.sha256(agent_bundle().data).hexdigest() == agent_bundle().sha256


def test_its_version_is_the_distributions() -> None:
    assert AGENT_VERSION == VERSION == agent_bundle().version


def test_it_holds_the_agent_h11_with_its_licence_and_the_units_and_nothing_else() -> None:
    names = zipfile.ZipFile(io.BytesIO(agent_bundle().data)).namelist()
    assert {name.split("/")[0] for name in names} == {"__main__.py", "machine", "h11"}
    assert {name.split("/")[1] for name in names if name.startswith("machine/")} == {"__init__.py", "agent"}
    assert "h11/LICENSE.txt" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert {name for name in names if name.startswith("machine/agent/units/")} == {
        "machine/agent/units/agent.socket",
        "machine/agent/units/credentials.service",
        "machine/agent/units/plain.service",
    }


def test_it_runs_in_a_bare_python(zipapp: Path) -> None:
    ran = subprocess.run([sys.executable, "-I", "-S", zipapp, "version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{VERSION}\n"


@pytest.mark.parametrize("arguments", [[], ["what"], ["serve", "--what=1"], ["serve", "--directory=/nonexistent"]])
def test_what_it_does_not_know_is_said(zipapp: Path, arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-I", "-S", zipapp, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 64
    assert ran.stderr


@pytest.mark.parametrize(
    ("one", "other", "is_newer"),
    [
        ("0.2", "0.1.9", True),
        ("0.10.0", "0.9.0", True),
        ("1.0", "1.0", False),
        ("0.1", "0.2", False),
        ("nonsense", "0.1", False),
        ("0.2.0rc1", "0.1.0", True),
        ("²", "0.1", False),
        ("0.²", "0", False),
    ],
)
def test_versions_are_compared_as_numbers(one: str, other: str, is_newer: bool) -> None:
    assert newer(one, other) is is_newer


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_are_what_systemd_understands(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(agent_bundle().data))
    values = {"PYTHON": "/bin/true", "DIRECTORY": "/tmp", "ENGINE": "/run/docker.sock", "DIGEST": "0", "GROUP": "0"}
    values |= {"ADDRESS": "[::]", "PORT": "2376"}
    for source in ("credentials.service", "plain.service"):
        for name, target in ((source, "pymachine-agent.service"), ("agent.socket", "pymachine-agent.socket")):
            text = archive.read(f"machine/agent/units/{name}").decode()
            for key, value in values.items():
                text = text.replace(f"@{key}@", value)
            (tmp_path / target).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", tmp_path / "pymachine-agent.service"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        complaints = [line for line in ran.stderr.splitlines() if "pymachine-agent" in line]
        assert complaints == []
