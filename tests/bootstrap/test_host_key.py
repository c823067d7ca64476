"""The host key that came in user data is replaced by the host's own, and at every moment one of the two is believed."""

from __future__ import annotations

import signal
import stat
import subprocess
from pathlib import Path

import pytest
from fake_host import FakeHost
from operator_side import Operator
from test_session import HELLO, RESULT, Liar

from machine.bootstrap import session
from machine.errors import BootstrapFailed

PLACE = "etc/ssh/ssh_host_ed25519_key"
NEW = "var/lib/pymachine-agent/host_key"


class Server:
    """sshd as far as it matters: it shows the key that was there when it was last told to look."""

    def __init__(self, host: FakeHost) -> None:
        self.host, self.place = host, host.root / PLACE
        self.shown, self.reloads = host.root / "run/shown", host.root / "run/reloads"
        self.place.parent.mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.place], check=True)
        self.injected = public(self.place)
        self.shown.write_text(self.injected)
        self.reload = f"ssh-keygen -y -f {self.place} >{self.shown}; echo >>{self.reloads}"
        fake = (host.bin / "systemctl").read_text().partition("\n")[2]
        host.command("systemctl", f'if [ "$*" = "reload ssh.service" ]; then {self.reload}; exit; fi\n{fake}')
        host.command("sshd", "echo port 2222; echo listenaddress 0.0.0.0:2222")
        asked = '[ "$6 $7" = "2222 127.0.0.1" ] || exit 1'
        host.command("ssh-keyscan", f'{asked}\necho "# said"; echo "[127.0.0.1]:2222 $(cat {self.shown})"')

    def wanted(self) -> dict[str, list[str]]:
        return {"replace": [f"{self.injected} web1"]}

    def shows(self) -> str:
        return " ".join(self.shown.read_text().split()[:2])


def public(path: Path) -> str:
    ran = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True)
    return " ".join(ran.stdout.split()[:2])


