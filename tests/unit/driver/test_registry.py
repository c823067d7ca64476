"""Finding drivers through entry points, as plugins of others are installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from machine.driver import driver_names, load_driver
from machine.errors import PreCheckFailed, UnknownDriver
from machine.operations.choose import choose_local_driver
from tests.unit.processes import python

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one driver, whose module holds this code."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, code: str) -> None:
        info = tmp_path / f"plugin_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pymachine.drivers]\n{name} = plugin_{name}:Driver\n")
        (tmp_path / f"plugin_{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, f"plugin_{name}", raising=False)

    return install


def test_the_built_in_drivers_are_found_the_same_way_as_a_plugin(install: Install) -> None:
    install("cloudy", "class Driver: name = 'cloudy'\n")
    assert {"nspawn", "generic", "cloudy"} <= set(driver_names())
    assert load_driver("cloudy").name == "cloudy"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import no_such_sdk\n", "ModuleNotFoundError: No module named 'no_such_sdk'"),
        ("def broken(:\n", "SyntaxError"),
        ("raise RuntimeError('not today')\n", "RuntimeError: not today"),
        ("", "AttributeError"),
        ("class Driver:\n    def __init__(self): raise ValueError('no account')\n", "ValueError: no account"),
    ],
)
def test_a_broken_plugin_is_named_and_takes_nothing_else_down(install: Install, code: str, cause: str) -> None:
    install("broken", code)
    with pytest.raises(PreCheckFailed, match="the driver broken cannot be loaded") as raised:
        load_driver("broken")
    assert "plugin_broken:Driver" in str(raised.value.cause)
    assert cause in str(raised.value.cause)
    assert load_driver("generic").name == "generic"
    try:
        chosen = choose_local_driver().why
    except PreCheckFailed as error:  # no local driver can work on the computer of this test
        chosen = str(error.cause)
    assert "broken: plugin_broken:Driver" in chosen


def test_an_unknown_driver_gets_the_nearest_ones(install: Install) -> None:
    with pytest.raises(UnknownDriver, match='no driver "genric"') as raised:
        load_driver("genric")
    assert raised.value.hint == f"did you mean generic? installed: {', '.join(driver_names())}"


def test_loading_one_driver_imports_no_other() -> None:
    code = """
        import sys
        from machine.driver import load_driver
        load_driver("generic")
        print([name for name in sys.modules if name.startswith("machine.drivers.nspawn")])
        """
    assert python(code).stdout == "[]\n"
