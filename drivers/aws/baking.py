"""Images of our own: made of a machine that was cleaned, finished by a mark, found by it, and removed.

An image carries the marks of the machine it is made of from the call that makes it, and `BAKED` only once it can be
used. So until then it is that machine's like its group is: ``rm`` takes it along, and ``gc`` removes it where the
machine is gone. From then on it is nobody's but the operator's: neither of them looks at what has that mark. And
removing it begins with taking the mark off, so that what is left of a removal that was cut off is found.

`BAKING` is on images and snapshots alone, from the first: a backup of a machine's disk may have got the machine's tags,
and is not ours to remove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Baked, Recorder
from machine.drivers.aws import marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import NOT_FOUND, code_of
from machine.drivers.aws.insisting import insist, pause
from machine.errors import DriverError
from machine.model import Instance

BAKING, BAKED, USER = "pymachine:baking", "pymachine:baked", "pymachine:user"
WORD = "baked"  # what is said instead of an image's id
# Of a machine's own data: an image of it may have been begun.
BEGUN = "baking"
_FAILED = ("failed", "error", "invalid")
_FIRST, _LONGEST = 0.25, 5.0  # seconds between two looks at an image that is being made

Described = Mapping[str, Any]


def is_baked(ami: str | None) -> bool:
    """Whether an image of our own is meant: ``baked``, ``baked:NAME``."""
    return ami is not None and ami.partition(":")[0] == WORD


def bake(
    account: Account,
    instance: Instance,
    described: Described,
    name: str,
    token: str,
    record: Recorder,
    *,
    driver: str,
) -> Baked:
    """Make an image of a stopped instance, or go on with the one that was begun under this token.

    Args:
        described: the instance as EC2 has it: the image gets its tags.
    """
    known = dict(record.recall())
    look = bool(known.get(BEGUN))
    record.resource("instance", instance.id, **{**known, BEGUN: name})
    with account.errors(f"make an image of {instance.id}"):
        found = None
        if look:
            there = images(account, marks.marked(marks.OPERATION, token))
            failed = [each["ImageId"] for each in there if each["State"] in _FAILED]
            take_away(account, failed, [], record)
            found = next((each["ImageId"] for each in there if each["State"] not in _FAILED), None)
        if found is None:
            found = _created(account, instance, described, name, token, record)
        record.progress(f"{found}: waiting for it to be available")
        image = _available(account, found, record)
        ids = [found, *_snapshots_of([image])]
        # One call for all of them: an image is finished with its snapshots, or not at all.
        tags = [{"Key": BAKED, "Value": name}]
        done = partial(account.effects().create_tags, Resources=ids, Tags=tags)
        if not _insist(record, f"mark {found} as finished", done):
            raise _gone(found)
        image = _available(account, found, record)
    return _baked(account, image, driver)


def baked(account: Account, store: str, driver: str) -> list[Baked]:
    """A store's finished images."""
    with account.errors("look for baked images"):
        found = images(account, [*marks.marked(marks.STORE, store), {"Name": "tag-key", "Values": [BAKED]}])
    return [_baked(account, each, driver) for each in found]


def unbake(account: Account, id: str, record: Recorder) -> None:
    """Remove an image with its snapshots; already gone is success."""
    with account.errors(f"remove the image {id}"):
        found = images(account, [{"Name": "image-id", "Values": [id]}])
        if not found:
            return
        snapshots = _snapshots_of(found)
        tags = [{"Key": BAKED}]
        unmark = partial(account.effects().delete_tags, Resources=[id, *snapshots], Tags=tags)
        _insist(record, f"take the mark off {id}", unmark)
        take_away(account, [id], snapshots, record)


def images(account: Account, filters: Sequence[Described]) -> list[dict[str, Any]]:
    """The account's own images that a filter lets through."""
    pages = account.reads().get_paginator("describe_images").paginate(Owners=["self"], Filters=list(filters))
    return [each for page in pages for each in page["Images"]]


def unfinished(account: Account, filters: Sequence[Described]) -> tuple[list[Described], list[Described]]:
    """Images and snapshots of ours that a filter lets through, not finished or not to be any more."""
    ours = [*filters, {"Name": "tag-key", "Values": [BAKING]}]
    asked = account.reads().get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=ours)
    snapshots = [each for page in asked for each in page["Snapshots"]]
    return _without_mark(images(account, ours)), _without_mark(snapshots)