class Pinning(Operator):
    """An operator who remembers what he was told to believe, and what the server showed then."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server, self.pins = server, []
        self.stops_at: int | None = None

    def pin(self, key: str, taken: bool) -> None:
        self.pins.append((key, taken, self.server.shows()))
        if self.stops_at == len(self.pins):
            raise KeyboardInterrupt


@pytest.fixture
def server(host: FakeHost) -> Server:
    return Server(host)


@pytest.fixture
def operator(server: Server) -> Pinning:
    return Pinning(server)


def test_the_key_is_replaced_by_one_that_was_believed_before_it_was_shown(
    host: FakeHost, server: Server, operator: Pinning
) -> None:
    report = operator.converge(host, host_key=server.wanted())
    new = public(server.place)
    assert new != server.injected
    assert operator.pins == [(new, False, server.injected), (new, True, new)]
    assert server.place.with_suffix(".pub").read_text() == f"{new}\n"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (server.place, server.place.with_suffix(".pub"))]
    assert modes == [0o600, 0o644]
    assert not (host.root / NEW).exists()
    assert any(PLACE in line for line in report.changed)


def test_the_new_private_key_does_not_cross_the_wire(host: FakeHost, server: Server, operator: Pinning) -> None:
    operator.converge(host, host_key=server.wanted())
    secret = "".join(server.place.read_text().splitlines()[3:5]).encode()
    assert b"PRIVATE" not in host.channels[0].received
    assert secret[:40] not in host.channels[0].received


def test_a_second_time_nothing_is_made_and_sshd_is_left_alone(
    host: FakeHost, server: Server, operator: Pinning
) -> None:
    operator.converge(host, host_key=server.wanted())
    before, reloads = host.files(), server.reloads.read_text()
    report = operator.converge(host, host_key=server.wanted())
    assert (host.files(), server.reloads.read_text(), report.changed) == (before, reloads, ())
    assert operator.pins[2:] == [(server.shows(), True, server.shows())]


def test_without_being_asked_a_host_keeps_its_key(host: FakeHost, server: Server, operator: Pinning) -> None:
    operator.converge(host)
    assert (public(server.place), operator.pins) == (server.injected, [])


def test_a_key_of_the_hosts_own_is_kept(host: FakeHost, server: Server, operator: Pinning) -> None:
    operator.converge(host, host_key={"replace": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"]})
    assert public(server.place) == server.injected
    assert operator.pins == [(server.injected, True, server.injected)]


@pytest.mark.parametrize("stops_at", [1, 2])
def test_an_operator_who_is_cut_off_finds_the_same_new_key_the_next_time(
    host: FakeHost, server: Server, operator: Pinning, stops_at: int
) -> None:
    operator.stops_at = stops_at
    channel = host.channel()
    with pytest.raises(KeyboardInterrupt):
        operator.converge(host, channel, host_key=server.wanted())
    channel.close()
    assert server.shows() in (server.injected, operator.pins[0][0])
    operator.stops_at = None
    operator.converge(host, host_key=server.wanted())
    assert {key for key, *_ in operator.pins} == {server.shows()}


@pytest.mark.parametrize("step", ["made", "private", "public", "half-made"])
def test_a_host_that_is_cut_off_between_any_two_files_goes_on(
    host: FakeHost, server: Server, operator: Pinning, step: str
) -> None:
    new = host.root / NEW
    new.parent.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", new], check=True)
    key = public(new)
    new.with_suffix(".pub").unlink()
    if step in ("private", "public"):
        server.place.with_suffix(".pub").unlink()
        server.place.write_bytes(new.read_bytes())
    if step == "public":
        server.place.with_suffix(".pub").write_text(f"{key}\n")
    if step == "half-made":
        new.rename(f"{new}.new")
        Path(f"{new}.new").write_bytes(b"")
    operator.converge(host, host_key=server.wanted())
    assert server.shows() == public(server.place) == operator.pins[-1][0]
    assert operator.pins[-1][1]
    assert (server.shows() == key) == (step != "half-made")
    assert not list(new.parent.glob("host_key*"))
    assert (server.place.with_suffix(".pub")).read_text() == f"{server.shows()}\n"


def test_where_systemd_knows_no_sshd_it_is_told_directly(host: FakeHost, server: Server, operator: Pinning) -> None:
    fake = (host.bin / "systemctl").read_text().partition("\n")[2].partition("\n")[2]
    host.command("systemctl", f'[ "$1" != reload ] || exit 5\n{fake}')
    sleeper = subprocess.Popen(
        ["sh", "-c", f"trap '{server.reload}' HUP; echo; while :; do sleep 0.05; done"],
        stdout=-1,
        # A shell cannot trap what it was started to ignore, as all below `nohup` are.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    sleeper.stdout.readline()
    try:
        host.file("run/sshd.pid", f"{sleeper.pid}\n")
        operator.converge(host, host_key=server.wanted())
    finally:
        sleeper.kill()
        sleeper.wait()
        sleeper.stdout.close()
    assert server.shows() == public(server.place)


def test_an_sshd_that_does_not_take_it_is_an_error_and_both_keys_are_believed(
    host: FakeHost, server: Server, operator: Pinning
) -> None:
    fake = (host.bin / "systemctl").read_text().partition("\n")[2].partition("\n")[2]
    host.command("systemctl", f'[ "$1" != reload ] || exit 5\n{fake}')
    with pytest.raises(BootstrapFailed, match="does not show its new host key") as caught:
        operator.converge(host, host_key=server.wanted())
    assert caught.value.code == "host-key"
    assert [taken for _, taken, _ in operator.pins] == [False]


def test_uninstall_leaves_no_key_that_was_never_used(host: FakeHost, server: Server, operator: Pinning) -> None:
    operator.stops_at = 1
    channel = host.channel()
    with pytest.raises(KeyboardInterrupt):
        operator.converge(host, channel, host_key=server.wanted())
    channel.close()
    assert (host.root / NEW).exists()
    operator.uninstall(host)
    assert not (host.root / NEW).exists()
    assert public(server.place) == server.injected


@pytest.mark.parametrize("said", [None, "", 5, "ssh-rsa AAAA", "ssh-ed25519 short", "ssh-ed25519 " + "A" * 68 + "\nx"])
def test_what_is_no_host_key_is_never_believed(server: Server, operator: Pinning, said: object) -> None:
    liar = Liar(HELLO, {"need": "host_key", "public_key": said, "taken": False}, {"result": RESULT})
    with pytest.raises(BootstrapFailed) as caught:
        session.converge(liar, operator.wanted(), sign=operator.sign, emit=lambda *_: None, pin=operator.pin)
    assert caught.value.code == "protocol"
    assert operator.pins == []


def test_a_host_that_was_not_asked_or_asks_again_is_not_listened_to(server: Server, operator: Pinning) -> None:
    need = {"need": "host_key", "public_key": server.injected, "taken": True}
    for pin, lines in ((None, [need]), (operator.pin, [need, need])):
        with pytest.raises(BootstrapFailed) as caught:
            session.converge(
                Liar(HELLO, *lines, {"result": RESULT}),
                operator.wanted(),
                sign=operator.sign,
                emit=lambda *_: None,
                pin=pin,
            )
        assert caught.value.code == "protocol"
