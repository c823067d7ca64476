"""The conversation, against hosts that break off and hosts that lie."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from fake_host import FakeHost
from operator_side import Operator

from machine.agent.start import intact
from machine.bootstrap import session
from machine.bootstrap.bundle import agent_bundle
from machine.bootstrap.bytecode import agent_bytecode
from machine.errors import BootstrapFailed, DeadlineExceeded

HELLO = {"hello": 1, "have": True, "kept": None, "python": "3.11.2"}
RESULT = {
    "agent": {"version": "0.1.0", "sha256": "0" * 64, "changed": False},
    "engine": {"kind": "docker", "version": "1", "api_version": "1", "source": "found", "package": None},
    "endpoint": {"port": 2376},
    "os": {},
    "arch": "",
    "kernel": "",
    "cpus": 1,
    "memory": 1,
    "python": "",
    "clock_skew": 0,
    "changed": [],
    "installed": [],
}


class Liar:
    """A host that sends whatever a test wants, in pieces of any size."""

    def __init__(self, *lines: Any, piece: int = 65536, endless: bytes = b"", status: int = 0) -> None:
        self.data = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
        self.piece, self.endless, self.status = piece, endless, status
        self.sent = b""
        self.delivered = 0

    def send(self, data: bytes) -> None:
        self.sent += data

    def close_stdin(self) -> None:
        pass

    def recv(self, max_bytes: int) -> bytes:
        count = min(self.piece, max_bytes)
        data, self.data = self.data[:count], self.data[count:]
        if not data and self.endless:
            data = (self.endless * max_bytes)[:max_bytes]
        self.delivered += len(data)
        return data

    def stderr(self) -> bytes:
        return b"Connection closed\x1b[2J by remote\n"

    def exit_status(self) -> int:
        return self.status


def converge(liar: Liar, operator: Operator) -> session.HostReport:
    return session.converge(
        liar, operator.wanted(), sign=operator.sign, emit=lambda *event: operator.events.append(event)
    )


@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_lines_are_understood_however_they_are_cut(operator: Operator, piece: int) -> None:
    step = {"step": "engine", "status": "done", "text": "using it", "elapsed": 0.5}
    assert converge(Liar(HELLO, step, {"result": RESULT}, piece=piece), operator).port == 2376
    assert ("engine", "done", "using it", 0.5) in operator.events


def test_text_of_a_host_reaches_nobody_with_control_characters(operator: Operator) -> None:
    evil = "\x1b]0;title\x07\x1b[31mred\r\n\u202e\u2028\x9b2J"
    error = {"error": {"code": evil, "message": evil, "cause": evil, "hint": evil}}
    step = {"step": evil, "status": evil, "text": evil * 1000, "elapsed": 0}
    with pytest.raises(BootstrapFailed) as caught:
        converge(Liar(HELLO, step, error), operator)
    shown = [caught.value.message, caught.value.code, str(caught.value.cause), str(caught.value.hint)]
    shown += [text for event in operator.events for text in event[:3]]
    assert all(text.isprintable() and len(text) <= 2000 for text in shown)


def test_a_report_of_a_host_is_harmless_too(operator: Operator) -> None:
    result = {**RESULT, "os": {"pretty_name": "\x1b[2JEvil\nLinux"}, "changed": ["\x07bell"]}
    report = converge(Liar(HELLO, {"result": result}), operator)
    assert report.facts["os"]["pretty_name"] == "[2JEvil Linux"
    assert report.changed == ("bell",)


@pytest.mark.parametrize("start", [b"", b"{", b'{"step": "', json.dumps(HELLO).encode() + b"\n"])
def test_a_line_without_end_is_an_error_and_not_all_our_memory(operator: Operator, start: bytes) -> None:
    liar = Liar(start, endless=b"a")
    with pytest.raises(BootstrapFailed) as caught:
        converge(liar, operator)
    assert caught.value.code == "protocol"
    assert liar.delivered < 1_000_000


def test_lines_without_end_are_an_error(operator: Operator) -> None:
    liar = Liar(HELLO, endless=b'{"step":"x","status":"progress","text":"x","elapsed":0}\n')
    operator.events = _Forgetful()
    with pytest.raises(BootstrapFailed) as caught:
        converge(liar, operator)
    assert caught.value.code == "protocol"
    assert liar.delivered < 20_000_000


class _Forgetful(list):  # type: ignore[type-arg]
    def append(self, _: object) -> None:
        pass


@pytest.mark.parametrize(
    "line",
    [
        b"{not json}\n",
        b'{"a": ' + b"[" * 100_000 + b"\n",
        b"{" + b'"a": {' * 50 + b"}" * 51 + b"\n",
        json.dumps({"step": list(range(5000))}).encode() + b"\n",
        {"result": "yes"},
        {"result": {}},
        {"result": {**RESULT, "endpoint": {"port": "many"}}},
        {"result": {**RESULT, "agent": None}},
        {"result": {**RESULT, "endpoint": {"port": float("inf")}}},
        {"result": {**RESULT, "clock_skew": 10**400}},
        {"result": {**RESULT, "clock_skew": float("nan")}},
        {"step": "x", "status": "progress", "text": "x", "elapsed": 10**400},
        b'{"step": "x", "elapsed": 1e999}\n',
        {"need": "consent", "changes": [], "containers": float("inf"), "warnings": []},
        {"error": "text"},
        {"need": "your private key"},
        {"need": {"a": 1}},
    ],
)
def test_nonsense_is_an_error_of_its_own(operator: Operator, line: Any) -> None:
    with pytest.raises(BootstrapFailed) as caught:
        converge(Liar(HELLO, line), operator)
    assert caught.value.code == "protocol"


@pytest.mark.parametrize("value", [True, 1, "yes", [1], {"a": 1}, None])
def test_whatever_it_says_of_bytecode_it_gets_it_once_at_most(operator: Operator, value: Any) -> None:
    hello = {**HELLO, "bytecode": value}
    liar = Liar(hello, hello, {"result": RESULT})
    converge(liar, operator)
    assert liar.sent.count(agent_bytecode().data) == bool(value)


@pytest.mark.parametrize("kept", ["²", "1.²", "٣", "9" * 1900, 1, True, [1], {"a": 1}])
def test_whatever_it_says_of_its_own_agent_is_a_version_or_none(operator: Operator, kept: Any) -> None:
    converge(Liar({**HELLO, "kept": kept}, {"result": RESULT}), operator)


def test_a_host_gets_one_certificate_and_not_two(operator: Operator) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    need = {"need": "certificate", "public_key": pem, "names": ["evil.example"], "ca": "evil"}
    liar = Liar(HELLO, need, need)
    with pytest.raises(BootstrapFailed):
        converge(liar, operator)
    assert operator.signed == [pem], "what else it says does not reach the signer"
    answer = json.loads(liar.sent.splitlines()[-1])
    assert answer["names"] == ["web1", "10.0.0.5"]


def test_an_uninstall_signs_nothing(operator: Operator) -> None:
    liar = Liar(HELLO, {"need": "certificate", "public_key": "x"})
    with pytest.raises(BootstrapFailed):
        session.uninstall(liar, operator.wanted(), emit=lambda *_: None)


def test_a_connection_that_ends_is_said_to_have_been_cut(operator: Operator) -> None:
    step = {"step": "engine", "status": "begun", "text": "", "elapsed": 0}
    with pytest.raises(BootstrapFailed, match="was cut") as caught:
        converge(Liar(HELLO, step, b'{"result": {"half', status=-1), operator)
    assert (caught.value.code, caught.value.cause) == ("cut", "Connection closed [2J by remote")


def test_a_deadline_of_the_channel_passes_through(operator: Operator) -> None:
    class Late(Liar):
        def recv(self, max_bytes: int) -> bytes:
            raise DeadlineExceeded("too late")

    with pytest.raises(DeadlineExceeded):
        converge(Late(), operator)


def whole(host: FakeHost) -> None:
    """What must hold after a cut at any byte: nothing of ours is half there."""
    agents = host.own("agents")
    for path in agents.iterdir() if agents.exists() else ():
        if not path.name.startswith("."):
            assert path.suffix == ".zip" or hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
            assert path.suffix == ".pyz" or intact(str(path))
    if host.own("state.json").exists():
        assert host.state()["owner"] == {"store": "store-1", "machine": "web1"}
    if host.own("current").is_symlink():
        assert host.own("current").exists()
    for name in ("cert.pem", "ca.pem"):
        if host.own(name).exists():
            assert host.own(name).read_text().rstrip().endswith("-----END CERTIFICATE-----")


def parts(total: int, count: int) -> list[int]:
    return [1 + (total - 1) * number // count for number in range(count)]


@pytest.mark.parametrize("number", range(5))
def test_a_stream_cut_at_any_byte_we_send_leaves_what_a_repeat_makes_whole(
    host: FakeHost, operator: Operator, number: int
) -> None:
    total = len(host.script) + len(agent_bundle().data) + len(agent_bytecode().data) + 10_000
    channel = host.channel()
    channel.cut_after = parts(total, 5)[number]
    with contextlib.suppress(BootstrapFailed):  # or the cut came when all was done
        operator.converge(host, channel)
    whole(host)
    operator.converge(host)
    whole(host)
    assert operator.converge(host).changed == ()


@pytest.mark.parametrize("number", range(5))
def test_a_stream_cut_at_any_line_the_host_says_leaves_what_a_repeat_makes_whole(
    host: FakeHost, operator: Operator, number: int
) -> None:
    channel = host.channel()
    channel.cut_after_received = parts(1500, 5)[number]
    with contextlib.suppress(BootstrapFailed):
        operator.converge(host, channel)
    whole(host)
    operator.converge(host)
    whole(host)
    assert operator.converge(host).changed == ()


def test_a_host_that_fails_while_we_still_send_is_heard(operator: Operator) -> None:
    class Deaf(Liar):
        def send(self, data: bytes) -> None:
            if self.sent:
                raise BrokenPipeError("the host reads no more")
            super().send(data)

    error = {"error": {"code": "agent", "message": "the agent could not be started", "cause": "", "hint": ""}}
    with pytest.raises(BootstrapFailed, match="could not be started"):
        converge(Deaf(HELLO, error), operator)