def take_away(account: Account, ids: Iterable[str], snapshots: Iterable[str], record: Recorder) -> None:
    """Remove images, and snapshots: those that are named and those of the images; already gone is success."""
    ids, parts = list(ids), list(snapshots)
    ec2 = account.effects()
    if ids:
        parts += _snapshots_of(images(account, [{"Name": "image-id", "Values": ids}]))
    for each in ids:
        record.progress(f"removing the image {each}")
        _insist(record, f"remove {each}", partial(ec2.deregister_image, ImageId=each))
    for each in dict.fromkeys(parts):
        # It is in use for a moment more, by the image that is gone.
        delete = partial(ec2.delete_snapshot, SnapshotId=each)
        _insist(record, f"delete {each}", delete, again=("InvalidSnapshot.InUse",))


def _created(
    account: Account, instance: Instance, described: Described, name: str, token: str, record: Recorder
) -> str:
    """Make it. EC2 takes no token for that: its name has ours, and it is looked for before it is made again."""
    kept = [each for each in described.get("Tags", ()) if not each["Key"].startswith("aws:")]
    ours = {"Name": name, BAKING: name, USER: instance.access.user or ""}
    tags = [{"Key": each["Key"], "Value": each["Value"]} for each in kept if each["Key"] not in ours]
    tags += [{"Key": key, "Value": value} for key, value in ours.items()]
    record.progress(f"making an image of {instance.id}")

    def make() -> str:
        try:
            made = account.effects().create_image(
                InstanceId=instance.id,
                Name=f"pymachine-{name}-{token[:12]}",
                Description="engine and agent, by pymachine",
                TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
            )
        except ClientError as error:
            there = _under(account, token) if code_of(error) == "InvalidAMIName.Duplicate" else None
            if there is None:
                raise
            return there  # its name has our token: a reply to us was lost
        return str(made["ImageId"])

    return insist(record, f"make an image of {instance.id}", make, found=lambda: _under(account, token))


def _under(account: Account, token: str) -> str | None:
    found = images(account, marks.marked(marks.OPERATION, token))
    return str(found[0]["ImageId"]) if found else None


def _available(account: Account, id: str, record: Recorder) -> dict[str, Any]:
    """The image, once it can be used.

    Raises:
        DriverError: it never will.
    """
    turn, seen = _FIRST, False
    while True:
        record.check(f"the image {id} to be available")
        found = images(account, [{"Name": "image-id", "Values": [id]}])
        if found and found[0]["State"] == "available":
            return found[0]
        if found and found[0]["State"] in _FAILED:
            reason = str(found[0].get("StateReason", {}).get("Message", "")) or found[0]["State"]
            raise DriverError(f"the image {id} could not be made", cause=reason)
        if seen and not found:
            raise _gone(id)
        seen = seen or bool(found)  # one that was made a moment ago, not every part of EC2 knows
        pause(record, turn, f"the image {id} to be available")
        turn = min(turn * 1.5, _LONGEST)


def _insist(record: Recorder, what: str, act: Callable[[], Any], *, again: tuple[str, ...] = ()) -> bool:
    """`insist` on a call that may be repeated; False: what it is about is not there."""
    try:
        insist(record, what, act, again=again)
    except ClientError as error:
        if code_of(error) in NOT_FOUND or code_of(error).endswith(".NotFound"):
            return False
        raise
    return True


def _gone(id: str) -> DriverError:
    return DriverError(f"the image {id} is gone", hint="somebody else has removed it; bake it again")


def _snapshots_of(described: Iterable[Described]) -> list[str]:
    return [
        part["Ebs"]["SnapshotId"]
        for each in described
        for part in each.get("BlockDeviceMappings", ())
        if part.get("Ebs", {}).get("SnapshotId")
    ]


def _without_mark(resources: Iterable[Described]) -> list[Described]:
    return [each for each in resources if not any(tag["Key"] == BAKED for tag in each.get("Tags", ()))]


def _baked(account: Account, image: Described, driver: str) -> Baked:
    made_at = datetime.fromisoformat(str(image["CreationDate"]).replace("Z", "+00:00")).timestamp()
    return Baked(
        driver=driver,
        id=image["ImageId"],
        name=marks.tag(image, BAKED),
        token=marks.tag(image, marks.OPERATION),
        made_at=made_at,
        about=f"{account.region}, {image.get('Architecture', '')}",
    )
