from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from machine.driver import HostIdentity
from machine.drivers.nspawn import base, layout, precheck
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.locking import locked
from machine.drivers.nspawn.mmdebstrap import Recipe
from machine.drivers.nspawn.options import Options
from machine.errors import Cancelled, PreCheckFailed
from machine.model import Spec
from machine.testing.recorder import ListRecorder

IDENTITY = HostIdentity(store="s", authorized_key="ssh-ed25519 KEY me\n")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A computer where everything is as it should be, whoever runs this."""
    monkeypatch.setattr(precheck, "_missing", lambda tools: [])
    monkeypatch.setattr(precheck, "_unfit", lambda path, mounts: None)
    monkeypatch.setattr("machine.drivers.nspawn.cgroup.mounted", lambda: ["one"])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return Layout.of({layout.ROOT_VARIABLE: str(tmp_path), layout.CACHE_VARIABLE: str(tmp_path / "cache")})


def _check(places: Layout, **options: object) -> dict[str, object]:
    return precheck.check(places, Spec(name="m", driver="nspawn"), Options(**options), IDENTITY)  # type: ignore[arg-type]


def test_the_request_is_the_same_for_the_same_wish_and_changes_nothing(places: Layout, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    request = _check(places, suite="bookworm", mirror="http://m.example/debian", memory=1 << 30)
    assert request == _check(places, suite="bookworm", mirror="http://m.example/debian", memory=1 << 30)
    assert request["authorized_key"] == "ssh-ed25519 KEY me"
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_tools_are_named_with_the_line_that_installs_them(
    places: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precheck, "_missing", lambda tools: [t for t in tools if t in ("systemd-nspawn", "unshare")])
    with pytest.raises(PreCheckFailed) as caught:
        _check(places)
    assert caught.value.hint == "apt-get install -y systemd-container util-linux"
    assert "apt-get install -y systemd-container util-linux" in str(precheck.usable(places))


def test_without_root_another_driver_is_named(places: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert precheck.usable(places) == "needs root"
    with pytest.raises(PreCheckFailed) as caught:
        _check(places)
    assert "--driver generic" in str(caught.value.hint)


def test_a_full_disk_is_seen_before_the_build(places: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1 << 20))
    with pytest.raises(PreCheckFailed, match="not enough room"):
        _check(places, mirror="http://m.example/debian")


def test_a_directory_without_systemd_or_sshd_is_refused(places: Layout, tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs"
    rootfs.mkdir()
    for name, missing in (("usr/lib/systemd/systemd", "systemd"), ("usr/sbin/sshd", "OpenSSH")):
        with pytest.raises(PreCheckFailed) as caught:
            _check(places, rootfs=str(rootfs))
        assert missing in str(caught.value.cause)
        (rootfs / name).parent.mkdir(parents=True)
        (rootfs / name).touch()
    assert _check(places, rootfs=str(rootfs))["base"] == {"kind": "directory", "path": str(rootfs)}


def test_a_tarball_is_known_by_its_content(places: Layout, tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        with tarfile.open(tmp_path / name, "w") as tar:
            tar.addfile(tarfile.TarInfo("etc"))
    one, two = (base.of_path(tmp_path / name) for name in ("a.tar", "b.tar"))
    assert base.cached(places, one) == base.cached(places, two)


def test_another_recipe_is_another_base(places: Layout) -> None:
    recipes = [
        Recipe(suite="bookworm", architecture="amd64"),
        Recipe(suite="trixie", architecture="amd64"),
        Recipe(suite="bookworm", architecture="arm64"),
        Recipe(suite="bookworm", architecture="amd64", include=("dbus",)),
        Recipe(suite="bookworm", architecture="amd64", mirror="http://m.example/debian"),
    ]
    assert len({base.cached(places, base.of_recipe(recipe)) for recipe in recipes}) == len(recipes)


def test_who_comes_second_waits_for_the_build_and_says_so(places: Layout) -> None:
    def stop() -> None:
        raise Cancelled("enough")

    wanted = base.of_recipe(Recipe(suite="bookworm", architecture="amd64"))
    record = ListRecorder(on_check=stop)
    lock = places.cache / "locks" / base.cached(places, wanted).name
    with locked(lock, ListRecorder(), waiting_for=""), pytest.raises(Cancelled):
        base.ensure(places, wanted, record)
    assert record.lines == ["waiting for another process that makes the root file system"]


def test_the_first_machine_says_what_it_changes_and_the_second_nothing(places: Layout) -> None:
    said = "\n".join(precheck.host_changes(places))
    assert places.bridge in said
    assert "FORWARD" in said
    places.state.mkdir(parents=True)
    places.network.write_text('{"subnet": "10.1.2.0/24"}')
    assert precheck.host_changes(places) == []
