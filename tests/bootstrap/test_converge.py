"""Converge, through the real stub, loader and agent: what is on the host before and after."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fake_host import PYTHON, FakeHost
from operator_side import Operator

from machine.bootstrap.bundle import agent_bundle
from machine.bootstrap.session import SignedCertificate
from machine.errors import BootstrapFailed

OURS = ("var/lib/pymachine-agent/", "etc/systemd/system/")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ" + "x" * 42
ME = pwd.getpwuid(os.getuid())


def mode(path: os.PathLike[str]) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_the_first_converge_makes_the_host_as_wanted(host: FakeHost, operator: Operator) -> None:
    report = operator.converge(host)
    assert (report.engine_kind, report.engine_version, report.engine_source) == ("docker", "20.10.24", "found")
    assert (report.agent_sent, report.agent_changed, report.port) == (True, True, operator.port)
    assert report.installed == ()
    assert "using Docker Engine 20.10.24 as found" in operator.texts()
    assert host.own("current").read_bytes() == agent_bundle().data
    assert mode(host.own("key.pem")) == 0o600
    assert {
        mode(host.own(name)) for name in ("cert.pem", "ca.pem", "state.json", f"agents/{report.agent_sha256}.pyz")
    } == {0o644}
    assert {mode(host.own("")), mode(host.own("agents"))} == {0o755}
    assert len(operator.signed) == 1
    assert all(path.startswith(OURS) for path in host.files())
    unit = (host.root / "etc/systemd/system/pymachine-agent.service").read_text()
    assert "LoadCredential=key.pem:/var/lib/pymachine-agent/key.pem" in unit
    assert "@" not in unit.replace("@system-service", "")
    socket_unit = (host.root / "etc/systemd/system/pymachine-agent.socket").read_text()
    assert f":{operator.port}\n" in socket_unit


def test_docker_engine_is_not_asked_for_its_version_which_would_start_two_processes(
    host: FakeHost, operator: Operator
) -> None:
    host.engine_server = "Docker/28.0.1+dfsg1 (linux)"
    report = operator.converge(host)
    assert (report.engine_kind, report.engine_version) == ("docker", "28.0.1+dfsg1")
    assert host.asked == ["/_ping"]


@pytest.mark.parametrize("server", ["Libpod/5.4.0 (linux)", "nginx", "Docker/ (linux)", ""])
def test_an_engine_whose_headers_do_not_say_what_it_is_is_asked(
    host: FakeHost, operator: Operator, server: str
) -> None:
    host.engine_server = server
    host.engine_says = {"Version": "5.4.0", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
    report = operator.converge(host)
    assert (report.engine_kind, report.engine_version) == ("podman", "5.4.0")
    assert host.asked == ["/_ping", "/version"]


def test_a_second_converge_changes_nothing_and_sends_nothing(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    before, calls = host.files(), len(host.systemctl_calls())
    report = operator.converge(host)
    assert host.files() == before
    assert [call[0] for call in host.systemctl_calls()[calls:]] == ["show"]
    assert report.changed == ()
    assert not report.agent_sent
    assert len(operator.signed) == 1
    assert host.channels[-1].sent < 10_000


def test_every_change_that_is_reported_is_a_file_of_ours(host: FakeHost, operator: Operator) -> None:
    report = operator.converge(host)
    assert any("cert.pem" in line for line in report.changed)
    assert any("pymachine-agent.service" in line for line in report.changed)


def test_the_private_key_does_not_cross_the_wire(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    secret = "".join(host.own("key.pem").read_text().splitlines()[1:-1]).encode()
    assert b"PRIVATE" not in host.channels[0].received
    assert secret[:40] not in host.channels[0].received


def test_the_certificate_belongs_to_the_key_of_the_host(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    command = ["openssl", "x509", "-in", host.own("cert.pem"), "-noout", "-pubkey"]
    of_certificate = subprocess.run(command, capture_output=True, check=True).stdout
    command = ["openssl", "pkey", "-in", host.own("key.pem"), "-pubout"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == of_certificate


def _for_another_key(operator: Operator, _key: str) -> tuple[bytes, bytes]:
    return operator.authority.server(), operator.authority.pem


def _cut_short(operator: Operator, key: str) -> tuple[bytes, bytes]:
    return operator.authority.server(public_key=load_pem_public_key(key.encode()))[:-60], operator.authority.pem


def _under_no_authority(operator: Operator, key: str) -> tuple[bytes, bytes]:
    return operator.authority.server(public_key=load_pem_public_key(key.encode())), b"none"


def _under_a_damaged_authority(operator: Operator, key: str) -> tuple[bytes, bytes]:
    whole = operator.authority.pem
    return operator.authority.server(public_key=load_pem_public_key(key.encode())), whole + whole.replace(
        b"MII", b"MIJ"
    )


@pytest.mark.parametrize("wrong", [_for_another_key, _cut_short, _under_no_authority, _under_a_damaged_authority])
def test_a_certificate_that_cannot_be_served_with_is_refused_before_it_is_written(
    host: FakeHost, operator: Operator, wrong: Callable[[Operator, str], tuple[bytes, bytes]]
) -> None:
    operator.sign = lambda key: SignedCertificate(*(pem.decode() for pem in wrong(operator, key)))
    with pytest.raises(BootstrapFailed, match="the certificate from the operator does not fit the host's key"):
        operator.converge(host)
    assert not host.own("cert.pem").exists()
    assert not host.own("ca.pem").exists()


def test_other_names_give_a_new_certificate_and_a_reload_never_a_restart(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    key, calls = host.own("key.pem").read_bytes(), len(host.systemctl_calls())
    names = {"ca": operator.authority.pem.decode(), "names": ["web1", "10.0.0.6"]}
    report = operator.converge(host, certificate=names)
    assert host.own("key.pem").read_bytes() == key
    assert [call[0] for call in host.systemctl_calls()[calls:]] == ["show", "reload", "show"]
    assert any("other names" in line for line in report.changed)
    assert host.state()["certificate"]["names"] == ["10.0.0.6", "web1"]


def test_a_certificate_in_the_last_third_of_its_life_is_renewed(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    operator.converge(host, now=time.time() + 200 * 86400)
    assert len(operator.signed) == 1
    report = operator.converge(host, now=time.time() + 300 * 86400)
    assert len(operator.signed) == 2
    assert any("last third" in line for line in report.changed)


@pytest.mark.parametrize("name", ["cert.pem", "ca.pem", "key.pem"])
def test_a_file_that_was_lost_or_changed_is_made_anew(host: FakeHost, operator: Operator, name: str) -> None:
    operator.converge(host)
    host.own(name).unlink()
    operator.converge(host)
    assert len(operator.signed) == 2
    assert host.own(name).exists()
    before = host.files()
    assert operator.converge(host).changed == ()
    assert host.files() == before


def test_a_converge_that_was_cut_before_the_restart_is_finished_by_the_next(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    memory = host.root / "systemd.json"
    said = json.loads(memory.read_text())
    for stale in ("", said["status"].replace("agent ", "agent 0"), said["status"].replace("unit ", "unit 0")):
        memory.write_text(json.dumps({**said, "status": stale}))
        assert operator.converge(host).changed == ("restarted pymachine-agent.service",)
    memory.write_text(json.dumps({**said, "status": said["status"].replace("identity ", "identity 0")}))
    assert operator.converge(host).changed == ("reloaded pymachine-agent.service",)
    memory.write_text(json.dumps({**said, "active": {}}))
    assert operator.converge(host).changed == ("started pymachine-agent.service",)


def test_a_damaged_agent_on_the_host_is_sent_again(host: FakeHost, operator: Operator) -> None:
    report = operator.converge(host)
    stored = host.own(f"agents/{report.agent_sha256}.pyz")
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    assert operator.converge(host).agent_sent
    assert stored.read_bytes() == agent_bundle().data


def test_a_newer_agent_on_the_host_is_kept_and_said(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    state = host.state()
    state["agent"]["version"] = "99.1"
    host.own("state.json").write_text(json.dumps(state))
    from machine.bootstrap.bundle import AgentBundle

    older = AgentBundle(sha256="0" * 64, data=b"never sent", version="0.0.9")
    report = operator.converge(host, bundle=older)
    assert report.agent_kept
    assert not report.agent_sent
    assert report.agent_sha256 == agent_bundle().sha256
    assert "the host's agent 99.1 is newer and is kept" in operator.texts("warning")


def test_an_older_agent_is_replaced_and_removed(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    old = "a" * 64
    host.own(f"agents/{old}.pyz").write_bytes(b"old")
    host.own(f"agents/{old}.{MAGIC_NUMBER.hex()}.pyc.zip").write_bytes(b"old")
    state = host.state()
    state["agent"] = {"version": "0.0.1", "sha256": old}
    host.own("state.json").write_text(json.dumps(state))
    assert operator.converge(host).agent_sha256 == agent_bundle().sha256
    assert {name.partition(".")[0] for name in os.listdir(host.own("agents"))} == {agent_bundle().sha256}


def test_an_agent_whose_bytes_are_not_what_was_promised_is_not_run(host: FakeHost, operator: Operator) -> None:
    from machine.bootstrap.bundle import AgentBundle

    bundle = agent_bundle()
    before = host.files()
    with pytest.raises(BootstrapFailed, match="could not be started") as caught:
        operator.converge(host, bundle=AgentBundle(sha256="0" * 64, data=bundle.data, version=bundle.version))
    assert "did not arrive whole" in str(caught.value.cause)
    assert host.files() == before


def test_a_host_of_another_store_is_refused_by_name_and_untouched(host: FakeHost, operator: Operator) -> None:
    operator.converge(host, store="theirs", machine="db")
    before = host.files()
    for attempt in (operator.converge, operator.uninstall):
        with pytest.raises(BootstrapFailed, match="'db' of another store") as caught:
            attempt(host)
        assert caught.value.code == "other-store"
    assert host.files() == before


def test_a_host_that_is_another_machine_of_this_store_is_refused(host: FakeHost, operator: Operator) -> None:
    operator.converge(host, machine="db")
    with pytest.raises(BootstrapFailed, match="'db' of this store") as caught:
        operator.converge(host)
    assert caught.value.code == "other-machine"


def test_a_taken_port_is_refused_with_its_holder_before_anything_is_changed(host: FakeHost, operator: Operator) -> None:
    before = host.files()
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BootstrapFailed, match=f"port {port} of the host is taken by") as caught:
            operator.converge(host, endpoint={"port": port})
    assert caught.value.code == "port-taken"
    assert f"(process {os.getpid()})" in caught.value.message
    assert host.files() == before


def test_no_engine_and_no_package_for_one_is_refused_before_anything_is_changed(
    bare_host: FakeHost, operator: Operator
) -> None:
    bare_host.command("apt-get", "exit 0")  # or this computer's own would be found
    bare_host.command("apt-cache", "echo 'docker.io:'; echo '  Candidate: (none)'")
    before = bare_host.files()
    with pytest.raises(BootstrapFailed, match="no container engine") as caught:
        operator.converge(bare_host)
    assert caught.value.code == "engine-install"
    assert bare_host.files() == before


def test_sources_that_cannot_be_reached_are_the_cause(bare_host: FakeHost, operator: Operator) -> None:
    bare_host.command(
        "apt-get", 'case "$*" in *update*) printf "E: Could not \\033[31mresolve mirror.example\\n" >&2;; esac'
    )
    bare_host.command("apt-cache", "exit 0")
    before = bare_host.files()
    with pytest.raises(BootstrapFailed, match="cannot be reached") as caught:
        operator.converge(bare_host)
    assert caught.value.code == "engine-install"
    assert caught.value.cause == "E: Could not [31mresolve mirror.example"
    assert "http_proxy" in str(caught.value.hint)
    assert bare_host.files() == before


APT_GET = """
echo "$@" "http_proxy=$http_proxy" "HTTPS_PROXY=$HTTPS_PROXY" >> {log}
case "$*" in
*check*) ;;
*install*)
  if [ ! -e {root}/waited ]; then
    touch {root}/waited; echo "E: Could not get lock /var/lib/dpkg/lock" >&2; exit 100
  fi
  fd=$(echo "$*" | sed 's/.*Status-Fd=//')
  eval "printf 'dlstatus:1:20.1:Retrieving file 1 of 9\\npmstatus:docker.io:61.2:Unpacking docker.io (amd64)\\n' >&$fd"
  for package in docker.io runc; do
    printf "Package: $package\\nStatus: install ok installed\\n\\n" >> {root}/var/lib/dpkg/status
  done
  touch {root}/installed;;
