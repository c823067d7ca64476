"""The public images: who owns them, what they are called, and which of several is the newest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

DEBIAN, CANONICAL, AMAZON = "136693071363", "099720109477", "137112412989"
_SHORT = {"x86_64": "amd64", "arm64": "arm64"}
_DATES = ("20260115", "20260402", "20260618")


@dataclass(frozen=True, kw_only=True)
class PublicImage:
    """An image that everybody may boot."""

    id: str
    name: str
    owner: str
    description: str
    architecture: str  # x86_64 or arm64
    root_device: str
    size: int  # of its root disk, GiB
    volume_type: str
    boot_mode: str
    alias: str | None  # of its owner
    created: datetime
    parameters: tuple[str, ...]  # the SSM names that stand for it: none unless it is the newest


def images(region: str) -> Iterator[PublicImage]:
    """Those of a region; their ids differ from region to region and stay the same from run to run."""
    for architecture in _SHORT:
        for version in ("12", "13"):
            yield from _dated(lambda date, v=version, a=architecture: _debian(region, v, a, date))
        for version in ("22.04", "24.04"):
            yield from _dated(lambda date, v=version, a=architecture: _ubuntu(region, v, a, date))
        yield from _dated(lambda date, a=architecture: _amazon(region, a, date))


def image_id(region: str, name: str) -> str:
    """The id of a public image."""
    return "ami-" + hashlib.sha256(f"{region}/{name}".encode()).hexdigest()[:17]


def _dated(make: Callable[[str], PublicImage]) -> Iterator[PublicImage]:
    # Not in the order of their dates: who takes the first or the last of the list takes the wrong one.
    for date in (_DATES[1], _DATES[2], _DATES[0]):
        yield make(date)


def _created(date: str) -> datetime:
    return datetime.strptime(date, "%Y%m%d").replace(hour=7, minute=23, tzinfo=timezone.utc)


def _debian(region: str, version: str, architecture: str, date: str) -> PublicImage:
    short = _SHORT[architecture]
    name = f"debian-{version}-{short}-{date}-{_build(date)}"
    return PublicImage(
        id=image_id(region, name), name=name, owner=DEBIAN, alias=None, architecture=architecture,
        description=f"Debian {version} ({date}-{_build(date)})", root_device="/dev/xvda", size=8, volume_type="gp2",
        boot_mode="uefi" if architecture == "arm64" else "uefi-preferred", created=_created(date),
        parameters=_newest(date, f"/aws/service/debian/release/{version}/latest/{short}"),
    )  # fmt: skip


def _ubuntu(region: str, version: str, architecture: str, date: str) -> PublicImage:
    short = _SHORT[architecture]
    code, store, volume_type = {
        "22.04": ("jammy", "hvm-ssd", "ebs-gp2"), "24.04": ("noble", "hvm-ssd-gp3", "ebs-gp3"),
    }[version]  # fmt: skip
    name = f"ubuntu/images/{store}/ubuntu-{code}-{version}-{short}-server-{date}"
    parameter = f"/aws/service/canonical/ubuntu/server/{{}}/stable/current/{short}/hvm/{volume_type}/ami-id"
    return PublicImage(
        id=image_id(region, name), name=name, owner=CANONICAL, alias="amazon", architecture=architecture,
        description=f"Canonical, Ubuntu, {version}, {short} {code} image", root_device="/dev/sda1", size=8,
        volume_type=volume_type.removeprefix("ebs-"), created=_created(date),
        boot_mode="uefi" if architecture == "arm64" else "uefi-preferred",
        parameters=_newest(date, parameter.format(version), parameter.format(code)),
    )  # fmt: skip


def _amazon(region: str, architecture: str, date: str) -> PublicImage:
    name = f"al2023-ami-2023.9.{date}.0-kernel-6.1-{architecture}"
    prefix = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel"
    return PublicImage(
        id=image_id(region, name), name=name, owner=AMAZON, alias="amazon", architecture=architecture,
        description=f"Amazon Linux 2023 AMI 2023.9.{date}.0 {architecture} HVM kernel-6.1", root_device="/dev/xvda",
        size=8, volume_type="gp3", boot_mode="uefi" if architecture == "arm64" else "uefi-preferred",
        created=_created(date),
        parameters=_newest(date, f"{prefix}-default-{architecture}", f"{prefix}-6.1-{architecture}"),
    )  # fmt: skip


def _build(date: str) -> int:
    return 2000 + _DATES.index(date) * 97


def _newest(date: str, *parameters: str) -> tuple[str, ...]:
    return parameters if date == _DATES[-1] else ()
