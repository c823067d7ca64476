"""Whether a machine's TLS endpoint answers as it must, asked from here with the client's certificate."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machine.deadline import Deadline
from machine.errors import EndpointUnverified
from machine.store.files import Files
from machine.trust.names import host_in_url

_REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Health:
    """What the agent said of itself and of the engine behind it."""

    agent: Mapping[str, Any]

    @property
    def engine_answers(self) -> bool:
        """Whether the engine behind the agent answered its ping."""
        return bool(self.agent.get("engine", {}).get("ok"))


def ask_health(address: str, port: int, files: Files, deadline: Deadline) -> Health:
    """One mutual-TLS request to the agent.

    Raises:
        EndpointUnverified: ``layer`` is "route", "port", "tls" or "agent".
    """
    where = f"{host_in_url(address)}:{port}"
    context = ssl.create_default_context(cafile=files.path("ca.pem"))
    context.load_cert_chain(files.path("cert.pem"), files.path("key.pem"))
    connection = http.client.HTTPSConnection(
        address, port, context=context, timeout=deadline.remaining(_REQUEST_SECONDS)
    )
    try:
        connection.request("GET", "/agent/v1/health")
        response = connection.getresponse()
        body = response.read(1 << 20)
        if response.status != 200:
            raise EndpointUnverified(f"the agent on {where} answered {response.status}", layer="agent")
        return Health(json.loads(body))
    except ConnectionRefusedError as error:
        raise EndpointUnverified(
            f"nothing listens on {where}",
            layer="port",
            cause="connection refused",
            hint="look on the host: systemctl status pymachine-agent.socket",
        ) from error
    except ssl.SSLError as error:
        raise EndpointUnverified(
            f"{where} does not answer with this machine's certificate", layer="tls", cause=error.reason or str(error)
        ) from error
    except (TimeoutError, socket.gaierror) as error:
        raise EndpointUnverified(
            f"{where} does not answer",
            layer="route",
            cause=f"{error or 'no answer'}; SSH works, so a firewall between here and the host may drop the port",
            hint=f"open TCP port {port} for this computer",
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EndpointUnverified(f"{where} ended the conversation", layer="agent", cause=str(error)) from error
    finally:
        connection.close()


def verify_endpoint(address: str, port: int, files: Files, deadline: Deadline) -> Health:
    """Ask until agent and engine answer, for 30 seconds at the most.

    Raises:
        EndpointUnverified: what the last answer was.
    """
    within = Deadline(deadline.remaining(30.0), cancellation=deadline.cancellation)

    def attempt() -> Health:
        health = ask_health(address, port, files, within)
        if not health.engine_answers:
            engine = health.agent.get("engine", {})
            raise EndpointUnverified(
                "the agent answers and the engine behind it does not",
                layer="engine",
                cause=str(engine.get("error") or engine)[:300],
                hint="look on the host: systemctl status docker",
            )
        return health

    def retryable(error: Exception) -> bool:
        return isinstance(error, EndpointUnverified)

    return within.retry(attempt, retryable=retryable, first=0.02, longest=0.5)
