"""The host's key, made here and never leaving; and the certificate the operator signs over its public half."""

from __future__ import annotations

import base64
import hashlib
import os

from machine.agent.converge.state import State
from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.wire import Wire

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any

# A P-256 key as both tools write it (RFC 5915, DER): this, the number, this, the point as 0x04 X Y. And the point as
# SubjectPublicKeyInfo (RFC 5480) is a prefix and itself.
_PRIVATE, _POINT = bytes.fromhex("30770201010420"), bytes.fromhex("a00a06082a8648ce3d030107a144034200")
_PUBLIC = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_OPENSSH = ("ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", "", "-C", "", "-f")


def ensure(host: Host, wire: Wire, state: State, wanted: dict[str, Any], now: float) -> list[str]:
    """Key, certificate and CA as wanted; what was changed, for people. What is to be remembered of them is only noted:
    without that, a repeat asks for a certificate once more.

    Args:
        wanted: ``names`` for the certificate, and ``ca`` in PEM; ``renew``: also where the one there is good.
        now: by the operator's clock; the host's may be wrong.

    Raises:
        Failed: no key can be made, or the operator's certificate does not fit.
    """
    wire.begin("certificate")
    reason = _stale(host, state, wanted, now)
    if reason is None:
        wire.done("the certificate is as wanted")
        return []
    key = host.own("key.pem")
    if host.read(key) is None:
        state.put("certificate", None)  # it fits no key that comes
        _make_key(host, key)
    public = public_half(host, key)
    answer = wire.ask("certificate", public_key=public)
    certificate, authority = answer.get("certificate"), answer.get("ca")
    if not isinstance(certificate, str) or not isinstance(authority, str):
        raise Failed("certificate", "the operator sent no certificate")
    record = _examine(public.encode(), certificate.encode(), authority.encode())
    record["names"] = sorted(answer.get("names") or wanted["names"])
    host.write(host.own("ca.pem"), bundle(authority, state))
    host.write(host.own("cert.pem"), certificate.encode())
    state.note("certificate", record)
    wire.done(f"new certificate for {', '.join(record['names'])}")
    return [f"{host.own('cert.pem')}: {reason}"]


def bundle(authority: str, state: State) -> bytes:
    """Who is believed of clients: the owner's CA, and those of members."""
    members = state.values.get("members") or ()
    return "".join([authority, *(f"\n{member['ca'].strip()}\n" for member in members)]).encode()


def _stale(host: Host, state: State, wanted: dict[str, Any], now: float) -> str | None:
    """Why a new certificate is needed; None when it is not."""
    record = state.get("certificate")
    certificate = host.read(host.own("cert.pem"))
    if not record or certificate is None or not os.path.exists(host.own("key.pem")):
        return "the first certificate"
    if _digest(certificate) != record.get("sha256"):
        return "it was changed by someone else"
    if record.get("signed_by"):
        return "who signed it has left"
    if record.get("names") != sorted(wanted["names"]):
        return "other names"
    if (host.read(host.own("ca.pem")) or b"").split() != bundle(wanted["ca"], state).split():
        return "another CA"
    begin, end = record["not_before"], record["not_after"]
    if now > begin + (end - begin) * 2 / 3:
        return "in the last third of its life"
    if wanted.get("renew"):
        return "a new one was asked for"
    return None


def _make_key(host: Host, path: str) -> None:
    """A P-256 key at ``path``, 0600, there whole or not at all."""
    host.make_directory(os.path.dirname(path))
    new = path + ".new"
    for leftover in (new, new + ".pub"):
        host.remove(leftover)
    old = os.umask(0o077)
    try:
        ran = host.run(*_OPENSSH, new)
        host.remove(new + ".pub")
        if ran.code == 127:  # no OpenSSH here (dropbear): the other tool that may be there
            ran = host.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", new)
        if ran.code == 127:
            raise Failed(
                "key-tool",
                "the host has neither ssh-keygen nor openssl, so it cannot make its key",
                hint="install one of them on the host (openssh-client or openssl), and run the command again",
            )
        if ran.code != 0:
            raise Failed("key-tool", "the host could not make its key", ran.last_words())
        os.chmod(new, 0o600)
        with open(new, "rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        os.umask(old)


def public_half(host: Host, path: str) -> str:
    """The key's public half, PEM (SubjectPublicKeyInfo). It is in the file; a tool, which is a process more, is asked
    only where that does not look as ours do.

    Raises:
        Failed: ``key-tool``: it cannot say it.
    """
    point = _point(host.read(path) or b"")
    if point is not None:
        text = base64.b64encode(_PUBLIC + point).decode()
        lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"
    if host.has("ssh-keygen"):
        ran = host.run("ssh-keygen", "-e", "-m", "PKCS8", "-f", path)
    else:
        ran = host.run("openssl", "pkey", "-in", path, "-pubout")
    if ran.code != 0 or "BEGIN PUBLIC KEY" not in ran.out:
        raise Failed("key-tool", "the host could not show the public half of its key", ran.last_words())
    return ran.out


def _point(pem: bytes) -> bytes | None:
    pieces = pem.split(b"-----")
    if len(pieces) != 5 or pieces[1] != b"BEGIN EC PRIVATE KEY":
        return None
    try:
        der = base64.b64decode(pieces[2])
    except ValueError:
        return None
    numbered = len(_PRIVATE) + 32
    point = der[numbered + len(_POINT) :]
    fits = der.startswith(_PRIVATE) and der[numbered:].startswith(_POINT) and len(point) == 65 and point[0] == 4
    return point if fits else None


def _examine(public: bytes, certificate: bytes, authority: bytes) -> dict[str, Any]:
    """Check that these can be served with, and note what a later converge needs to know of them.

    Without OpenSSL, which reads them when the service starts: `ssl` takes 4 ms to import.
    """
    from machine.agent.x509 import Certificate, Malformed, certificates, public_key

    try:
        read = [Certificate(der) for der in certificates(certificate)]
        if not read or read[0].key != public_key(public):
            raise Malformed("it is for another key" if read else "it is no certificate in PEM")
        if not [Certificate(der) for der in certificates(authority)]:
            raise Malformed("its CA is no certificate in PEM")
    except Malformed as error:
        raise Failed(
            "certificate", "the certificate from the operator does not fit the host's key", str(error)
        ) from None
    return {"sha256": _digest(certificate), "not_before": read[0].not_before, "not_after": read[0].not_after}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
