"""The first bytes on a host: any login shell, any POSIX shell, whatever Pythons there are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_host import FakeHost, LocalChannel
from operator_side import Operator

from machine.bootstrap import stub as stubs
from machine.errors import BootstrapFailed, PreCheckFailed

SHELLS = [shell for shell in ("dash", "bash", "busybox sh", "ksh", "mksh", "zsh") if shutil.which(shell.split()[0])]
LOGIN_SHELLS = [path for shell in ("sh", "bash", "fish", "csh", "tcsh", "zsh") if (path := shutil.which(shell))]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_works_in(host: FakeHost, operator: Operator, shell: str) -> None:
    host.shell = shell
    assert operator.converge(host).port == operator.port
    assert operator.converge(host).changed == ()


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_the_command_means_the_same_to_every_login_shell(host: FakeHost, operator: Operator, shell: str) -> None:
    host.login_shell = shell
    assert operator.converge(host).port == operator.port


def test_it_is_small_and_ascii() -> None:
    assert len(stubs.stub()) < 2048
    assert len(stubs.command(True)) < 100
    assert stubs.stub().isascii()


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_correct_shell(shell: str) -> None:
    subprocess.run([*shell.split(), "-n"], input=stubs.stub(), check=True)


def test_greetings_of_a_login_shell_are_no_obstacle(host: FakeHost, operator: Operator) -> None:
    channel = LocalChannel(
        f"echo Welcome to web1; echo; {stubs.command(False, host.script)}",
        {"PATH": f"{host.bin}:/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    host.channels.append(channel)
    assert operator.converge(host, channel).port == operator.port


@pytest.mark.parametrize(
    "body",
    ["exit 1", "exit 127", 'echo "unknown option -I" >&2; exit 2', "exit 9"],
    ids=["fails", "broken shim", "python 2", "too old"],
)
def test_a_python_that_will_not_do_is_passed_over(host: FakeHost, operator: Operator, body: str) -> None:
    host.command("python3", body)
    os.symlink(sys.executable, host.bin / "python3.9")
    host.pythons = ("python3", "python3.10-is-not-here", "python3.9")
    assert operator.converge(host).port == operator.port
    assert "/python3.9 -I -S" in (host.root / "etc/systemd/system/pymachine-agent.service").read_text()


def test_a_python_without_a_module_we_need_is_passed_over(host: FakeHost, operator: Operator) -> None:
    """As Debian's python3-minimal, which has ssl and no json."""
    crippled = "import sys;sys.modules['json']=None;sys.argv=sys.argv[3:];exec(sys.argv.pop(0))"
    host.command("python3", f'shift 3; exec {sys.executable} -c "{crippled}" -I -S "$@"')
    os.symlink(sys.executable, host.bin / "python3.9")
    host.pythons = ("python3", "python3.9")
    assert operator.converge(host).port == operator.port
    assert "/python3.9 -I -S" in (host.root / "etc/systemd/system/pymachine-agent.service").read_text()


def test_only_one_python_is_started_when_the_first_one_does(host: FakeHost, operator: Operator) -> None:
    count = host.root.parent / "starts"
    host.command("python3", f'echo start >> {count}; exec {sys.executable} "$@"')
    operator.converge(host)
    assert count.read_text() == "start\n"


def test_no_python_and_no_way_to_one_is_said(host: FakeHost, operator: Operator) -> None:
    host.pythons = ("python-none",)
    host.command(
        "apt-get", r"""printf 'E: "quoted" \\ and \033[31mred\nE: Unable to locate package python3\n' >&2; exit 100"""
    )
    host.command("dpkg", "exit 0")
    before = host.files()
    with pytest.raises(BootstrapFailed, match="has no Python") as caught:
        operator.converge(host)
    assert caught.value.code == "python"
    assert "Unable to locate package python3" in str(caught.value.cause)
    assert str(caught.value.cause).isprintable()
    assert "install python3" in str(caught.value.hint)
    assert host.files() == before


