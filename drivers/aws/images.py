"""Which image a host is made from: the newest of its kind, found by name; never a list of ids that grows old."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from machine.driver import Notes
from machine.drivers.aws import baking, marks
from machine.drivers.aws.account import Account
from machine.errors import PreCheckFailed

_MAX_AGE = 24 * 3600.0  # seconds: a new image of a stable release comes every few weeks
_DEFAULT_USER = "ec2-user"
# An image that is given says nothing of whom it lets in; its name mostly does.
_USERS = (("debian", "admin"), ("ubuntu", "ubuntu"), ("al2023", "ec2-user"), ("amzn", "ec2-user"), ("fedora", "fedora"))


@dataclass(frozen=True, slots=True)
class Family:
    """A system that has a name here."""

    parameter: str  # of Systems Manager, public: the id of the newest
    owner: str  # the publisher's account
    pattern: str  # of the names of its images
    user: str
    names: Mapping[str, str]  # EC2's architecture -> the publisher's word for it


_DEBIAN = {"x86_64": "amd64", "arm64": "arm64"}
_AMAZON = {"x86_64": "x86_64", "arm64": "arm64"}
FAMILIES: dict[str, Family] = {
    "debian-12": Family(
        "/aws/service/debian/release/12/latest/{arch}", "136693071363", "debian-12-{arch}-*", "admin", _DEBIAN
    ),
    "debian-13": Family(
        "/aws/service/debian/release/13/latest/{arch}", "136693071363", "debian-13-{arch}-*", "admin", _DEBIAN
    ),
    "ubuntu-22.04": Family(
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/{arch}/hvm/ebs-gp2/ami-id",
        "099720109477",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-{arch}-server-*",
        "ubuntu",
        _DEBIAN,
    ),
    "ubuntu-24.04": Family(
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/{arch}/hvm/ebs-gp3/ami-id",
        "099720109477",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{arch}-server-*",
        "ubuntu",
        _DEBIAN,
    ),
    "amazon-linux-2023": Family(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{arch}",
        "137112412989",
        "al2023-ami-2023.*-{arch}",
        "ec2-user",
        _AMAZON,
    ),
}


@dataclass(frozen=True, slots=True)
class Image:
    """An image, as far as a request needs to know it."""

    id: str
    name: str
    architecture: str  # x86_64, arm64
    root_device: str  # /dev/xvda
    user: str  # who logs in
    smallest: int  # GB of its root volume


def find_image(account: Account, notes: Notes, *, image: str, ami: str | None, architecture: str, store: str) -> Image:
    """The image that is meant.

    Args:
        image: a name of `FAMILIES`.
        ami: one image instead: its id, ``OWNER:PATTERN``, ``baked`` or ``baked:NAME``.
        architecture: that of the instance type, as EC2 calls it.
        store: whose baked images are meant.

    Raises:
        PreCheckFailed: there is none, or it is for another architecture.
    """
    if ami is None and image not in FAMILIES:
        close = difflib.get_close_matches(image, FAMILIES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise PreCheckFailed(
            f"there is no image {image!r}", hint=f"{hint}known: {', '.join(FAMILIES)}; or give --aws-ami"
        )
    if ami is not None and baking.is_baked(ami):
        # Never from a note: the operator can remove one, and bake a newer one, at any time.
        return _baked(account, ami, architecture, store)
    # No identity in it: these are public, or given by their id.
    key = f"aws image {account.region} {account.endpoint or ''} {ami or image} {architecture}"
    noted = notes.get(key, _MAX_AGE)
    if noted is not None:
        return Image(**noted)
    if ami is None:
        found = _of_family(account, image, FAMILIES[image], architecture)
    elif ami.startswith("ami-"):
        found = _by_id(account, ami)
    else:
        found = _by_pattern(account, ami, architecture)
    if found.architecture != architecture:
        raise PreCheckFailed(
            f"the image {found.id} is for {found.architecture}, and the instance type for {architecture}",
            hint="choose an --aws-instance-type of that architecture, or another image",
        )
    notes.put(key, asdict(found))
    return found


def _of_family(account: Account, name: str, family: Family, architecture: str) -> Image:
    word = family.names.get(architecture)
    if word is None:
        raise PreCheckFailed(f"there is no {name} for {architecture}", hint="choose another --aws-instance-type")
    with account.errors(f"look for the image {name}", pre_check=True):
        ssm = account.reads("ssm")
        try:
            newest = ssm.get_parameter(Name=family.parameter.format(arch=word))["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:  # a region or a service that does not have it
            return _newest(account, [family.owner], family.pattern.format(arch=word), architecture, name)
    return _by_id(account, newest, user=family.user)


def _by_id(account: Account, id: str, *, user: str | None = None) -> Image:
    with account.errors(f"look at the image {id}", pre_check=True):
        ec2 = account.reads()
        try:
            images = ec2.describe_images(ImageIds=[id])["Images"]
        except ec2.exceptions.ClientError as error:
            if error.response["Error"]["Code"].startswith("InvalidAMIID"):
                images = []
            else:
                raise
    if not images:
        raise PreCheckFailed(
            f"there is no image {id} in {account.region}",
            hint="an image's id holds for one region: look for it there, or leave out --aws-ami",
        )
    return _image(images[0], user)


def _by_pattern(account: Account, text: str, architecture: str) -> Image:
    owner, colon, pattern = text.partition(":")
    if not colon or not re.fullmatch(r"\d{12}|self|amazon|aws-marketplace", owner):
        raise PreCheckFailed(
            f"{text!r} is not an image",
            hint="ami-…, or OWNER:PATTERN with the owner's account number, self or amazon: self:web-*",
        )
    return _newest(account, [owner], pattern, architecture, text)


def _baked(account: Account, ami: str, architecture: str, store: str) -> Image:
    """The newest finished image of a store."""
    _, _, name = ami.partition(":")
    filters = [*marks.marked(marks.STORE, store), {"Name": "state", "Values": ["available"]}]
    filters += marks.marked(baking.BAKED, name) if name else [{"Name": "tag-key", "Values": [baking.BAKED]}]
    with account.errors("look for a baked image", pre_check=True):
        found = baking.images(account, filters)
    fitting = [each for each in found if each.get("Architecture") == architecture]
    if not fitting:
        called = f"baked image {name}" if name else "baked image"
        others = f"; there are {len(found)} for another architecture" if found else ""
        raise PreCheckFailed(
            f"there is no {called} for {architecture} in {account.region}{others}",
            hint=f"make one: pymachine bake {name + ' ' if name else ''}-d aws; see them: pymachine bake ls",
        )
    image = max(fitting, key=lambda each: (each.get("CreationDate", ""), each["ImageId"]))
    return _image(image, marks.tag(image, baking.USER) or None)


def _newest(account: Account, owners: list[str], pattern: str, architecture: str, said: str) -> Image:
    filters = [
        {"Name": "name", "Values": [pattern]},
        {"Name": "architecture", "Values": [architecture]},
        {"Name": "state", "Values": ["available"]},
    ]
    with account.errors(f"look for the image {said}", pre_check=True):
        images = account.reads().describe_images(Owners=owners, Filters=filters)["Images"]
    if not images:
        raise PreCheckFailed(
            f"there is no image {said} for {architecture} in {account.region}",
            hint="see them: aws ec2 describe-images --owners " + " ".join(owners),
        )
    return _image(max(images, key=lambda each: (each.get("CreationDate", ""), each["ImageId"])), None)


def _image(found: Mapping[str, Any], user: str | None) -> Image:
    name = str(found.get("Name", ""))
    device = str(found.get("RootDeviceName") or "/dev/xvda")
    root: Mapping[str, Any] = next(
        (each for each in found.get("BlockDeviceMappings", ()) if each.get("DeviceName") == device), {}
    )
    return Image(
        id=found["ImageId"],
        name=name,
        architecture=found.get("Architecture", "x86_64"),
        root_device=device,
        user=user or next((who for word, who in _USERS if word in name.lower()), _DEFAULT_USER),
        smallest=int(root.get("Ebs", {}).get("VolumeSize") or 1),
    )
