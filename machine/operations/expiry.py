"""An authority that is about to expire: said in time, with the command that helps.

One of ours lives ten years. docker-machine's, which an import or ``--tls-ca-cert`` may have made a store's own, lives
three, and everything it signed ends with it.
"""

from __future__ import annotations

import datetime
import shlex

from machine.store.files import Files
from machine.trust.certificates import CA_DAYS, expiry

_SOON = datetime.timedelta(days=90)


def of_store(certs: Files) -> str | None:
    """What to say of a store's own authority: one line; None where there is time, or no authority yet.

    The same key under a later date: all that it signed stays good, and hosts learn of it by ``provision``.
    """
    when = _soon(certs.read("ca.pem"))
    if when is None:
        return None
    path, key = (shlex.quote(certs.path(name)) for name in ("ca.pem", "ca-key.pem"))
    renew = f"openssl x509 -in {path} -signkey {key} -days {CA_DAYS} -out {path}"
    return f"the authority that signs in this store {when}: {renew}; then, for each machine: pymachine provision NAME"


def of_others(certs: Files) -> str | None:
    """What to say of an authority by which machines were taken over, and that is not to sign here."""
    when = _soon(certs.read("ca.pem"))
    return when and f"docker-machine's authority {when}, and its certificates with it: pymachine provision NAME"


def _soon(certificate: bytes | None) -> str | None:
    if certificate is None:
        return None
    try:
        left = expiry(certificate) - datetime.datetime.now(datetime.timezone.utc)
    except ValueError:  # whoever needs it will say that it is damaged
        return None
    if left > _SOON:
        return None
    return f"{'expires' if left > datetime.timedelta() else 'has expired'} on {expiry(certificate):%Y-%m-%d}"
