"""Whether a host is the one it was: pinned keys, the operator's known_hosts, first use.

Nothing is sent to a host, not even a user name, before its key has been accepted here.
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import paramiko

from machine.errors import HostKeyRejected, UsageError
from machine.trust.sshkeys import fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeyPolicy:
    """What is known of a host's key before it answers; the first source that knows anything decides."""

    pinned: tuple[str, ...] = ()  # public key lines: recorded at the first contact, or injected by the driver
    fingerprint: str | None = None  # SHA256:…, as the operator vouched for it
    known_hosts_files: tuple[str, ...] = ()  # the operator's
    known_hosts_name: str = ""  # under which they know the host
    accept_first: bool = False  # trust on first use


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a key was accepted; ``source`` is pinned, fingerprint, known_hosts or first-use."""

    key: str  # the public key line
    source: str

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, as OpenSSH prints it."""
        return fingerprint(self.key)


@dataclass(slots=True)
class _Known:
    accepted: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)


def known_hosts_name(host: str, port: int) -> str:
    """The name of a host in known_hosts, as OpenSSH writes it."""
    return host if port == 22 else f"[{host}]:{port}"


def preferred_types(policy: HostKeyPolicy) -> Sequence[str]:
    """The key types to ask the host for first: those that are known of it, or none in particular."""
    known = policy.pinned or _look_up(policy).accepted
    return sorted({line.split()[0] for line in known})


def judge(key: paramiko.PKey, host: str, policy: HostKeyPolicy) -> Verdict:
    """Accept or refuse the key that a host presented.

    Raises:
        HostKeyRejected: it is another key than the known one, it is revoked, or nothing is known and the policy is
            strict.
    """
    line = f"{key.get_name()} {key.get_base64()}"
    if policy.pinned:
        return _one_of(line, policy.pinned, host, "pinned", "what was recorded when the machine was made")
    if policy.fingerprint is not None:
        if fingerprint(line) != policy.fingerprint:
            raise HostKeyRejected(
                f"the SSH key of {host} is not the one you gave",
                cause=f"given {policy.fingerprint}, the host has {fingerprint(line)} ({key.get_name()})",
                hint="compare it on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            )
        return Verdict(line, "fingerprint")
    known = _look_up(policy)
    if line in known.revoked:
        raise HostKeyRejected(f"the SSH key of {host} is revoked in your known_hosts", cause=fingerprint(line))
    if known.accepted:
        return _one_of(line, known.accepted, host, "known_hosts", "what your known_hosts says")
    if policy.accept_first:
        return Verdict(line, "first-use")
    raise HostKeyRejected(
        f"the SSH key of {host} is not known",
        cause=f"the host has {fingerprint(line)} ({key.get_name()}), and the policy is strict",
        hint="connect once with ssh to record it, give its fingerprint, or use --host-key-policy first-use",
    )


def _one_of(line: str, known: Iterable[str], host: str, source: str, whose: str) -> Verdict:
    if line in known:
        return Verdict(line, source)
    expected = ", ".join(sorted(fingerprint(each) for each in known))
    raise HostKeyRejected(
        f"THE SSH KEY OF {host} HAS CHANGED: this may be another host, or someone in between",
        cause=f"{whose}: {expected}; the host now has {fingerprint(line)}",
        hint="nothing was sent to it. If the host was reinstalled, remove the machine and create it again",
    )


def _look_up(policy: HostKeyPolicy) -> _Known:
    known = _Known()
    for path in policy.known_hosts_files:
        try:
            with open(os.path.expanduser(path), encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            continue
        for line in lines:
            _read_line(line, policy.known_hosts_name, known)
    return known


def _read_line(line: str, name: str, known: _Known) -> None:
    marker, _, rest = line.strip().partition(" ")
    revoked = marker == "@revoked"
    if marker.startswith("@") and not revoked:
        return  # a certificate authority: host certificates are not spoken here
    fields = (rest if revoked else line).split()
    if len(fields) < 3 or fields[0].startswith("#"):
        return
    key = f"{fields[1]} {fields[2]}"
    if not _is_for(fields[0].split(","), name):
        return
    try:
        fingerprint(key)
    except UsageError:
        return  # a damaged line is no reason to believe anything
    (known.revoked if revoked else known.accepted).add(key)


def _is_for(patterns: Sequence[str], name: str) -> bool:
    """Whether a line is about this host, as sshd(8) says: any pattern may match, and none with ``!`` before it."""
    if any(pattern.startswith("!") and _matches(pattern[1:], name) for pattern in patterns):
        return False
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    if not pattern.startswith("|1|"):
        wanted = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(wanted, name, re.IGNORECASE) is not None
    try:
        return bool(paramiko.HostKeys.hash_host(name, pattern) == pattern)
    except (AssertionError, IndexError, binascii.Error):
        return False  # a damaged line is no reason to believe anything
