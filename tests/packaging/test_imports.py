"""What may import what, and where the operator may sit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.unit.processes import python

ROOT = Path(__file__).parents[2]


def operator_modules() -> list[str]:
    """Every module of the operator's side, but the drivers for this very computer."""
    found = []
    for path in sorted((ROOT / "machine").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[1] not in ("agent", "drivers", "templates") and parts[-1] != "__main__":
            found.append(".".join(part for part in parts if part != "__init__"))
    return [*found, "machine.drivers.generic"]


def test_the_operator_may_sit_at_windows() -> None:
    """Whatever imports a module that only Unix has is found; the standard library itself does not."""
    code = """
        import importlib, sys
        for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
            sys.modules[name] = None
        failed = []
        for name in sys.argv[1:]:
            try:
                importlib.import_module(name)
            except ImportError as error:
                failed.append(f"{name}: {error}")
        print(*failed, sep="\\n", end="")
        """
    assert python(code, *operator_modules()).stdout == ""


def test_importing_the_package_imports_nothing_else() -> None:
    code = """
        import sys
        before = set(sys.modules)
        import machine
        print(set(sys.modules) - before)
        """
    assert python(code).stdout == "{'machine'}\n"


def test_arrows_point_down_only() -> None:
    """The contracts of pyproject.toml."""
    line = [shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or "lint-imports", "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