esac
"""


def test_the_engine_is_installed_through_apt_watched_waited_for_and_listed(
    bare_host: FakeHost, operator: Operator
) -> None:
    log = bare_host.root.parent / "apt.log"
    bare_host.command("apt-get", APT_GET.format(log=log, root=bare_host.root))
    bare_host.command("apt-cache", "echo '  Candidate: 20.10'")

    def start_when_installed() -> None:
        while not (bare_host.root / "installed").exists():
            time.sleep(0.01)
        bare_host.start_engine()

    starter = threading.Thread(target=start_when_installed)
    starter.start()
    proxies = {"http_proxy": "http://proxy:3128", "https_proxy": "http://proxy:3129"}
    report = operator.converge(bare_host, environment=proxies)
    starter.join()
    assert (report.engine_source, report.engine_package) == ("distribution", "docker.io")
    assert report.installed == ("docker.io", "runc")
    assert "waiting for another package manager to finish" in operator.texts("progress")
    assert "Unpacking docker.io (amd64) (61 %)" in operator.texts("progress")
    commands = log.read_text()
    assert "--no-install-recommends --no-remove docker.io" in commands
    assert "http_proxy=http://proxy:3128 HTTPS_PROXY=http://proxy:3129" in commands
    assert "update" not in commands, "the lists were good, and fetching them is slow"
    again = operator.converge(bare_host)
    assert (again.engine_source, again.engine_package, again.installed) == ("distribution", "docker.io", ())
    assert "package docker.io" in operator.uninstall(bare_host).kept


def test_an_engine_that_is_installed_and_stopped_is_started(bare_host: FakeHost, operator: Operator) -> None:
    bare_host.docker_start = 0
    bare_host.write_systemctl()
    starter = threading.Timer(0.5, bare_host.start_engine)
    starter.start()
    report = operator.converge(bare_host)
    starter.join()
    assert report.engine_source == "started"


def test_an_engine_that_does_not_start_says_why(bare_host: FakeHost, operator: Operator) -> None:
    bare_host.docker_start = 1
    bare_host.write_systemctl()
    with pytest.raises(BootstrapFailed, match="does not start") as caught:
        operator.converge(bare_host)
    assert (caught.value.code, caught.value.cause) == ("engine-start", "what the journal says")


def test_a_host_without_systemd_is_refused(host: FakeHost, operator: Operator) -> None:
    (host.root / "run/systemd/system").rmdir()
    with pytest.raises(BootstrapFailed, match="does not run systemd"):
        operator.converge(host)


def test_an_older_systemd_gets_the_unit_it_understands(host: FakeHost, operator: Operator) -> None:
    host.systemd = 241
    host.write_systemctl()
    operator.converge(host)
    unit = (host.root / "etc/systemd/system/pymachine-agent.service").read_text()
    assert "LoadCredential" not in unit
    assert "--drop-to-group=" in unit


def test_a_newer_systemd_is_known_by_its_tool_and_not_asked(host: FakeHost, operator: Operator) -> None:
    host.file("usr/bin/systemd-creds", "")
    operator.converge(host)
    assert "LoadCredential" in (host.root / "etc/systemd/system/pymachine-agent.service").read_text()
    assert [call[0] for call in host.systemctl_calls()] == ["start"]


def test_a_wrong_clock_is_a_warning_and_no_obstacle(host: FakeHost, operator: Operator) -> None:
    report = operator.converge(host, now=time.time() - 100)
    assert 95 < report.clock_skew < 130
    assert any("clock is 10" in text and "ahead" in text for text in operator.texts("warning"))


def test_the_machines_key_is_one_marked_line_in_the_accounts_file(host: FakeHost, operator: Operator) -> None:
    path = host.file(f"{ME.pw_dir}/.ssh/authorized_keys".lstrip("/"), "ssh-rsa AAAA theirs")
    path.chmod(0o640)
    login = {"user": ME.pw_name, "key": f"{KEY} some comment"}
    operator.converge(host, authorized_key=login)
    line = f"{KEY} pymachine:store-1/web1"
    assert path.read_text() == f"ssh-rsa AAAA theirs\n{line}\n"
    assert mode(path) == 0o640
    before = host.files()
    operator.converge(host, authorized_key=login)
    assert host.files() == before
    operator.converge(host, authorized_key={"user": ME.pw_name, "key": KEY + "y"})
    assert path.read_text() == f"ssh-rsa AAAA theirs\n{line.replace(KEY, KEY + 'y')}\n"
    operator.uninstall(host)
    assert path.read_text() == "ssh-rsa AAAA theirs\n"


def test_what_was_made_for_the_key_goes_with_it(host: FakeHost, operator: Operator) -> None:
    home = host.root / ME.pw_dir.lstrip("/")
    home.mkdir(parents=True, exist_ok=True)
    operator.converge(host, authorized_key={"user": ME.pw_name, "key": KEY})
    assert mode(home / ".ssh") == 0o700
    assert mode(home / ".ssh/authorized_keys") == 0o600
    operator.converge(host, authorized_key={"user": ME.pw_name, "key": KEY})
    operator.uninstall(host)
    assert os.listdir(home) == []


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another account needs root")
@pytest.mark.parametrize("cut_off", [False, True])
def test_the_key_is_not_left_with_an_account_that_is_not_logged_in_to_any_more(
    host: FakeHost, operator: Operator, cut_off: bool
) -> None:
    other = pwd.getpwnam("daemon")
    home, new_home = (host.root / each.pw_dir.lstrip("/") for each in (ME, other))
    for each in (home, new_home):
        each.mkdir(parents=True, exist_ok=True)
    for path in (host.root.parent, host.root, new_home):
        path.chmod(0o755)
    os.chown(new_home, other.pw_uid, other.pw_gid)
    operator.converge(host, authorized_key={"user": ME.pw_name, "key": KEY})
    if cut_off:  # before it was remembered
        (home / ".ssh/authorized_keys").unlink()
    operator.converge(host, authorized_key={"user": "daemon", "key": KEY})
    assert not (home / ".ssh/authorized_keys").exists()
    assert (new_home / ".ssh/authorized_keys").read_text() == f"{KEY} pymachine:store-1/web1\n"
    before = host.files()
    operator.converge(host, authorized_key={"user": "daemon", "key": KEY})
    assert host.files() == before
    operator.uninstall(host)
    assert os.listdir(home) == os.listdir(new_home) == []


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another account needs root")
def test_an_account_cannot_lead_us_where_it_could_not_go_itself(host: FakeHost, operator: Operator) -> None:
    """The file it links to is root's: written as root it would be another way in."""
    target = host.file("etc/secret", "root's own\n")
    target.chmod(0o600)
    nobody = pwd.getpwnam("daemon")
    ssh = host.root / nobody.pw_dir.lstrip("/") / ".ssh"
    ssh.mkdir(parents=True)
    (ssh / "authorized_keys").symlink_to(target)
    for path in (host.root.parent, host.root, ssh.parent):
        path.chmod(0o755)
    os.chown(ssh, nobody.pw_uid, nobody.pw_gid)
    with pytest.raises(BootstrapFailed, match="cannot be changed"):
        operator.converge(host, authorized_key={"user": "daemon", "key": KEY})
    assert target.read_text() == "root's own\n"


