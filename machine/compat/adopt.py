"""``import --from-docker-machine``: its machines become ours, and can be used at once with their own certificates.

The other directory is only read; in place, one file of each machine gets another name. No host is touched: the agent
comes when somebody asks for it by ``provision``.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from machine.compat.foreign import (
    CONFIG,
    ORIGINAL,
    OldMachine,
    Unreadable,
    is_docker_machine_store,
    machine_names,
    read_machines,
)
from machine.driver import driver_names
from machine.errors import PymachineError, UsageError
from machine.model import Access, Endpoint, Instance, Machine, Spec, valid_name
from machine.operations import expiry
from machine.operations.enginesecrets import ENGINE_SECRETS, as_file, taken_out
from machine.operations.takeover import take_over
from machine.store.files import Files
from machine.store.location import DATABASE
from machine.store.store import Store
from machine.trust.names import endpoint_url

_KEY = "id_rsa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What became of one machine."""

    name: str
    what: str  # "generic at 192.0.2.7", for people
    problem: str = ""  # why it was not taken over
    already: bool = False  # it is ours since an earlier import
    notes: tuple[str, ...] = field(default=())


def check_source(directory: str, store: str, *, in_place: bool) -> None:
    """Whether machines can be taken over from a directory into a store.

    Raises:
        UsageError: there is none of docker-machine's, or it is the wrong one of the two.
    """
    same = os.path.realpath(directory) == os.path.realpath(store)
    if not in_place and os.path.exists(os.path.join(directory, DATABASE)):
        raise UsageError(f"{directory} is a store of pymachine's", hint="pymachine -s DIR ls shows what is in it")
    if not machine_names(directory) and not is_docker_machine_store(directory):
        raise UsageError(
            f"{directory} is no store of docker-machine's",
            cause="there are no machines in it",
            hint="name it: pymachine import --from-docker-machine DIR",
        )
    if same and not in_place:
        raise UsageError(
            f"{directory} is docker-machine's store, and would be ours as well",
            hint=f"to make it ours: pymachine import --from-docker-machine {directory} --in-place",
        )


def adopt(
    store: Store | None, directory: str, *, in_place: bool = False, changed: Callable[[str], None] = lambda _name: None
) -> Iterator[Adopted]:
    """Take over all machines that can be, and say of each what became of it.

    Args:
        store: None: only look, and change nothing.
        in_place: the directory is the store: files stay where they are, and config.json gets another name.
        changed: called with the name of a machine when it is ours.
    """
    for old in read_machines(directory):
        if isinstance(old, Unreadable):
            yield Adopted(name=old.name, what="not readable", problem=old.reason)
            continue
        yield _adopt_one(store, old, in_place=in_place, changed=changed)


def _adopt_one(store: Store | None, old: OldMachine, *, in_place: bool, changed: Callable[[str], None]) -> Adopted:
    what = f"{old.driver} at {old.address}"
    notes = old.notes
    if old.secrets:
        notes = (*notes, f"not copied, for they are the provider's credentials: {', '.join(old.secrets)}")
    engine, secrets = taken_out(old.engine)
    if secrets:
        notes = (*notes, f"the passwords in its engine's settings are kept in {ENGINE_SECRETS}, for you alone to read")
    if old.continued is not None and old.continued.driver in driver_names():
        notes = (*notes, *old.continued.notes)
    else:
        old = dataclasses.replace(old, continued=None)
    if not valid_name(old.name):
        return Adopted(name=old.name, what=what, problem="it has a name that no machine can have here")
    if store is None:
        return Adopted(name=old.name, what=what, notes=notes)
    spec, instance, endpoint = translated(old)
    spec = dataclasses.replace(spec, engine=engine)
    there = store.machines.find(old.name)
    if there is not None:
        if _is_same(there, instance):
            return Adopted(name=old.name, what=what, already=True)
        return Adopted(name=old.name, what=what, problem=f'a machine "{there.name}" exists, and it is another one')
    try:
        if in_place:
            _put_aside(old.directory)
        account = old.continued.account if old.continued is not None else {}
        take_over(store, spec, instance, endpoint, {**_files(old), **as_file(secrets)}, account=account)
        changed(old.name)
    except OSError as error:
        return Adopted(name=old.name, what=what, problem=f"{error.filename}: {error.strerror}")
    except PymachineError as error:
        return Adopted(name=old.name, what=what, problem=f"{error}" + (f" ({error.cause})" if error.cause else ""))
    return Adopted(name=old.name, what=what, notes=notes)


def translated(old: OldMachine) -> tuple[Spec, Instance, Endpoint | None]:
    """A machine of docker-machine's in our terms."""
    driver = old.continued.driver if old.continued is not None else old.driver
    options: dict[str, Any]
    if old.continued is not None:
        options = dict(old.continued.options)
    elif old.driver == "generic":
        options = {"ip_address": old.address, "ssh_user": old.ssh_user, "ssh_port": old.ssh_port}
    else:
        options = {"url": old.url} if old.url is not None else {}
    spec = Spec(name=old.name, driver=driver, options=options, engine=old.engine, tls_san=old.tls_san)
    access = Access(
        host=old.ssh_host or old.address,
        port=old.ssh_port if old.ssh_host else None,
        user=old.ssh_user if old.ssh_host else None,
        address=old.address,
        machine_key_installed=False,
        identity_file=_KEY if old.ssh_key and old.ssh_host else None,
    )
    data = {"taken_over": True, "port": old.port, **old.places, **(old.continued.data if old.continued else {})}
    instance = Instance(driver=driver, id=old.id, access=access, data=data)
    if len(old.certificates) < 3:
        plain = Endpoint(url=old.url, route="plain") if old.url is not None else None
        return spec, instance, plain
    return spec, instance, Endpoint(url=endpoint_url(old.address, old.port), route="given")


def expiry_warning(directory: str, *, in_place: bool) -> str | None:
    """One line about docker-machine's authority where that is about to expire, or has: when, and what to do."""
    certs = Files(os.path.join(directory, "certs"))
    return expiry.of_store(certs) if in_place else expiry.of_others(certs)


def roll_back(directory: str) -> str:
    """The command that gives a directory that was taken over in place back to docker-machine."""
    quoted = shlex.quote(directory)
    return f'(cd {quoted} && for f in machines/*/{ORIGINAL}; do mv "$f" "${{f%/*}}/{CONFIG}"; done)'


def _files(old: OldMachine) -> dict[str, bytes]:
    files = {}
    sources = {**old.certificates}
    if old.ssh_key is not None and old.ssh_host is not None:
        sources[_KEY] = old.ssh_key
        if os.path.exists(f"{old.ssh_key}.pub"):
            sources[f"{_KEY}.pub"] = f"{old.ssh_key}.pub"
    for name, path in sources.items():
        with open(path, "rb") as file:
            files[name] = file.read()
    return files


def _put_aside(directory: str) -> None:
    """Keep docker-machine's own record under another name, as it is; once."""
    original, kept = os.path.join(directory, CONFIG), os.path.join(directory, ORIGINAL)
    if not os.path.exists(kept):
        os.replace(original, kept)
    os.chmod(kept, 0o600)


def _is_same(machine: Machine, instance: Instance) -> bool:
    return (
        machine.instance is not None
        and machine.instance.id == instance.id
        and bool(machine.instance.data.get("taken_over"))
    )
