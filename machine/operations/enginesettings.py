"""What is wanted of an engine: dockerd's flags as people write them, and the keys of ``daemon.json`` they become.

The tables are data: a flag's kind, and its key where that has another name than the flag.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from machine.errors import UsageError
from machine.model import EngineSpec
from machine.store.config import Config

SOURCES = ("auto", "found", "docker", "distribution")
INSTALL_URL = "https://get.docker.com"  # docker-machine's default, which scripts repeat

# The fields of EngineSpec that are said: their flag, and the environment variables, first one set wins.
FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "source": ("--engine-source", ("PYMACHINE_ENGINE_SOURCE",)),
    "version": ("--engine-version", ("PYMACHINE_ENGINE_VERSION",)),
    "repository": ("--engine-repository", ("PYMACHINE_ENGINE_REPOSITORY",)),
    "repository_key": ("--engine-repository-key", ("PYMACHINE_ENGINE_REPOSITORY_KEY",)),
    "options": ("--engine-opt", ()),
    "labels": ("--engine-label", ()),
    "insecure_registries": ("--engine-insecure-registry", ()),
    "registry_mirrors": ("--engine-registry-mirror", ("ENGINE_REGISTRY_MIRROR",)),
    "storage_driver": ("--engine-storage-driver", ()),
    "environment": ("--engine-env", ()),
}
_LISTS = ("options", "labels", "insecure_registries", "registry_mirrors", "environment")

_BOOLEANS = """
    debug experimental icc init ip-forward ip-masq ip6tables iptables ipv6 live-restore no-new-privileges raw-logs
    selinux-enabled userland-proxy
"""
_NUMBERS = """
    cpu-rt-period cpu-rt-runtime max-concurrent-downloads max-concurrent-uploads max-download-attempts mtu
    network-control-plane-mtu oom-score-adjust shutdown-timeout
"""
_TEXTS = """
    api-cors-header bip bridge cgroup-parent containerd containerd-namespace containerd-plugins-namespace data-root
    default-cgroupns-mode default-gateway default-gateway-v6 default-ipc-mode default-runtime default-shm-size exec-root
    fixed-cidr fixed-cidr-v6 group host-gateway-ip init-path ip log-driver log-format log-level metrics-addr pidfile
    seccomp-profile storage-driver swarm-default-advertise-addr userland-proxy-path userns-remap
"""
_KINDS: dict[str, str] = {
    **dict.fromkeys(_BOOLEANS.split(), "boolean"),
    **dict.fromkeys(_NUMBERS.split(), "number"),
    **dict.fromkeys(_TEXTS.split(), "text"),
    "add-runtime": "runtime",
    "allow-nondistributable-artifacts": "list",
    "authorization-plugin": "list",
    "default-address-pool": "pool",
    "default-ulimit": "ulimit",
    "dns": "list",
    "dns-opt": "list",
    "dns-search": "list",
    "exec-opt": "list",
    "feature": "switches",
    "http-proxy": "proxy",
    "https-proxy": "proxy",
    "insecure-registry": "list",
    "label": "label",
    "log-opt": "map",
    "no-proxy": "proxy",
    "node-generic-resource": "list",
    "registry-mirror": "list",
    "storage-opt": "list",
}
_KEYS = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "default-address-pool": "default-address-pools",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "feature": "features",
    "http-proxy": "proxies",
    "https-proxy": "proxies",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "no-proxy": "proxies",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
_SHORT = {"b": "bridge", "D": "debug", "g": "data-root", "G": "group", "graph": "data-root", "H": "host",
          "l": "log-level", "p": "pidfile", "s": "storage-driver"}  # fmt: skip
_TLS = "the agent is the TLS endpoint, and the engine listens on its socket alone"
_REFUSED = {
    "host": _TLS,
    "tls": _TLS,
    "tlsverify": _TLS,
    "tlscacert": _TLS,
    "tlscert": _TLS,
    "tlskey": _TLS,
    "config-file": "settings are merged into the host's own /etc/docker/daemon.json",
    "validate": "it starts no engine",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}\Z")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.:~+-]*\Z")
_REPOSITORY = re.compile(r"https?://[^\s\"'\[\]]+\Z")


def engine_spec(
    given: Mapping[str, Any], config: Config, environ: Mapping[str, str]
) -> tuple[EngineSpec, dict[str, str]]:
    """The engine that is wanted, checked, and where each part was said.

    Args:
        given: the fields of `EngineSpec` that were said on the command line.

    Raises:
        UsageError: a value that cannot be meant; it names where it was said, and close matches.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for field, (flag, variables) in FIELDS.items():
        value, source = given.get(field), flag
        if not value:
            source = next((name for name in variables if environ.get(name)), "")
            value = environ.get(source)
        if not value:
            source, value = config.path, config.values.get(flag[2:])
        if not value:
            continue
        if field in _LISTS:
            value = tuple(value.split(",")) if isinstance(value, str) else tuple(map(str, value))
        values[field] = value
        sources[f"engine.{field}"] = source
    spec = EngineSpec(**values)
    return _checked(spec, {name.partition(".")[2]: source for name, source in sources.items()}), sources


