"""What systemd tells us and wants to hear, over the environment and one datagram socket (sd_listen_fds, sd_notify)."""

from __future__ import annotations

import os
import socket

_FIRST = 3  # SD_LISTEN_FDS_START


def listeners() -> list[socket.socket]:
    """The listening sockets systemd holds for us; none when we were not started by it."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    return [socket.socket(fileno=_FIRST + number) for number in range(int(os.environ.get("LISTEN_FDS", "0")))]


def notify(text: str) -> None:
    """Tell the service manager, if there is one; it not listening is no reason to fail."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address[0] == "@":
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), address)
    except OSError:
        pass


def watchdog_interval() -> float:
    """How often to say that we live, in seconds; 0: nobody asks."""
    pid, usec = os.environ.get("WATCHDOG_PID"), os.environ.get("WATCHDOG_USEC")
    if not usec or (pid and pid != str(os.getpid())):
        return 0.0
    return int(usec) / 2_000_000
