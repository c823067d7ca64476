"""The read-only root file systems below the machines: built or unpacked once, kept by content, shared by all.

A base appears in the cache by one rename, complete; what a killed build leaves is a directory named ``building-…``
that the next build of the same base removes. What it was made from stands beside it, in ``….json``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine.driver import Recorder
from machine.drivers.nspawn import commands, mmdebstrap, records, rootfs
from machine.drivers.nspawn.inroot import InRoot
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.locking import locked
from machine.drivers.nspawn.mmdebstrap import Recipe

BUILDING = "building-"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a base was made from, as it stood in the request."""

    base: Mapping[str, Any]


def about(path: Path) -> Path:
    """Where it stands what a base was made from."""
    return path.with_name(f"{path.name}.json")


def of_recipe(recipe: Recipe) -> dict[str, Any]:
    """A base that is built, as it stands in a request."""
    return {"kind": "built", "recipe": asdict(recipe) | {"include": list(recipe.include)}}


def of_path(path: Path) -> dict[str, Any]:
    """A base that the operator gives, as it stands in a request; a tarball is known by its content."""
    if path.is_dir():
        return {"kind": "directory", "path": str(path)}
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return {"kind": "tarball", "path": str(path), "sha256": digest.hexdigest()}


def cached(layout: Layout, base: Mapping[str, Any]) -> Path:
    """Where this base is, or will be."""
    if base["kind"] == "directory":
        return Path(base["path"])
    if base["kind"] == "tarball":
        return layout.cache / str(base["sha256"])[:20]
    digest = hashlib.sha256(json.dumps(base["recipe"], sort_keys=True).encode()).hexdigest()
    return layout.cache / digest[:20]


def ensure(layout: Layout, base: Mapping[str, Any], record: Recorder) -> Path:
    """Make sure that a base is there; for somebody else than a machine, which wants it `kept`.

    Returns:
        Its directory.
    """
    with kept(layout, base, record) as path:
        return path


@contextmanager
def kept(layout: Layout, base: Mapping[str, Any], record: Recorder) -> Iterator[Path]:
    """Make sure that a base is there, and stays for the length of a block: until it is recorded who uses it.

    The first process builds, others wait for it and say so.

    Raises:
        DriverError: it could not be built or unpacked.
    """
    path = cached(layout, base)
    if base["kind"] == "directory":
        yield path
        return
    lock = layout.base_lock(path.name)
    with locked(lock, record, waiting_for="waiting for another process that makes the root file system"):
        if not path.is_dir():
            if base["kind"] == "tarball":
                record.progress(f"unpacking {base['path']} (once)")
                _make(path, base, lambda new: _unpack(Path(base["path"]), new))
            else:
                recipe = Recipe(**{**base["recipe"], "include": tuple(base["recipe"]["include"])})
                record.progress(f"building a Debian {recipe.suite} root file system (once, about half a minute)")
                _make(path, base, lambda new: _build(new, recipe, record))
        elif not about(path).exists():  # made by an earlier pymachine
            records.write_as(about(path), About(base=base))
        try:
            yield path
        finally:
            lock.rmdir()


def _make(path: Path, base: Mapping[str, Any], fill: Callable[[Path], None]) -> None:
    building = path.with_name(BUILDING + path.name)
    shutil.rmtree(building, ignore_errors=True)
    try:
        fill(building)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    records.write_as(about(path), About(base=base))
    building.rename(path)


def _build(target: Path, recipe: Recipe, record: Recorder) -> None:
    mmdebstrap.build(target, recipe, record)
    with InRoot(str(target)) as root:
        rootfs.prepare_base(root)


def _unpack(tarball: Path, target: Path) -> None:
    target.mkdir(mode=0o755)
    options = ["--extract", "--preserve-permissions", "--numeric-owner", "--xattrs", "--xattrs-include=*"]
    commands.run(["tar", *options, "--file", str(tarball), "--directory", str(target)], doing=f"unpack {tarball}")