def daemon_settings(spec: EngineSpec) -> dict[str, Any]:
    """The keys of ``daemon.json`` that a spec stands for.

    Raises:
        UsageError: a flag that is not known, or a value it cannot have.
    """
    said = [
        *spec.options,
        *(f"label={each}" for each in spec.labels),
        *(f"insecure-registry={each}" for each in spec.insecure_registries),
        *(f"registry-mirror={each}" for each in spec.registry_mirrors),
        *([f"storage-driver={spec.storage_driver}"] if spec.storage_driver else ()),
    ]
    settings: dict[str, Any] = {}
    for option in said:
        flag, equals, text = option.strip().partition("=")
        flag = _flag(flag.lstrip("-"), option)
        key, value = _KEYS.get(flag, flag), _value(flag, text if equals else None)
        if isinstance(value, list):
            settings[key] = [*settings.get(key, []), *(each for each in value if each not in settings.get(key, []))]
        elif isinstance(value, dict):
            settings[key] = {**settings.get(key, {}), **value}
        elif settings.get(key, value) != value:
            raise UsageError(f"--engine-opt {flag} is said twice: {settings[key]} and {value}")
        else:
            settings[key] = value
    return settings


def daemon_environment(spec: EngineSpec) -> dict[str, str]:
    """The environment variables a spec gives the engine."""
    return dict(each.partition("=")[::2] for each in spec.environment)


def _checked(spec: EngineSpec, said: Mapping[str, str]) -> EngineSpec:
    if spec.source not in SOURCES:
        close = difflib.get_close_matches(spec.source, SOURCES, n=1)
        meant = f"did you mean {close[0]}?" if close else f"known: {', '.join(SOURCES)}"
        raise UsageError(f"{said['source']}: {spec.source!r} is not a source of engines", hint=meant)
    if spec.version is not None and not _VERSION.match(spec.version):
        raise UsageError(f"{said['version']}: {spec.version!r} is not a version", hint="give it like 24.0.7 or 24.0")
    if spec.repository is None and spec.repository_key is not None:
        raise UsageError(f"{said['repository_key']} goes with --engine-repository")
    if spec.repository is not None:
        spec = _checked_repository(spec, said)
    for each in spec.environment:
        name, equals, value = each.partition("=")
        if not equals or not _VARIABLE.match(name) or not value.isprintable():
            raise UsageError(f"--engine-env: {each!r} is not NAME=VALUE", hint="as in --engine-env HTTP_PROXY=http://…")
    daemon_settings(spec)  # raises
    return spec


def _checked_repository(spec: EngineSpec, said: Mapping[str, str]) -> EngineSpec:
    url = (spec.repository or "").rstrip("/")
    if not _REPOSITORY.match(url):
        raise UsageError(f"{said['repository']}: {spec.repository!r} is not an http:// or https:// address")
    key = re.sub(r"[\s:]", "", spec.repository_key or "").upper().removeprefix("0X")
    if not _FINGERPRINT.match(key):
        raise UsageError(
            f"{said.get('repository_key', '--engine-repository')}: a mirror needs its key's whole fingerprint",
            hint="40 hexadecimal digits, as `gpg --show-keys FILE` prints them: --engine-repository-key FINGERPRINT",
        )
    if spec.source not in ("auto", "docker"):
        raise UsageError(f"--engine-repository does not go with --engine-source {spec.source}")
    return dataclasses.replace(spec, repository=url, repository_key=key)


