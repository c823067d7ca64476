"""Whether a machine's TLS endpoint answers as it must, asked from here with the client's certificate."""

from __future__ import annotations

import base64
import contextlib
import errno
import functools
import http.client
import json
import logging
import re
import socket
import ssl
import threading
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from machine.deadline import Deadline
from machine.errors import EndpointUnverified
from machine.store.files import Files
from machine.trust.names import host_in_url, resolvable

_log = logging.getLogger(__name__)
_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 10.0
_LARGEST_ANSWER = 1 << 20
_DOCKER = re.compile(r"Docker/(\S+) \(\w+\)")  # the Server header of Docker Engine; Podman's says "Libpod/…"
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)
_HINTS = {
    "agent": "look on the host: journalctl -u pymachine-agent",
    "tls": "look at the clocks of both sides, and on the host: journalctl -u pymachine-agent",
}
# Nothing that waiting would change: what is between here and the port does not let us through.
NO_WAY = ("name", "route", "port")
# Nor is a file mended that it cannot be asked with.
_NOT_WAITED_FOR = (*NO_WAY, "files")
_P256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")  # id-ecPublicKey, prime256v1: RFC 5480


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a machine's agent, and the engine behind it, said of themselves."""

    agent_version: str | None  # None: there is no agent of ours
    engine_version: str | None  # None: the engine does not answer
    engine_trouble: str  # why not


class _Connection(http.client.HTTPConnection):
    """To an endpoint, with the certificate of one machine's client; dials again where the other side has closed it."""

    def __init__(self, address: str, port: int, files: Files, deadline: Deadline, local_port: int | None) -> None:
        super().__init__(address, port)
        self._files, self._deadline = files, deadline
        dial = (address, port) if local_port is None else ("127.0.0.1", local_port)
        self._dial = typing.cast(str, resolvable(dial[0])), dial[1]  # `create_connection` hands on bytes as well

    def connect(self) -> None:
        """
        Raises:
            OSError: of which ``ssl.SSLError`` is one.
            EndpointUnverified: ``layer`` is "files": it has not come to asking.
        """
        trust = _trust(self._files)
        plain = socket.create_connection(self._dial, timeout=self._deadline.remaining(_CONNECT_SECONDS))
        self.sock = plain  # closed with the connection, whatever happens next
        plain.settimeout(self._deadline.remaining(_REQUEST_SECONDS))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = wrapped = trust.wrap(plain, self.host, self._files.path("cert.pem"), self._files.path("key.pem"))
        wrapped.do_handshake()


