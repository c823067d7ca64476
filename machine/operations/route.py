"""The way to an endpoint: directly, or through the SSH connection where only port 22 is open."""

from __future__ import annotations

import socket

from machine.errors import EndpointUnverified, HostUnreachable
from machine.model import Endpoint, Machine
from machine.operations.endpoint import NO_WAY, verify_endpoint
from machine.operations.operation import Operation
from machine.ssh.connection import Connection
from machine.ssh.forward import Forward
from machine.trust.names import endpoint_url

# Below the ephemeral ports of Linux (32768 and up), above what services are given.
_FIRST_TUNNEL_PORT, _TUNNEL_PORTS = 23000, 9000


def find_route(op: Operation, machine: Machine, connection: Connection) -> Endpoint:
    """Verify the endpoint from here or, where no packet gets through, over the connection that is open anyway.

    Raises:
        EndpointUnverified: neither works; ``layer`` tells a filtered port from a dead agent.
    """
    assert machine.address is not None  # noqa: S101 - it has been converged
    assert machine.port is not None  # noqa: S101 - it has been converged
    files = op.store.files(machine.name)
    try:
        verify_endpoint(machine.address, machine.port, files, op.deadline)
    except EndpointUnverified as direct:
        if direct.layer not in NO_WAY:
            raise
        try:
            connection.stream_to("127.0.0.1", machine.port, op.deadline).close()
        except HostUnreachable as refused:
            raise EndpointUnverified(
                f"nothing listens on port {machine.port} of {machine.address}, on the host itself neither",
                layer="port",
                cause=f"{direct.cause}; on the host: {refused.cause}",
                hint="look on the host: systemctl status pymachine-agent.socket",
            ) from direct
        with Forward(connection, "127.0.0.1", machine.port) as forward:
            verify_endpoint(machine.address, machine.port, files, op.deadline, local_port=forward.local_port)
        return Endpoint(url=endpoint_url("localhost", tunnel_port(machine)), route="ssh")
    return Endpoint(url=endpoint_url(machine.address, machine.port))


def tunnel_port(machine: Machine) -> int:
    """The port on this computer at which a machine's tunnel ends: the same one every time, free when first chosen."""
    if machine.endpoint is not None and machine.endpoint.route == "ssh":
        return machine.endpoint.port
    for turn in range(_TUNNEL_PORTS):
        port = _FIRST_TUNNEL_PORT + (machine.id + turn) % _TUNNEL_PORTS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise EndpointUnverified("no port of this computer is free for a tunnel", layer="port")