def _flag(name: str, option: str) -> str:
    name = _SHORT.get(name, name)
    # People also write the keys of daemon.json.
    name = next((flag for flag, key in _KEYS.items() if key == name and key != "proxies"), name)
    if name in _REFUSED:
        raise UsageError(f"--engine-opt {option}: {name} cannot be set", cause=_REFUSED[name])
    if name not in _KINDS:
        close = difflib.get_close_matches(name, _KINDS, n=1)
        hint = f"did you mean {close[0]}?" if close else "dockerd's flags, without the dashes: log-driver=journald"
        raise UsageError(f"--engine-opt {option}: dockerd has no flag {name!r} that is known here", hint=hint)
    return name


def _value(flag: str, text: str | None) -> Any:
    """A flag's value as it stands in daemon.json."""
    kind = _KINDS[flag]
    if kind == "boolean":
        return _boolean(flag, text)
    if not text:
        raise UsageError(f"--engine-opt {flag} needs a value", hint=f"--engine-opt {flag}=VALUE")
    if not text.isprintable():
        raise UsageError(f"--engine-opt {flag}: {text!r} has control characters in it")
    if kind == "number":
        if not re.match(r"-?\d+\Z", text):
            raise UsageError(f"--engine-opt {flag}: {text!r} is not a whole number")
        return int(text)
    if kind == "text":
        return text
    if kind == "list":
        return [text]
    if kind == "proxy":
        return {flag: text}
    name, equals, value = text.partition("=")
    if not equals or not name:
        like = "key=value" if kind != "ulimit" else "nofile=1024:2048"
        raise UsageError(f"--engine-{'label' if kind == 'label' else f'opt {flag}'}: {text!r} is not like {like}")
    return _pair(flag, kind, name, value)


def _pair(flag: str, kind: str, name: str, value: str) -> Any:
    if kind == "label":
        return [f"{name}={value}"]
    if kind == "map":
        return {name: value}
    if kind == "switches":
        return {name: _boolean(flag, value)}
    if kind == "runtime":
        return {name: {"path": value}}
    if kind == "pool":
        parts = dict(part.partition("=")[::2] for part in f"{name}={value}".split(","))
        if set(parts) != {"base", "size"} or not parts["size"].isdigit():
            raise UsageError(f"--engine-opt {flag}: not like base=10.10.0.0/16,size=24")
        return [{"base": parts["base"], "size": int(parts["size"])}]
    soft, _, hard = value.partition(":")
    if not soft.lstrip("-").isdigit() or not (hard or soft).lstrip("-").isdigit():
        raise UsageError(f"--engine-opt {flag}: {name}={value} is not like nofile=1024:2048")
    return {name: {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}}


def _boolean(flag: str, text: str | None) -> bool:
    if text is None or text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise UsageError(f"--engine-opt {flag}: {text!r} is neither true nor false")


def check_install_url(url: str) -> None:
    """docker-machine's ``--engine-install-url`` named a script for a root shell.

    Raises:
        UsageError: any but docker-machine's default, which means what happens here anyway.
    """
    if url.rstrip("/") not in (INSTALL_URL, ""):
        raise UsageError(
            f"--engine-install-url {url}: no script from the network is run as root on a host",
            hint="say which engine instead: --engine-source docker --engine-version 24.0.7, or a mirror: "
            "--engine-repository URL --engine-repository-key FINGERPRINT",
        )


def wanted_engine(spec: EngineSpec, *, changes: bool) -> dict[str, Any]:
    """What the agent is asked for; it installs only what is missing.

    Args:
        changes: whether this operation may change how an engine that is there is configured.
    """
    document: dict[str, Any] = {"kind": spec.kind, "source": spec.source}
    if spec.version is not None:
        document["version"] = spec.version
    if spec.repository is not None:
        document["repository"] = {"url": spec.repository, "key": spec.repository_key}
    if changes and (settings := daemon_settings(spec)):
        document["settings"] = settings
    if changes and (environment := daemon_environment(spec)):
        document["environment"] = environment
    return document


def given_fields(parameters: Mapping[str, Any]) -> dict[str, Sequence[str] | str]:
    """The fields of an engine's spec among the parameters of a command line (``engine_opt`` …)."""
    names = {field: flag[2:].replace("-", "_") for field, (flag, _) in FIELDS.items()}
    return {field: parameters[name] for field, name in names.items() if parameters.get(name)}
