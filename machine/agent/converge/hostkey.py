"""The SSH host key that came in user data, replaced by one that is made here and never leaves.

Whoever can read an instance's metadata has had it. The operator believes both keys before sshd gets the new one, and
that one alone afterwards; cut off anywhere, sshd has one of the two, and the next converge goes on with the same one.
"""

from __future__ import annotations

import os
import signal
import time

from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLACE = "/etc/ssh/ssh_host_ed25519_key"  # where cloud-init puts it, and sshd looks for it
NEW = "host_key"  # below our directory, until sshd shows it
_TAKEN_SECONDS = 5.0
_TURN = 0.05


def replace(host: Host, wire: Wire, wanted: dict[str, Any]) -> list[str]:
    """Have a host key that nobody else has had, and the operator know; what was changed, for people.

    Args:
        wanted: ``replace``: the public lines of keys that others may have.

    Raises:
        Failed: ``host-key``: there is none where it should be, none can be made, or sshd does not take it.
    """
    wire.begin("host-key")
    exposed = [_blob(str(line)) for line in wanted["replace"]]
    place, new = host.path(PLACE), host.own(NEW)
    current, line = _public_line(host, place), _public_line(host, new)
    if not current:
        raise Failed("host-key", f"there is no host key to replace in {PLACE}", hint="look at the host's sshd_config")
    changed = []
    if current in exposed:
        line = line or _made(host, new)
        # Only then: from here on the host may show either of them.
        _tell(wire, line, taken=False)
        _put(host, new, place)
        changed = [f"{place}: a new key, made here"]
        current = line
    if line == current:
        host.write(f"{place}.pub", f"{line}\n".encode())
        _make_sshd_take(host, line)
    host.remove(new)
    _tell(wire, current, taken=True)
    wire.done("the host key was made here")
    return changed


def _tell(wire: Wire, line: str, *, taken: bool) -> None:
    if wire.ask("host_key", public_key=line, taken=taken).get("pinned") != line:
        raise Failed("protocol", "the operator does not accept the host's new key")


def _public_line(host: Host, path: str) -> str:
    """The public half of a private key, without comment; empty when there is none that can be read."""
    if not os.path.exists(path):
        return ""
    return _blob(host.run("ssh-keygen", "-y", "-P", "", "-f", path).out)


def _blob(line: str) -> str:
    words = line.split()
    return " ".join(words[:2]) if words[:1] == ["ssh-ed25519"] and len(words) > 1 else ""


def _made(host: Host, path: str) -> str:
    """A new key at ``path``, there whole or not at all; its public line."""
    host.make_directory(os.path.dirname(path))
    temporary = f"{path}.new"
    for leftover in (temporary, f"{temporary}.pub", path):
        host.remove(leftover)
    ran = host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", temporary)
    host.remove(f"{temporary}.pub")
    if ran.code != 0:
        raise Failed("host-key", "the host could not make itself a host key", ran.last_words())
    data = host.read(temporary) or b""
    host.write(path, data, 0o600)
    host.remove(temporary)
    line = _public_line(host, path)
    if not line:
        raise Failed("host-key", "the host could not make itself a host key", "it cannot read the one it made")
    return line


def _put(host: Host, new: str, place: str) -> None:
    """The private half where sshd looks; it can do without a public one beside it, and not with another key's."""
    host.remove(f"{place}.pub")
    host.write(place, host.read(new) or b"", 0o600)


def _make_sshd_take(host: Host, line: str) -> None:
    """Open connections live on. One that is started for each connection reads its key each time anyway."""
    if not any(host.run("systemctl", "reload", unit).code == 0 for unit in ("ssh.service", "sshd.service")):
        pid = (host.read(host.path("/run/sshd.pid")) or b"").strip().decode("ascii", "replace")
        try:
            os.kill(int(pid), signal.SIGHUP)
        except (ValueError, OSError):
            pass  # none that runs all the time, perhaps: what it shows decides
    address, port = _listens(host)
    until = time.monotonic() + _TAKEN_SECONDS
    while True:
        shown = host.run("ssh-keyscan", "-T", "2", "-t", "ed25519", "-p", port, address)
        if line in [_blob(each.partition(" ")[2]) for each in shown.out.splitlines()]:
            return
        if time.monotonic() > until:
            raise Failed(
                "host-key",
                "sshd on the host does not show its new host key",
                shown.last_words(1),
                "look at it on the host: systemctl reload ssh; then run the command again",
            )
        time.sleep(_TURN)


def _listens(host: Host) -> tuple[str, str]:
    """Where sshd can be asked from here."""
    for row in host.run("sshd", "-T").out.splitlines():
        name, _, value = row.partition(" ")
        if name.lower() == "listenaddress":
            address, _, port = value.strip().rpartition(":")
            address = address.strip("[]")
            return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(address, address), port  # noqa: S104
    return "127.0.0.1", "22"
