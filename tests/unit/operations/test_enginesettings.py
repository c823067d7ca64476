"""dockerd's flags as people write them, and what they become in daemon.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from machine.driver import load_driver
from machine.errors import UsageError
from machine.model import EngineSpec
from machine.operations import enginesettings
from machine.operations.enginesettings import daemon_settings, engine_spec, wanted_engine
from machine.operations.wanted import wanted
from machine.store.config import Config, read_config
from machine.store.store import Store
from tests.unit.specs import spec

KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"


def settings(*options: str) -> dict[str, Any]:
    return daemon_settings(EngineSpec(options=options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["live-restore"], {"live-restore": True}),
        (["icc=false", "ipv6=true"], {"icc": False, "ipv6": True}),
        (["mtu=1400"], {"mtu": 1400}),
        (["log-driver=journald"], {"log-driver": "journald"}),
        (["--log-driver=journald", "-D"], {"log-driver": "journald", "debug": True}),
        (["log-opt=max-size=10m", "log-opt=max-file=3"], {"log-opts": {"max-size": "10m", "max-file": "3"}}),
        (["dns=1.1.1.1", "dns=8.8.8.8", "dns=1.1.1.1"], {"dns": ["1.1.1.1", "8.8.8.8"]}),
        (["label=a=b=c"], {"labels": ["a=b=c"]}),
        (["labels=a=b"], {"labels": ["a=b"]}),
        (["registry-mirror=https://m.example.org"], {"registry-mirrors": ["https://m.example.org"]}),
        (["storage-opt=dm.basesize=20G"], {"storage-opts": ["dm.basesize=20G"]}),
        (["graph=/data"], {"data-root": "/data"}),
        (["default-ulimit=nofile=1024:2048"],
         {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}),
        (["default-ulimit=nproc=-1"], {"default-ulimits": {"nproc": {"Name": "nproc", "Soft": -1, "Hard": -1}}}),
        (["default-address-pool=base=10.1.0.0/16,size=24"],
         {"default-address-pools": [{"base": "10.1.0.0/16", "size": 24}]}),
        (["add-runtime=crun=/usr/bin/crun"], {"runtimes": {"crun": {"path": "/usr/bin/crun"}}}),
        (["feature=containerd-snapshotter=true"], {"features": {"containerd-snapshotter": True}}),
        (["http-proxy=http://p:1", "no-proxy=localhost"],
         {"proxies": {"http-proxy": "http://p:1", "no-proxy": "localhost"}}),
    ],
)  # fmt: skip
def test_a_flag_becomes_its_key_in_its_own_type(options: list[str], expected: dict[str, Any]) -> None:
    assert settings(*options) == expected
    assert json.loads(json.dumps(expected)) == expected


def test_the_flags_with_names_of_their_own_are_the_same_settings() -> None:
    said = EngineSpec(
        labels=("zone=a",), insecure_registries=("r:5000",), registry_mirrors=("https://m",), storage_driver="overlay2"
    )
    assert daemon_settings(said) == settings(
        "label=zone=a", "insecure-registry=r:5000", "registry-mirror=https://m", "storage-driver=overlay2"
    )


@pytest.mark.parametrize(
    ("option", "message", "hint"),
    [
        ("host=tcp://0.0.0.0:2375", "host cannot be set", None),
        ("H=tcp://0.0.0.0:2375", "host cannot be set", None),
        ("tlsverify", "tlsverify cannot be set", None),
        ("log-drivr=journald", "no flag 'log-drivr'", "did you mean log-driver?"),
        ("zzz", "no flag 'zzz'", "without the dashes"),
        ("mtu=wide", "'wide' is not a whole number", None),
        ("icc=maybe", "'maybe' is neither true nor false", None),
        ("log-driver", "needs a value", "log-driver=VALUE"),
        ("label=zone", "--engine-label: 'zone' is not like key=value", None),
        ("log-opt=max-size", "is not like key=value", None),
        ("default-ulimit=nofile=many", "is not like nofile=1024:2048", None),
        ("default-address-pool=base=10.0.0.0/8", "not like base=", None),
        ("bridge=a\nb", "control characters", None),
    ],
)
def test_what_cannot_be_meant_is_named_with_what_could(option: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        settings(option)
    assert hint is None or hint in str(caught.value.hint)


def test_a_setting_that_is_said_twice_must_be_the_same() -> None:
    assert settings("mtu=1400", "mtu=1400") == {"mtu": 1400}
    with pytest.raises(UsageError, match="said twice"):
        settings("storage-driver=vfs", "s=overlay2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "dokcer"}, "--engine-source: 'dokcer' is not a source"),
        ({"version": "latest"}, "--engine-version: 'latest' is not a version"),
        ({"repository": "ftp://x", "repository_key": KEY}, "is not an http"),
        ({"repository": "http://x"}, "needs its key's whole fingerprint"),
        ({"repository": "http://x", "repository_key": "0EBFCD88"}, "whole fingerprint"),
        ({"repository_key": KEY}, "goes with --engine-repository"),
        ({"repository": "http://x", "repository_key": KEY, "source": "distribution"}, "does not go with"),
        ({"environment": ("FOO",)}, "is not NAME=VALUE"),
        ({"environment": ("1A=b",)}, "is not NAME=VALUE"),
        ({"environment": ("A=b\nExecStart=x",)}, "is not NAME=VALUE"),
        ({"options": ("tls",)}, "tls cannot be set"),
    ],
)
def test_a_wrong_engine_is_refused_before_anything_is_done(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        engine_spec(given, Config("config.toml"), {})


def test_a_fingerprint_is_taken_as_gpg_prints_it() -> None:
    printed = "9DC8 5822 9FC7 DD38 854A  e2d8 8d81 803c 0ebf cd88"
    engine, _ = engine_spec({"repository": "http://x/debian/", "repository_key": printed}, Config(""), {})
    assert (engine.repository, engine.repository_key) == ("http://x/debian", KEY)


def test_a_flag_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('engine-source = "found"\nengine-version = "24.0"\nengine-label = ["a=b"]\n')
    environ = {"PYMACHINE_ENGINE_SOURCE": "docker", "ENGINE_REGISTRY_MIRROR": "https://a,https://b"}
    given = {"version": "25.0"}
    host = {"ip_address": "203.0.113.7"}
    config = read_config(str(tmp_path))
    made = wanted("web", load_driver("generic"), host, config, engine=given, environ=environ).spec
    assert (made.engine.source, made.engine.version, made.engine.labels) == ("docker", "25.0", ("a=b",))
    assert made.engine.registry_mirrors == ("https://a", "https://b")
    assert made.sources["engine.source"] == "PYMACHINE_ENGINE_SOURCE"
    assert made.sources["engine.version"] == "--engine-version"
    assert made.sources["engine.labels"] == str(tmp_path / "config.toml")


def test_an_engine_s_spec_comes_back_from_the_store_as_it_was(store: Store) -> None:
    engine = EngineSpec(source="docker", version="24.0", labels=("a=b",), environment=("A=b",))
    store.journal.begin_create(spec("web", engine=engine))
    assert store.machines.get("web").spec.engine == engine


def test_only_what_may_change_an_engine_s_settings_sends_them() -> None:
    engine = EngineSpec(source="docker", version="24.0", labels=("a=b",), environment=("A=b",))
    assert wanted_engine(engine, changes=False) == {"kind": "docker", "source": "docker", "version": "24.0"}
    assert wanted_engine(engine, changes=True)["settings"] == {"labels": ["a=b"]}
    assert wanted_engine(EngineSpec(), changes=True) == {"kind": "docker", "source": "auto"}


def test_no_script_from_the_network_is_run() -> None:
    enginesettings.check_install_url("https://get.docker.com/")  # docker-machine's default: what happens anyway
    with pytest.raises(UsageError, match="no script") as caught:
        enginesettings.check_install_url("https://example.org/install.sh")
    assert "--engine-source docker" in str(caught.value.hint)