@pytest.mark.parametrize(
    "key", ["", "no key", 'command="x" ssh-ed25519 AAAA', "ssh-ed25519 AAAA\nssh-rsa BBBB", KEY + "\x00"]
)
def test_what_is_no_public_key_is_not_written(host: FakeHost, operator: Operator, key: str) -> None:
    home = host.root / ME.pw_dir.lstrip("/")
    home.mkdir(parents=True, exist_ok=True)
    with pytest.raises(BootstrapFailed, match="not a public key") as caught:
        operator.converge(host, authorized_key={"user": ME.pw_name, "key": key})
    assert caught.value.code == "login"
    assert os.listdir(home) == []


def test_uninstall_leaves_the_host_as_it_was_and_twice_is_success(host: FakeHost, operator: Operator) -> None:
    home = host.root / ME.pw_dir.lstrip("/")
    home.mkdir(parents=True, exist_ok=True)
    host.file("etc/hosts", "127.0.0.1 localhost\n")
    before = host.files()
    operator.converge(host, authorized_key={"user": ME.pw_name, "key": KEY})
    gone = operator.uninstall(host)
    assert host.files() == before
    assert not host.own("").exists()
    assert any("pymachine-agent" in path for path in gone.removed)
    assert operator.uninstall(host).removed == ()
    assert host.files() == before


