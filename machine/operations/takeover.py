"""Recording a machine that another program made: its files first, then all that is known of it in one transaction.

Nobody is asked and no host is touched. Until the row is there, nothing of it is seen; a repeat writes the files again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from machine.model import Endpoint, Instance, Spec, State
from machine.operations.hostconnection import MACHINE_KEY
from machine.store.files import PUBLIC, SECRET
from machine.store.store import Store
from machine.trust.sshkeys import new_private_key, public_line


def take_over(
    store: Store,
    spec: Spec,
    instance: Instance,
    endpoint: Endpoint | None,
    files: Mapping[str, bytes],
    *,
    account: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Record a machine as it is; what it is doing, ``ls`` will ask.

    Args:
        files: of its directory, by their names; all are kept secret.
        account: whom its driver asks about it; no secret.

    Raises:
        NameTaken: a machine of this name exists, ignoring case; nothing was changed.
    """
    store.journal.check_name_free(spec.name)
    place = store.files(spec.name)
    place.sweep()  # of an import that was killed
    for name, content in files.items():
        place.write(name, content, SECRET)
    if place.read(MACHINE_KEY) is None:  # its own from the day on which the agent comes
        key = new_private_key()
        place.write(f"{MACHINE_KEY}.pub", f"{public_line(key)} {spec.name}\n".encode(), PUBLIC)
        place.write(MACHINE_KEY, key)
    store.journal.record_taken_over(spec, instance, endpoint, state=State.UNKNOWN, account=account)
