"""What lands in site-packages: drivers and templates inside the package, and nothing under a generic name."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "machine", "drivers", "templates")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    """The names in an sdist made of a copy of the tree, and in the wheel made of that sdist."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    line = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tree / "dist"), str(tree)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = (tree / "dist").glob("*.tar.gz")
    (wheel,) = (tree / "dist").glob("*.whl")
    with tarfile.open(sdist) as file:
        in_sdist = [name.partition("/")[2] for name in file.getnames()]
    with zipfile.ZipFile(wheel) as file:
        return in_sdist, file.namelist()


def package_files() -> set[str]:
    """What the package of the tree holds, by the names it is imported by."""
    found = set()
    for real, inside in (("machine", "machine"), ("drivers", "machine/drivers"), ("templates", "machine/templates")):
        for path in (ROOT / real).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found.add(f"{inside}/{path.relative_to(ROOT / real).as_posix()}")
    return found


def test_the_wheel_holds_exactly_the_package_of_the_tree(built: tuple[list[str], list[str]]) -> None:
    inside = {name for name in built[1] if ".dist-info/" not in name}
    assert inside == package_files()
    assert {"machine/drivers/generic.py", "machine/py.typed", "machine/hot.py"} <= inside
    assert any(name.startswith("machine/templates/agent/") for name in inside)


def test_nothing_generic_lands_beside_the_package(built: tuple[list[str], list[str]]) -> None:
    top = {name.partition("/")[0] for name in built[1]}
    assert {name for name in top if not name.endswith(".dist-info")} == {"machine"}
    assert not any(name.startswith("tests/") for name in built[0])
