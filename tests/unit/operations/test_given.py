"""An endpoint that is somebody else's: what is kept of it, what it is asked, and what it cannot be used for."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from machine.cli import command_line as run
from machine.store.store import Store
from machine.trust.certificates import Authority, load_authority, new_authority, new_client, private_pem, sign_server


@dataclass
class Engine:
    """An engine behind TLS of its own, which is not our agent."""

    port: int
    files: Path
    asked: list[str]
    pages: dict[str, str]  # what there is, and whose answer it says it is

    @property
    def flags(self) -> list[str]:
        named = (("ca-cert", "ca.pem"), ("client-cert", "cert.pem"), ("client-key", "key.pem"))
        return [f"--none-{flag}={self.files / file}" for flag, file in named]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    files = tmp_path / "theirs"
    files.mkdir()
    pair = new_authority("theirs")
    _certificates(files, load_authority(pair), pair.certificate)
    asked: list[str] = []
    pages = {"/_ping": "Docker/28.1.1 (linux)", "/version": "Docker/28.1.1 (linux)"}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"Version": "28.1.1"}).encode()
            self.send_response_only(200 if self.path in pages else 404)
            self.send_header("Server", pages.get(self.path, "nginx"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files / "server.pem", files / "server-key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Engine(server.server_address[1], files, asked, pages)
        server.shutdown()
        thread.join()


@pytest.fixture
def command(store: Store, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(store, capsys)


@dataclass
class Command:
    store: Store
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command line; what it said on stdout, or on stderr where it fails."""
        assert run(["-s", self.store.directory, *arguments]) == code
        said = self.capsys.readouterr()
        return said.err if code else said.out


def _certificates(files: Path, authority: Authority, ca: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    client = new_client(authority, store="theirs", machine="x", user="me")
    contents = {
        "ca.pem": ca,
        "server.pem": sign_server(authority, public, store="theirs", machine="x", names=["127.0.0.1"]),
        "server-key.pem": private_pem(key),
        "cert.pem": client.certificate,
        "key.pem": client.key,
    }
    for name, content in contents.items():
        (files / name).write_bytes(content)


def test_an_endpoint_with_certificates_is_asked_as_an_engine_and_not_as_our_agent(
    command: Command, engine: Engine
) -> None:
    said = command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{engine.port}", *engine.flags, "theirs")
    assert "with docker 28.1.1" in said
    assert engine.asked == ["/_ping"]
    (row,) = json.loads(command("ls", "-o", "json"))
    assert (row["state"], row["engine"], row["trouble"]) == ("Running", "28.1.1", "")
    assert command("status", "theirs") == "Running\n"
    assert command("url", "theirs") == f"tcp://127.0.0.1:{engine.port}\n"
    assert command("ip", "theirs") == "127.0.0.1\n"


@pytest.mark.parametrize("pages", [{"/_ping": "Libpod/5.4.0 (linux)"}, {"/_ping": "Docker/ (linux)"}, {}])
def test_an_engine_that_does_not_name_itself_in_passing_is_asked_for_its_version(
    command: Command, engine: Engine, pages: dict[str, str]
) -> None:
    engine.pages.pop("/_ping")
    engine.pages.update(pages)
    said = command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{engine.port}", *engine.flags, "theirs")
    assert "with docker 28.1.1" in said
    assert engine.asked == ["/_ping", "/version"]


def test_its_certificates_are_copied_and_nothing_else_is_kept(command: Command, engine: Engine) -> None:
    command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{engine.port}", *engine.flags, "theirs")
    files = Path(command.store.files("theirs").directory)
    kept = {path.name: path.stat().st_mode & 0o777 for path in files.iterdir()}
    assert kept == {"ca.pem": 0o644, "cert.pem": 0o644, "key.pem": 0o600}
    assert all((files / name).read_bytes() == (engine.files / name).read_bytes() for name in kept)
    key = (engine.files / "key.pem").read_bytes().splitlines()[1]
    assert not [path for path in Path(command.store.directory).glob("*.db*") if key in path.read_bytes()]
    assert "DOCKER_TLS_VERIFY=" in command("env", "--shell", "bash", "theirs")
    assert f'--tlskey="{files / "key.pem"}"' in command("config", "theirs")


def test_an_endpoint_that_does_not_answer_is_recorded_and_its_state_is_unknown(
    command: Command, engine: Engine, unused_port: int
) -> None:
    said = command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{unused_port}", *engine.flags, "theirs")
    assert "it does not answer now" in said
    (row,) = json.loads(command("ls", "-o", "json"))
    assert (row["state"], row["engine"]) == ("Unknown", None)
    assert "refuses connections" in row["trouble"]


def test_an_engine_of_another_authority_is_not_taken_for_this_one(
    command: Command, engine: Engine, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    pair = new_authority("other")
    _certificates(other, load_authority(pair), pair.certificate)
    engine.files = other
    command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{engine.port}", *engine.flags, "theirs")
    (row,) = json.loads(command("ls", "-o", "json"))
    assert row["state"] == "Unknown"
    assert "does not answer with this machine's certificate" in row["trouble"]
    assert engine.asked == []


def test_a_placeholder_is_never_dialled_and_has_no_trouble(command: Command, engine: Engine) -> None:
    command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{engine.port}", "place")
    (row,) = json.loads(command("ls", "-o", "json"))
    assert (row["state"], row["trouble"]) == ("Unknown", "")
    assert command("status", "place") == "Unknown\n"
    assert engine.asked == []
    assert not Path(command.store.files("place").directory).exists()


def test_a_client_of_a_placeholder_is_told_of_no_tls(command: Command) -> None:
    command("create", "-d", "none", "--url", "tcp://[2001:db8::7]:2375", "place")
    lines = command("env", "--shell", "bash", "place").splitlines()
    assert lines[:4] == [
        "unset DOCKER_TLS_VERIFY;",  # first, and ended: an unquoted `eval $(…)` makes one line of all
        "unset DOCKER_CERT_PATH;",
        'export DOCKER_HOST="tcp://[2001:db8::7]:2375"',
        'export DOCKER_MACHINE_NAME="place"',
    ]
    assert command("config", "place") == "-H=tcp://[2001:db8::7]:2375\n"
    assert command("ip", "place") == "2001:db8::7\n"


@pytest.mark.parametrize("verb", ["ssh", "provision", "start", "stop", "restart", "kill", "tunnel"])
def test_what_needs_a_host_is_refused_in_words_and_changes_nothing(command: Command, verb: str) -> None:
    command("create", "-d", "none", "--url", "tcp://192.0.2.7", "place")
    before = command("inspect", "place")
    assert "the driver none" in command(verb, "place", code=1)
    assert command("inspect", "place") == before


def test_removing_it_removes_the_record_and_its_files_and_asks_nobody(command: Command, engine: Engine) -> None:
    command("create", "-d", "none", "--url", f"tcp://127.0.0.1:{engine.port}", *engine.flags, "theirs")
    engine.asked.clear()
    command("rm", "-y", "theirs")
    assert command("ls", "-q") == ""
    assert not Path(command.store.files("theirs").directory).exists()
    assert engine.asked == []


def test_certificates_that_cannot_be_used_are_found_before_anything_is_recorded(
    command: Command, engine: Engine
) -> None:
    (engine.files / "key.pem").unlink()
    said = command("create", "-d", "none", "--url", "tcp://192.0.2.7", *engine.flags, "theirs", code=3)
    assert "cannot read" in said
    assert command("ls", "-q") == ""


@pytest.fixture
def unused_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])
