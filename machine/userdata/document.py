"""A host's user data: its name, who may log in, the host key by which it is known, and its engine's early start.

Whoever can read an instance's metadata can read all of this. The host key is therefore one for the first contact only,
and is replaced by one made on the host as soon as there is a connection (`machine.agent.converge.hostkey`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from machine.agent.converge import early, packages, repositories
from machine.agent.host import DIRECTORY
from machine.model import EngineSpec
from machine.templating import render
from machine.trust.sshkeys import public_line
from machine.userdata.own import own_parts
from machine.userdata.part import Part, message

LIMIT = 16384
"""Bytes that EC2 takes, before its base64; other providers take more."""

# What a cloud-config may say without using the package manager, for which ours would be in the way.
_QUIET = frozenset(
    (
        *(
            "ca_certs",
            "chpasswd",
            "disable_root",
            "fqdn",
            "groups",
            "hostname",
            "locale",
            "manage_etc_hosts",
            "password",
        ),
        *("prefer_fqdn_over_hostname", "preserve_hostname", "ssh_authorized_keys", "ssh_deletekeys", "ssh_keys"),
        *("ssh_pwauth", "swap", "timezone", "users", "write_files"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """What a new host shall be told."""

    hostname: str
    authorized_key: str  # one OpenSSH public line: it logs in as the image's default user
    host_key: bytes  # a private Ed25519 key in OpenSSH's format, to be replaced after the first contact
    # Begin to install the engine while the host boots. Only where the default one is wanted (`wants_default_engine`),
    # and where no proxy is needed to get it: a proxy's address may hold a password, and this is no place for one.
    engine_early: bool = True
    own: bytes | None = None  # the operator's own user data, in any form cloud-init takes


def wants_default_engine(engine: EngineSpec) -> bool:
    """Whether the engine that is wanted is the one that an early start would install."""
    return (engine.source, engine.version, engine.repository) == ("auto", None, None)


def build(data: UserData) -> bytes:
    """The user data, a MIME message; the same bytes for the same data, so that a repeated request is the same.

    The operator's parts come first: what they say of the host's name or locale holds, and to lists ours are added. The
    engine's early start is left out where theirs may use the package manager, and where there is no room for it.

    Returns:
        As many bytes as it takes: what is over the provider's limit (`LIMIT`) is for the caller to refuse.

    Raises:
        ValueError: the operator's own user data cannot be used; says why.
    """
    own = own_parts(data.own) if data.own is not None else []
    parts = [*own, _config(data, own)]
    if data.engine_early and all(map(_quiet, own)):
        whole = message([*parts, _engine()])
        if len(whole) <= LIMIT:
            return whole
    return message(parts)


def _config(data: UserData, own: list[Part]) -> Part:
    text = render(
        "userdata/cloud-config.yaml",
        hostname=data.hostname,
        authorized_key=data.authorized_key,
        host_key=data.host_key.decode("ascii"),
        host_key_public=public_line(data.host_key),
        default_user=any(map(_may_name_users, own)),
    )
    return Part("text/cloud-config", text.encode("ascii"), _filename("pymachine.yaml"))


def _engine() -> Part:
    text = render(
        "userdata/engine.sh",
        note=f"{DIRECTORY}/{early.NOTE}",
        unit=early.UNIT,
        keyring=repositories.KEYRING,
        source=repositories.SOURCE,
        key_name=repositories.KEY_NAME,
        component=repositories.COMPONENT,
        package=repositories.PACKAGE,
        repositories=tuple(repositories.DOCKER.items()),
        distribution=packages.ENGINE,
        needed=packages.NEEDED,
        openpgp=resources.files("machine.agent.converge").joinpath("openpgp.py").read_text("utf-8"),
    )
    return Part("text/cloud-boothook", text.encode(), _filename("pymachine-engine"))


def _filename(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _quiet(part: Part) -> bool:
    return part.config is not None and _QUIET.issuperset(part.config)


def _may_name_users(part: Part) -> bool:
    """Whether it may list users: then the image's default one, which we log in as, must be said beside them."""
    return "users" in part.config if part.config is not None else not part.content_type.startswith("text/x-shellscript")
