"""What the operator's own OpenSSH would do with a host: ``ssh -G`` where ssh is there, else paramiko's reading.

``ssh -G`` knows every ``Match``, ``Include`` and ``%`` token of the installed OpenSSH; a parser of ours would not.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from machine.errors import HostUnreachable
from machine.ssh.alike import Alike

_SSH_SECONDS = 10
_OTHER_DEFAULT = "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\nMatch all\n  User root\n"
_alike = Alike()
_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHConfig:
    """The settings of one host that matter to us."""

    hostname: str
    port: int
    user: str
    identity_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str | None = None  # None: what SSH_AUTH_SOCK says; "none": no agent
    proxy_jump: str | None = None
    proxy_command: str | None = None
    host_key_alias: str | None = None
    known_hosts_files: tuple[str, ...] = _KNOWN_HOSTS

    def expanded(self, text: str) -> str:
        """A setting with its ``%`` tokens filled in, those that ``ssh -G`` leaves as they are."""
        if "%" not in text:
            return text
        tokens = {
            "%": "%",
            "d": os.path.expanduser("~"),
            "h": self.hostname,
            "p": str(self.port),
            "r": self.user,
            "u": getpass.getuser(),
        }
        return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def resolve(host: str, *, port: int | None, user: str | None) -> SSHConfig:
    """Resolve a host through the operator's ``~/.ssh/config``; what is given explicitly wins.

    Raises:
        HostUnreachable: the operator's ssh configuration has an error.
    """
    ssh = shutil.which("ssh")
    if ssh:
        settings = _alike.settings(host, (ssh, port, user), lambda each: _from_ssh(each, port, user))
    else:
        settings = _from_paramiko(host)
    user = user or _configured_user(host, settings)
    files = " ".join((*settings.get("userknownhostsfile", ()), *settings.get("globalknownhostsfile", ()))).split()
    config = SSHConfig(
        hostname=_first(settings, "hostname") or host,
        port=port or int(_first(settings, "port") or 22),
        user=user,
        identities_only=_first(settings, "identitiesonly") == "yes",
        identity_agent=_first(settings, "identityagent"),
        proxy_jump=_set(_first(settings, "proxyjump")),
        proxy_command=_set(_first(settings, "proxycommand")),
        host_key_alias=_first(settings, "hostkeyalias"),
        known_hosts_files=tuple(os.path.expanduser(path) for path in files) or _KNOWN_HOSTS,
    )
    identity_files = (config.expanded(os.path.expanduser(path)) for path in settings.get("identityfile", ()))
    return dataclasses.replace(config, identity_files=tuple(identity_files))


def _from_ssh(
    host: str, port: int | None, user: str | None, config: str | None = None
) -> tuple[dict[str, list[str]], str]:
    """What ``ssh -G`` prints, and what it says on its way: which files it reads."""
    command = ["ssh", "-G", "-v"]
    command += ["-p", str(port)] if port else []
    command += ["-l", user] if user else []
    command += ["-F", "/dev/stdin"] if config is not None else []
    try:
        done = subprocess.run(
            [*command, "--", host],
            input=config or "",
            capture_output=True,
            text=True,
            timeout=_SSH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _misconfigured(host, f"ssh -G did not answer within {_SSH_SECONDS} s") from error
    if done.returncode != 0:
        raise _misconfigured(host, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "ssh -G failed")
    settings: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        settings.setdefault(key.lower(), []).append(value)
    return settings, done.stderr


def _from_paramiko(host: str) -> dict[str, list[str]]:
    import paramiko

    path = os.path.expanduser("~/.ssh/config")
    if not os.path.exists(path):
        return {}
    found = paramiko.SSHConfig.from_path(path).lookup(host)
    return {key: list(value) if isinstance(value, list) else [value] for key, value in found.items()}


def _misconfigured(host: str, cause: str) -> HostUnreachable:
    return HostUnreachable(
        f"your ssh configuration cannot be used for {host}", layer="config", cause=cause, hint=f"try: ssh -G {host}"
    )


def _configured_user(host: str, settings: dict[str, list[str]]) -> str:
    """The configured user, else root, as docker-machine has it: ``ssh -G`` prints the local user where none is set."""
    user = _first(settings, "user")
    if user is None:
        return "root"
    if user != getpass.getuser() or user == "root" or os.name == "nt" or not shutil.which("ssh"):
        return user
    # Configured, or only the local user's name? Asked again with another default, the answer tells.
    again, _ = _from_ssh(host, None, None, _OTHER_DEFAULT)
    return _first(again, "user") or user


def _first(settings: dict[str, list[str]], key: str) -> str | None:
    values = settings.get(key)
    return values[0] if values else None


def _set(value: str | None) -> str | None:
    return None if value in (None, "", "none") else value
