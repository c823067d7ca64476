"""The operator's ssh-agent, or the one that their ssh configuration names."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import paramiko
from paramiko.agent import AgentSSH


@contextlib.contextmanager
def opened_agent(named: str | None) -> Iterator[tuple[paramiko.AgentKey, ...]]:
    """The keys of an agent, usable while this is open; none where no agent answers.

    Args:
        named: ssh's ``IdentityAgent``: a socket's path, None for ``$SSH_AUTH_SOCK``, "none" for no agent.
    """
    agent = _connected(named)
    try:
        yield agent.get_keys() if agent is not None else ()
    finally:
        if agent is not None:
            agent._close()  # type: ignore[attr-defined]


def _connected(named: str | None) -> AgentSSH | None:
    if named == "none":
        return None
    if os.name == "nt":
        return paramiko.Agent()  # OpenSSH's pipe, or Pageant's window
    path = _socket_path(named)
    if not path:
        return None
    # Not paramiko.Agent: it knows the variable only, and leaves a socket open when nobody answers.
    agent, conn = AgentSSH(), socket.socket(socket.AF_UNIX)
    try:
        conn.connect(path)
        agent._connect(conn)  # type: ignore[attr-defined]
    except (OSError, paramiko.SSHException):
        conn.close()
        return None  # it is gone, or speaks another language: the files remain
    return agent


def _socket_path(named: str | None) -> str | None:
    if named is None or named == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK")
    if named.startswith("$"):
        return os.environ.get(named[1:].strip("{}"))
    return os.path.expanduser(named)
