"""Files that other programs read in docker-machine's store: a view of each machine, and its certificates for all.

Only in a store that stands in for docker-machine's. ``config.json`` has its shape and no secret, and is replaced whole
after every operation; ``id_rsa`` is the machine's own key by the name that scripts use; ``certs`` has a client's
certificate that every machine of the store accepts, as docker-machine's has.
"""

from __future__ import annotations

import json

from machine.compat.document import host_document, paths_of
from machine.compat.foreign import CONFIG
from machine.model import Machine
from machine.operations.authority import store_authority
from machine.operations.hostconnection import MACHINE_KEY
from machine.operations.operatorname import operator_name
from machine.store.files import PUBLIC, SECRET
from machine.store.store import Store
from machine.trust.certificates import Authority, KeyPair, is_for, needs_renewal, new_client

_KEY = "id_rsa"
_ALL = "*"
_KEPT = ".docker-machine"


def write_views(store: Store, name: str | None = None) -> None:
    """Bring the files up to date: of one machine or, without a name, of all."""
    if store.database.read_only:
        return
    _write_client_certificate(store)
    for machine in store.machines.all():
        if name is None or machine.name == name:
            _write_machine(store, machine)


def _write_machine(store: Store, machine: Machine) -> None:
    files = store.files(machine.name)
    access = machine.instance.access if machine.instance else None
    taken_over = access is not None and not access.machine_key_installed and access.identity_file == _KEY
    for suffix, mode in (("", SECRET), (".pub", PUBLIC)):
        content = files.read(MACHINE_KEY + suffix)
        if content is not None and not taken_over and files.read(_KEY + suffix) != content:
            files.write(_KEY + suffix, content, mode)
    document = json.dumps(host_document(machine, paths_of(store, machine), drop_in=True), indent=4).encode()
    if files.read(CONFIG) != document:
        files.write(CONFIG, document, SECRET)


def _write_client_certificate(store: Store) -> None:
    """One client for all machines of the store, which docker-machine's users and their programs expect in certs."""
    authority = store_authority(store)
    if _is_usable(store, authority):
        return
    with store.database.write():  # of two processes, one writes both files
        if _is_usable(store, authority):
            return
        for name in ("cert.pem", "key.pem"):
            content = store.certs.read(name)
            if content is not None and not store.certs.exists(name + _KEPT):  # docker-machine's own: for a way back
                store.certs.write(name + _KEPT, content, SECRET)
        user = operator_name()
        pair = new_client(authority, store=store.id, machine=_ALL, user=user)
        store.certs.write("key.pem", pair.key, SECRET)
        store.certs.write("cert.pem", pair.certificate, PUBLIC)


def _is_usable(store: Store, authority: Authority) -> bool:
    certificate, key = store.certs.read("cert.pem"), store.certs.read("key.pem")
    if certificate is None or key is None:
        return False
    return is_for(KeyPair(certificate, key), authority, store=store.id, machine=_ALL) and not needs_renewal(certificate)