def test_a_missing_python_is_installed_once_and_listed(host: FakeHost, operator: Operator) -> None:
    log = host.root.parent / "apt.log"
    host.pythons = ("python3.9",)
    host.command(
        "apt-get",
        f'echo "$@" "$http_proxy" >> {log}; cat; case "$*" in *update*) touch {log}.updated;; *install*) '
        f"[ -e {log}.updated ] || exit 100; ln -s {sys.executable} {host.bin}/python3.9;; esac",
    )
    host.command("dpkg", "cat; exit 0")
    host.command("dpkg-query", f"echo base; [ ! -e {host.bin}/python3.9 ] || printf 'python3\\npython3-minimal\\n'")
    report = operator.converge(host, environment={"http_proxy": "http://user:p'w\"$x@proxy:3128"})
    assert report.installed == ("python3", "python3-minimal")
    assert "installed the package python3" in report.changed
    assert operator.texts()[:2] == ["installing python3", "installed python3"]
    commands = log.read_text().splitlines()
    assert [("update" in line, "install" in line) for line in commands] == [(False, True), (True, False), (False, True)]
    assert all(line.endswith("http://user:p'w\"$x@proxy:3128") for line in commands)
    assert all("--no-install-recommends" in line for line in commands if "install" in line)


def test_an_uninstall_installs_nothing(host: FakeHost, operator: Operator) -> None:
    host.pythons = ("python-none",)
    host.command("apt-get", f"touch {host.root}/called")
    with pytest.raises(BootstrapFailed, match="has no Python"):
        operator.uninstall(host)
    assert not (host.root / "called").exists()


def test_a_value_of_two_lines_is_refused_before_anything_is_sent(host: FakeHost, operator: Operator) -> None:
    with pytest.raises(PreCheckFailed, match="https_proxy"):
        operator.converge(host, environment={"https_proxy": "http://a\nrm -rf /"})
    assert host.channels[-1].sent == 0


def test_sudo_that_wants_a_password_is_said_with_what_to_do(host: FakeHost, operator: Operator) -> None:
    host.command("sudo", 'echo "sudo: a password is required" >&2; exit 1')
    before = host.files()
    with pytest.raises(BootstrapFailed, match="may not become root") as caught:
        operator.converge(host, sudo=True)
    assert (caught.value.code, caught.value.cause) == ("sudo", "sudo: a password is required")
    assert "NOPASSWD" in str(caught.value.hint)
    assert host.files() == before


def test_no_sudo_at_all_is_said_too(host: FakeHost, operator: Operator) -> None:
    host.command("sudo", 'echo "sh: 1: sudo: not found" >&2; exit 127')
    with pytest.raises(BootstrapFailed, match="may not become root"):
        operator.converge(host, sudo=True)


def test_sudo_that_works_is_used(host: FakeHost, operator: Operator) -> None:
    host.command("sudo", '[ "$1" = -n ] || exit 3; shift; exec "$@"')
    assert operator.converge(host, sudo=True).port == operator.port


def test_an_account_without_a_shell_is_said(host: FakeHost, operator: Operator) -> None:
    channel = LocalChannel("echo This account is currently not available.; exit 1", {})
    host.channels.append(channel)
    with pytest.raises(BootstrapFailed, match="runs no commands") as caught:
        operator.converge(host, channel)
    assert (caught.value.code, caught.value.cause) == ("shell", "This account is currently not available.")


def test_no_secret_is_in_the_command_line() -> None:
    assert stubs.command(False) == f"sh -c 'eval \"$(dd bs=1 count={len(stubs.stub())} 2>/dev/null)\"'"


def test_the_loader_is_the_module_that_is_tested() -> None:
    assert stubs.loader() == Path(stubs.__file__).parents[1].joinpath("agent/loader.py").read_bytes()