BY_HAND = """
import sys
sys.path.insert(0, sys.argv[1])
from machine.agent.converge import command
of_this_computer = command.Host
command.Host = lambda: of_this_computer(sys.argv[2])
sys.exit(command.uninstall())
"""


@pytest.mark.parametrize("reader", ["", "| sleep 0", ">&-", ">/dev/full"])
def test_an_uninstall_by_hand_needs_nobody_who_reads(host: FakeHost, operator: Operator, reader: str) -> None:
    operator.converge(host)
    archive, code = host.root / "agent.pyz", host.root / "code"
    archive.write_bytes(agent_bundle().data)
    line = f'{{ sleep 0.2; "$0" -I -S -c "$1" "$2" "$3"; echo $? >"$4"; }} {reader}'
    command = ["sh", "-c", line, PYTHON, BY_HAND, str(archive), str(host.root), str(code)]
    path = f"{host.bin}:/usr/bin:/bin"
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": path})
    assert (code.read_text(), ran.stderr) == ("0\n", "")
    assert not host.own("").exists()


def test_a_damaged_state_is_said_and_not_overwritten(host: FakeHost, operator: Operator) -> None:
    operator.converge(host)
    host.own("state.json").write_text("{half")
    with pytest.raises(BootstrapFailed, match="damaged") as caught:
        operator.converge(host)
    assert caught.value.code == "state"
    assert host.own("state.json").read_text() == "{half"
