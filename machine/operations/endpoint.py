"""Whether a machine's TLS endpoint answers as it must, asked from here with the client's certificate."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import logging
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from machine.deadline import Deadline
from machine.errors import EndpointUnverified
from machine.store.files import Files
from machine.trust.names import host_in_url

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a machine's agent, and the engine behind it, said of themselves."""

    agent_version: str | None  # None: there is no agent of ours
    engine_version: str | None  # None: the engine does not answer
    engine_trouble: str  # why not


def ask_health(address: str, port: int, files: Files, deadline: Deadline, *, local_port: int | None = None) -> Health:
    """One mutual-TLS connection: a word from the agent, then one from the engine through it.

    Args:
        address, port: where the endpoint is, and what its certificate must say.
        local_port: the end of a tunnel to it on this computer.

    Raises:
        EndpointUnverified: ``layer`` is "name", "route", "port", "tls" or "agent".
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
        EndpointUnverified: ``layer`` is "name", "route", "port", "tls" or "engine".
    """
    with _dialled(address, port, files, deadline, None, who="engine") as connection:
        return Health(agent_version=None, engine_version=_engine_version(connection), engine_trouble="")


@contextlib.contextmanager
def _dialled(
    address: str, port: int, files: Files, deadline: Deadline, local_port: int | None, *, who: str
) -> Iterator[http.client.HTTPSConnection]:
    """A connection for questions; what goes wrong with it or with them is said in our words."""
    where = f"{host_in_url(address)}:{port}"
    context = ssl.create_default_context(cafile=files.path("ca.pem"))
    # From Python 3.13 on; an authority that docker-machine made has not all that RFC 5280 wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(files.path("cert.pem"), files.path("key.pem"))
    # The timeout is for one that dials anew because the other side closed after an answer.
    connection = http.client.HTTPSConnection(address, port, context=context, timeout=_REQUEST_SECONDS)
    dial = (address, port) if local_port is None else ("127.0.0.1", local_port)
    try:
        plain = socket.create_connection(dial, timeout=deadline.remaining(_CONNECT_SECONDS))
        plain.settimeout(deadline.remaining(_REQUEST_SECONDS))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = context.wrap_socket(plain, server_hostname=address)
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


def _engine_version(connection: http.client.HTTPSConnection) -> str:
    """Docker Engine says it with every answer; ``/version`` would cost it two processes."""
    response, _ = _asked(connection, "/_ping")
    match = _DOCKER.fullmatch(response.getheader("Server", "")) if response.status == 200 else None
    return match.group(1) if match else str(_get(connection, "/version")["Version"])


def _asked(connection: http.client.HTTPSConnection, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read(_LARGEST_ANSWER)
    _log.debug("GET %s from %s:%s: %s, %s bytes", path, connection.host, connection.port, response.status, len(body))
    return response, body


def _get(connection: http.client.HTTPSConnection, path: str) -> dict[str, Any]:
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
    if isinstance(error, socket.gaierror):
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
        return isinstance(error, EndpointUnverified) and error.layer not in NO_WAY

    try:
        within.retry(attempt, retryable=retryable, first=0.02, longest=0.5)
    except EndpointUnverified as error:
        error.hint = error.hint or _HINTS.get(error.layer)
        raise
