"""With which keys to log in: the machine's own, or the operator's (ssh-agent, identity files, passphrases)."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from machine.errors import LoginRefused, UsageError
from machine.ssh.agent import opened_agent

# Given a key's path, the passphrase; None: the operator cannot be asked, or did not answer.
AskPassphrase = Callable[[str], "str | None"]

_DEFAULT_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


def never_ask(_path: str) -> str | None:
    """For scripts: a key with a passphrase that no agent holds is left out."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The keys to offer, in order; each is tried once."""

    machine_key: str | None = None  # path; unencrypted, ours
    identity_files: tuple[str, ...] = ()  # the operator's
    required_identity: str | None = None  # given explicitly: it must be readable, and is offered first
    agent: str | None = "none"  # ssh's IdentityAgent: a socket's path, None for $SSH_AUTH_SOCK, "none" for no agent
    identities_only: bool = False  # of the agent's keys, only those of the files
    ask_passphrase: AskPassphrase = never_ask
    tried: list[str] = field(default_factory=list)  # filled in: what to tell when all fail

    def offered(self) -> Iterator[paramiko.PKey]:
        """The keys that can be read; those with a passphrase come last, so that it is asked only when needed."""
        self.tried.clear()
        if self.machine_key is not None:
            yield self._named(_own(self.machine_key), "the machine's own key")
            return
        with opened_agent(self.agent) as agent_keys:
            yield from self._operators(list(agent_keys))

    def _operators(self, agent_keys: list[paramiko.AgentKey]) -> Iterator[paramiko.PKey]:
        locked: list[str] = []
        files = (self.required_identity, *self.identity_files) if self.required_identity else self.identity_files
        if self.identities_only:
            ours = {_public_half(path) for path in files}
            agent_keys = [key for key in agent_keys if key.get_base64() in ours]
        held = {key.get_base64() for key in agent_keys}
        if self.required_identity:
            # An agent that holds the given key knows its passphrase already.
            wanted = _public_half(self.required_identity)
            for key in [key for key in agent_keys if wanted is not None and key.get_base64() == wanted]:
                agent_keys.remove(key)
                yield self._named(key, f"{self.required_identity} (ssh-agent)")
        for path in files:
            if _public_half(path) in held:
                continue
            try:
                yield self._named(_load(path), path)
            except paramiko.PasswordRequiredException:
                locked.append(path)
            except FileNotFoundError:
                if path == self.required_identity:
                    raise UsageError(f"there is no key file {path}") from None
            except (OSError, ValueError, paramiko.SSHException) as error:
                if path == self.required_identity:
                    raise UsageError(f"the key file {path} cannot be read", cause=str(error)) from error
        for key in agent_keys:
            yield self._named(key, f"ssh-agent: {key.comment or key.get_name()}")
        for path in locked:
            yield from self._unlocked(path)

    def _unlocked(self, path: str) -> Iterator[paramiko.PKey]:
        passphrase = self.ask_passphrase(path)
        if passphrase is None:
            self.tried.append(f"{path} (not offered: it has a passphrase; ssh-add {path})")
            return
        try:
            yield self._named(_load(path, passphrase), path)
        except (ValueError, paramiko.SSHException) as error:
            raise LoginRefused(f"the passphrase does not open {path}", cause=str(error)) from error

    def _named(self, key: paramiko.PKey, name: str) -> paramiko.PKey:
        self.tried.append(name)
        return key


def operator_credentials(
    identity_files: tuple[str, ...],
    *,
    required: str | None,
    identities_only: bool,
    agent: str | None,
    ask_passphrase: AskPassphrase,
) -> Credentials:
    """What ssh itself would offer, with the operator's settings.

    Args:
        required: the key file that was given on the command line.
        agent: ssh's ``IdentityAgent``; "none" switches the agent off.
    """
    files = identity_files or tuple(os.path.expanduser(path) for path in _DEFAULT_FILES)
    return Credentials(
        identity_files=() if required and identities_only else files,
        identities_only=identities_only,
        required_identity=os.path.expanduser(required) if required else None,
        agent=agent,
        ask_passphrase=ask_passphrase,
    )


def _own(path: str) -> paramiko.PKey:
    try:
        return paramiko.Ed25519Key.from_private_key_file(path)
    except (OSError, ValueError, paramiko.SSHException) as error:
        raise LoginRefused(
            "the machine's own key cannot be read",
            cause=f"{path}: {(error.strerror if isinstance(error, OSError) else None) or error}",
            hint="restore it from a backup of the store",
        ) from error


def _load(path: str, passphrase: str | None = None) -> paramiko.PKey:
    """Read a key file of any type and format.

    Not ``PKey.from_path``: it takes no passphrase that cryptography would take, and fails on half of all ECDSA keys.
    """
    with open(path, "rb") as file:
        data = file.read()
    return _read_plain(data) if passphrase is None else _read(data, passphrase.encode())


@functools.lru_cache(maxsize=8)  # a fleet's machines are logged in to with the same key
def _read_plain(data: bytes) -> paramiko.PKey:
    return _read(data, None)


def _read(data: bytes, password: bytes | None) -> paramiko.PKey:
    key: object
    try:
        try:
            key = serialization.load_ssh_private_key(data, password)
        except ValueError:
            key = serialization.load_pem_private_key(data, password)
    except TypeError as error:  # what `cryptography` says of a key that is encrypted
        raise paramiko.PasswordRequiredException(str(error)) from error
    except UnsupportedAlgorithm as error:
        raise paramiko.SSHException(str(error)) from error
    if isinstance(key, rsa.RSAPrivateKey):
        return paramiko.RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(key, key.public_key()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return paramiko.Ed25519Key.from_private_key(io.StringIO(plain.decode("ascii")))
    raise paramiko.SSHException("a key of this type cannot be used")


def _public_half(path: str) -> str | None:
    try:
        with open(f"{path}.pub", encoding="utf-8") as file:
            return file.read().split()[1]
    except (OSError, IndexError, UnicodeDecodeError):
        return None
