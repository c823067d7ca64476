"""Taking over docker-machine's machines, also in place: its directory becomes a store, which no client could open."""

from __future__ import annotations

import os
from collections.abc import Iterator

from machine.compat.adopt import Adopted, adopt, check_source
from machine.compat.views import write_views
from machine.store.store import Store

__all__ = ["Adopted", "given_source", "take_over"]


def given_source(said: str | None) -> str:
    """docker-machine's store: what was said, else ``MACHINE_STORAGE_PATH``, else ``~/.docker/machine``; absolute."""
    home = os.path.join("~", ".docker", "machine")
    return os.path.abspath(os.path.expanduser(said or os.environ.get("MACHINE_STORAGE_PATH") or home))


def take_over(source: str, directory: str, *, in_place: bool = False, dry_run: bool = False) -> Iterator[Adopted]:
    """Take over all machines that can be, and say of each what became of it, as it is done.

    Args:
        directory: of our store; made when it is not there, unless ``dry_run``.
        in_place: the source is our store from now on.

    Raises:
        UsageError: there is no store of docker-machine's, or it is the wrong one of the two.
    """
    place = source if in_place else directory
    check_source(source, place, in_place=in_place)
    # Looking makes no store where there is none; names are compared with one that is there.
    store = None if dry_run else Store(place, beside=in_place)
    try:

        def changed(name: str) -> None:
            if in_place and store is not None:
                write_views(store, name)

        yield from adopt(store, source, in_place=in_place, changed=changed)
        if in_place and store is not None:
            write_views(store)
    finally:
        if store is not None:
            store.close()
