"""A fleet of one machine that was given: a host, or an endpoint. What changes is how it is reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from machine.trust.certificates import load_authority, new_authority, new_client
from tests.faults.world import World

GIVEN = "fleet apply -y HOME/given.yaml"


class Given:
    """The file, and what has become of it."""

    def __init__(self, world: World, driver: str = "generic") -> None:
        self.world, self.driver = world, driver
        self.options: dict[str, Any] = (
            {"ip-address": "192.0.2.7"} if driver == "generic" else {"url": "tcp://192.0.2.9"}
        )
        self.options |= {} if driver == "generic" else self._certificates("first")

    def write(self, options: Mapping[str, Any] | None = None, *, changed: bool = False) -> None:
        """Write the file, with further options; changed: another user and port, or other certificates."""
        other = {"ssh-user": "ada", "ssh-port": 2222} if self.driver == "generic" else self._certificates("second")
        said = {**self.options, **(other if changed else {}), **(options or {})}
        group = {"driver": self.driver, "machines": {"app-1": {"options": said}}}
        (self.world.home / "given.yaml").write_text(json.dumps({"fleet": "given", "groups": {"app": group}}, indent=1))

    def _certificates(self, of: str) -> dict[str, str]:
        place = self.world.home / of
        if not place.exists():
            place.mkdir()
            authority = new_authority(of)
            client = new_client(load_authority(authority), store=of, machine="app-1", user="me")
            for name, content in (("ca", authority.certificate), ("cert", client.certificate), ("key", client.key)):
                (place / name).write_bytes(content)
        return {"ca-cert": f"{of}/ca", "client-cert": f"{of}/cert", "client-key": f"{of}/key"}

    def access(self) -> dict[str, Any]:
        """How it is reached, as it is recorded."""
        (row,) = self.world.rows("SELECT access FROM instances")
        found: dict[str, Any] = json.loads(row["access"])
        return found

    def recorded(self) -> tuple[dict[str, Any], str, list[bytes]]:
        """All that says how it is reached: access, options and certificates."""
        (row,) = self.world.rows("SELECT spec FROM machines")
        kept = self.world.store / "machines" / "app-1"
        files = [(kept / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")]
        return self.access(), json.dumps(json.loads(row["spec"])["options"]), files

    def is_as_wanted(self) -> bool:
        """Whether it is reached as the changed file says, with what that takes."""
        if self.driver == "generic":
            access = self.access()
            login = (access["user"], access["port"], access["machine_key_installed"])
            return login == ("ada", 2222, True) and self.world.host.has_agent
        kept = self.world.store / "machines" / "app-1"
        pairs = (("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))
        place = self.world.home / "second"
        return all((place / one).read_bytes() == (kept / other).read_bytes() for one, other in pairs)


def another_port_is_closed() -> None:
    """In this process, hosts have no other port than the one that everybody has."""
    from machine.errors import HostUnreachable
    from machine.operations import hostconnection
    from tests.faults import scripted

    scripted.install()
    place: Any = hostconnection
    reach = place.reach

    def reach_or_not(address: str, *, port: int | None, **options: Any) -> Any:
        if port not in (None, 22):
            raise HostUnreachable(f"nothing listens on port {port} of {address}", layer="port")
        return reach(address, port=port, **options)

    place.reach = reach_or_not


def nobody_becomes_root() -> None:
    """In this process, nobody but root may do anything on a host."""
    from machine.ssh.connection import Completed
    from tests.faults import scripted

    scripted.install()
    place: Any = scripted.ScriptedConnection
    place.run = lambda self, *_, **__: Completed(int(self.user != "root"), b"", b"sudo: a password is required")


def another_certificate_is_refused() -> None:
    """In this process, an endpoint knows no client but the one of before."""
    from machine.errors import EndpointUnverified
    from machine.operations import access
    from tests.faults import scripted

    scripted.install()
    place: Any = access

    def refuse(*_: Any, **__: Any) -> Any:
        raise EndpointUnverified("it does not know this client", layer="tls")

    place.ask_engine = refuse