class _Trust:
    """TLS with those whom one authority vouches for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        # From Python 3.13 on; an authority that docker-machine made has not all that RFC 5280 wants.
        self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._turn = threading.Lock()

    def wrap(self, plain: socket.socket, name: str, certificate: str, key: str) -> ssl.SSLSocket:
        """One connection before its handshake, with a client's certificate of its own.

        OpenSSL copies what it was given into a connection as it makes it (SSL_CTX_use_certificate(3)): what it is given
        for the next one changes nothing of it.
        """
        with self._turn:
            try:
                self._context.load_cert_chain(certificate, key)
            except OSError as error:  # of which ssl.SSLError is one
                raise _unusable(f"{certificate} with {key}", error.strerror or str(error)) from error
            return self._context.wrap_socket(plain, server_hostname=resolvable(name), do_handshake_on_connect=False)


def _trust(files: Files) -> _Trust:
    """For one machine; shared with the others of its authority, where that can be."""
    authority, certificate = files.read("ca.pem"), files.read("cert.pem")
    if authority is None:
        raise _unusable(files.path("ca.pem"), "it is not there")
    # A context has a place for each kind of key, and chooses among them itself: only what is of one kind takes turns.
    if certificate is not None and _is_p256(certificate):
        with contextlib.suppress(ValueError):
            return _shared_trust(authority)
    try:
        return _Trust(ssl.create_default_context(cafile=files.path("ca.pem")))
    except OSError as error:  # of which ssl.SSLError is one
        raise _unusable(files.path("ca.pem"), error.strerror or str(error)) from error


@functools.lru_cache(maxsize=8)
def _shared_trust(authority: bytes) -> _Trust:
    """Raises ValueError for what is no plain certificate: a file has more forms."""
    if not authority:
        raise ValueError("empty")  # for Python that would be whomever this computer trusts
    try:
        return _Trust(ssl.create_default_context(cadata=authority.decode("ascii")))
    except ssl.SSLError as error:
        raise ValueError(str(error)) from error


def _is_p256(certificate: bytes) -> bool:
    """Whether its key is of the kind that we make."""
    head, _, rest = certificate.partition(b"-----BEGIN CERTIFICATE-----")
    try:
        der = base64.b64decode(rest.partition(b"-----")[0])
    except ValueError:
        return False
    return not head.strip() and _P256 in der


def _unusable(path: str, cause: str) -> EndpointUnverified:
    return EndpointUnverified(f"{path} cannot be used", layer="files", cause=cause)


def ask_health(address: str, port: int, files: Files, deadline: Deadline, *, local_port: int | None = None) -> Health:
    """One mutual-TLS connection: a word from the agent, then one from the engine through it.

    Args:
        address, port: where the endpoint is, and what its certificate must say.
        local_port: the end of a tunnel to it on this computer.

    Raises:
        EndpointUnverified: ``layer`` is "files", "name", "route", "port", "tls" or "agent".
    """
    with _dialled(address, port, files, deadline, local_port, who="agent") as connection:
        agent = _get(connection, "/agent/v1/health")
        engine = agent["engine"]
        version = _engine_version(connection) if engine["state"] == "up" else None
        return Health(
            agent_version=str(agent["agent"]["version"]),
            engine_version=version,
            engine_trouble=str(engine["detail"]),
        )


def ask_engine(address: str, port: int, files: Files, deadline: Deadline) -> Health:
    """One mutual-TLS connection to an engine that is somebody else's.

    Raises:
        EndpointUnverified: ``layer`` is "files", "name", "route", "port", "tls" or "engine".
    """
    with _dialled(address, port, files, deadline, None, who="engine") as connection:
        return Health(agent_version=None, engine_version=_engine_version(connection), engine_trouble="")


@contextlib.contextmanager
def _dialled(
    address: str, port: int, files: Files, deadline: Deadline, local_port: int | None, *, who: str
) -> Iterator[_Connection]:
    """A connection for questions; what goes wrong with it or with them is said in our words."""
    where = f"{host_in_url(address)}:{port}"
    connection = _Connection(address, port, files, deadline, local_port)
    try:
        connection.connect()
        yield connection
    except ssl.SSLError as error:
        raise EndpointUnverified(
            f"{where} does not answer with this machine's certificate", layer="tls", cause=error.reason or str(error)
        ) from error
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        layer, message = _explained(error, who)
        cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise EndpointUnverified(f"{where} {message}", layer=layer, cause=cause) from error
    finally:
        connection.close()


def _engine_version(connection: _Connection) -> str:
    """Docker Engine says it with every answer; ``/version`` would cost it two processes."""
    response, _ = _asked(connection, "/_ping")
    match = _DOCKER.fullmatch(response.getheader("Server", "")) if response.status == 200 else None
    return match.group(1) if match else str(_get(connection, "/version")["Version"])


def _asked(connection: _Connection, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read(_LARGEST_ANSWER)
    _log.debug("GET %s from %s:%s: %s, %s bytes", path, connection.host, connection.port, response.status, len(body))
    return response, body


def _get(connection: _Connection, path: str) -> dict[str, Any]:
    response, body = _asked(connection, path)
    if response.status != 200:
        raise http.client.HTTPException(f"GET {path}: {response.status} {body[:200].decode(errors='replace')}")
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise http.client.HTTPException(f"GET {path}: not an object")
    return answer


def _explained(error: Exception, who: str) -> tuple[str, str]:
    """How far the request came, and that in words."""
    if isinstance(error, ConnectionRefusedError):
        return "port", "refuses connections"
    if isinstance(error, (socket.gaierror, UnicodeEncodeError)) or type(error) is UnicodeError:  # the IDNA codec's
        return "name", "does not resolve"
    if isinstance(error, TimeoutError) or (isinstance(error, OSError) and error.errno in _NO_ROUTE):
        return "route", "does not answer"
    return who, f"does not answer as {'the agent' if who == 'agent' else 'an engine'} does"


def verify_endpoint(
    address: str, port: int, files: Files, deadline: Deadline, *, local_port: int | None = None
) -> None:
    """Ask until the engine answers through the agent, for 30 seconds; once where there is no way to the port.

    Raises:
        EndpointUnverified: what the last answer was.
    """
    within = Deadline(deadline.remaining(30.0), cancellation=deadline.cancellation)

    def attempt() -> None:
        with _dialled(address, port, files, within, local_port, who="agent") as connection:
            response, _ = _asked(connection, "/_ping")
            if response.status == http.client.OK:
                return
            trouble = str(_get(connection, "/agent/v1/health")["engine"]["detail"])
        raise EndpointUnverified(
            "the agent answers and the engine behind it does not",
            layer="engine",
            cause=trouble,
            hint="look on the host: systemctl status docker",
        )

    def retryable(error: Exception) -> bool:
        return isinstance(error, EndpointUnverified) and error.layer not in _NOT_WAITED_FOR

    try:
        within.retry(attempt, retryable=retryable, first=0.02, longest=0.5)
    except EndpointUnverified as error:
        error.hint = error.hint or _HINTS.get(error.layer)
        raise
