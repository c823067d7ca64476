"""An engine whose installation user data began: waited for, taken for ours, and never for more than it was."""

from __future__ import annotations

import sys

from fake_host import SYSTEMCTL, FakeHost
from operator_side import Operator

NOTE = "var/lib/pymachine-agent/early"
STATUS = "Package: {}\nStatus: install ok installed\nVersion: 5:24.0.7-1~debian.12~bookworm\n\n"


def begun(host: FakeHost, source: str, *installed: str, before: str = "base-files", done: bool = True) -> None:
    host.file(f"{NOTE}/packages", f"{before} install ok installed\nold deinstall ok config-files\n")
    host.file(f"{NOTE}/source", f"{source}\n")
    if done:
        host.file(f"{NOTE}/done", "yes\n")
    host.file("var/lib/dpkg/status", "".join(map(STATUS.format, ("base-files", *installed))))


def test_an_engine_that_it_brought_is_one_that_we_installed(host: FakeHost, operator: Operator) -> None:
    begun(host, "docker docker-ce", "docker-ce", "iptables", "old")
    report = operator.converge(host)
    assert (report.engine_source, report.engine_package) == ("docker", "docker-ce")
    assert report.engine_package_version == "5:24.0.7-1~debian.12~bookworm"
    assert report.installed == ("docker-ce", "iptables", "old")
    assert not (host.root / NOTE).exists()
    assert operator.converge(host).changed == ()
    assert operator.converge(host).engine_source == "docker"
    assert {"package docker-ce", "package iptables"} < set(operator.uninstall(host).kept)


def test_while_it_runs_it_is_waited_for(host: FakeHost, operator: Operator) -> None:
    begun(host, "distribution docker.io", "docker.io", done=False)
    said = host.root / "run/said"
    real = f'exec {sys.executable} -I -S {SYSTEMCTL} {host.root} 252 5 "$@"'
    once = f'[ -e {said} ] || {{ echo >{said}; echo "Job=12"; echo ActiveState=inactive; exit; }}'
    again = f"[ -s {said} ] && {{ : >{said}; echo ActiveState=active; exit; }}"
    host.command("systemctl", f'case "$*" in *pymachine-engine*) {once}; {again}; exit;; esac; {real}')
    report = operator.converge(host)
    assert report.engine_source == "distribution"
    assert operator.texts().count("waiting for the engine's installation, which began while the host booted") == 1


def test_one_that_brought_nothing_claims_nothing(host: FakeHost, operator: Operator) -> None:
    begun(host, "distribution docker.io", done=False)  # a boot later: no such unit, and no word of its end
    report = operator.converge(host)
    assert (report.engine_source, report.engine_package, report.installed) == ("found", None, ())
    assert not (host.root / NOTE).exists()


def test_an_engine_that_was_there_before_is_found(host: FakeHost, operator: Operator) -> None:
    begun(host, "distribution docker.io", "docker.io", before="docker.io")
    assert operator.converge(host).engine_source == "found"
