"""The store's CA and what it signs, with the files they live in."""

from __future__ import annotations

from machine.errors import StoreError, UsageError
from machine.operations.operatorname import operator_name
from machine.store.files import PUBLIC, SECRET, Files
from machine.store.store import Store
from machine.trust.certificates import (
    Authority,
    KeyPair,
    belongs_together,
    is_for,
    load_authority,
    needs_renewal,
    new_authority,
    new_client,
)


def store_authority(store: Store) -> Authority:
    """The store's CA; made once, also when twenty processes ask at the same moment.

    Raises:
        StoreError: half of it is missing, which no pymachine leaves behind.
    """
    pair = _read(store)
    if pair is None:
        with store.database.write():  # the store's one write lock: whoever comes second finds the first one's CA
            pair = _read(store)
            if pair is None:
                pair = new_authority(store.id)
                # The key first: a certificate without its key could be taken for a complete CA.
                store.certs.write("ca-key.pem", pair.key)
                store.certs.write("ca.pem", pair.certificate, PUBLIC)
    return load_authority(pair)


def adopt_authority(store: Store, certificate: str, key: str) -> None:
    """Make somebody's own CA the store's, from two files; it is that one already is success.

    Raises:
        UsageError: no file, no CA that can sign, or the store has another one, which its machines believe.
    """
    try:
        with open(certificate, "rb") as first, open(key, "rb") as second:
            pair = KeyPair(first.read(), second.read())
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}", cause=error.strerror) from error
    load_authority(pair)
    if not belongs_together(pair):
        raise UsageError(f"{certificate} and {key} do not belong together")
    with store.database.write():
        found = _read(store)
        if found is None:
            store.certs.write("ca-key.pem", pair.key)
            store.certs.write("ca.pem", pair.certificate, PUBLIC)
        elif found.certificate.split() != pair.certificate.split():
            raise UsageError(
                "this store has an authority of its own already, which its machines believe",
                cause=f"{certificate} is not {store.certs.path('ca.pem')}",
                hint="leave --tls-ca-cert and --tls-ca-key away, or use another store: --storage-path DIR",
            )


def ensure_client_certificate(
    store: Store, files: Files, machine: str, authority: Authority, trust: bytes | None = None
) -> None:
    """The client's certificate among a machine's files: made when missing, renewed in the last third of its life.

    Args:
        trust: the CA to know the endpoint by, where that is another store's.
    """
    shown = trust or authority.pem
    if files.read("ca.pem") != shown or not _usable(store, files, machine, authority):
        new_client_certificate(store, files, machine, authority, shown)


def new_client_certificate(
    store: Store, files: Files, machine: str, authority: Authority, shown: bytes | None = None
) -> None:
    """A new key and certificate for the client of a machine.

    Args:
        shown: the CA to know the endpoint by; else that stays as it is.
    """
    pair = new_client(authority, store=store.id, machine=machine, user=operator_name())
    trusted = {} if shown is None else {"ca.pem": (shown, PUBLIC)}
    files.write_all({**trusted, "key.pem": (pair.key, SECRET), "cert.pem": (pair.certificate, PUBLIC)})


def _usable(store: Store, files: Files, machine: str, authority: Authority) -> bool:
    """Whether the pair that is there is one of ours for this machine, whole and not due."""
    certificate, key = files.read("cert.pem"), files.read("key.pem")
    if certificate is None or key is None:
        return False
    ours = is_for(KeyPair(certificate, key), authority, store=store.id, machine=machine)
    return ours and not needs_renewal(certificate)


def _read(store: Store) -> KeyPair | None:
    certificate, key = store.certs.read("ca.pem"), store.certs.read("ca-key.pem")
    if certificate is not None and key is None:
        raise StoreError(
            "the store's CA has lost its key",
            cause=f"{store.certs.path('ca.pem')} is there, ca-key.pem is not",
            hint="restore ca-key.pem from a backup",
        )
    return KeyPair(certificate, key) if certificate is not None and key is not None else None
