"""Disks: the image's own is there unless a request changes it, and what a request says of one is kept."""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse

from tests.testbed.aws.truths.errors import Refused
from tests.testbed.aws.world import wraps

_PERFORMANCE = ("gp3", "io1", "io2")
_THROUGHPUT = 125  # MiB/s of a gp3 volume that says nothing else


def complete(backend: EC2Backend, asked: dict[str, Any], image: Any) -> list[dict[str, Any]]:
    """The block devices of a launch: the image's, changed and added to by the request's.

    Raises:
        Refused: a root disk smaller than the image.
    """
    root = copy.deepcopy(image.block_device_mappings[0])
    devices = {root["DeviceName"]: root}
    for each in asked.get("BlockDeviceMappings") or []:
        name = each["DeviceName"]
        if "NoDevice" in each:
            devices.pop(name, None)
            continue
        ebs = dict(each.get("Ebs") or {})
        if name in devices:
            ebs = devices[name]["Ebs"] | ebs
        devices[name] = {"DeviceName": name, "Ebs": ebs}
    for each in devices.values():
        ebs = each["Ebs"]
        if backend.ebs_encryption_by_default and "Encrypted" not in ebs:
            ebs["Encrypted"] = True
        if not ebs.get("VolumeSize"):
            raise Refused("MissingParameter", "The request must contain the parameter size or snapshotId")
        least = image.block_device_mappings[0]["Ebs"]["VolumeSize"]
        if each["DeviceName"] == root["DeviceName"] and int(ebs["VolumeSize"]) < least:
            raise Refused(
                "InvalidBlockDeviceMapping",
                f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{ebs['SnapshotId']}', expect size>= "
                f"{least}GB",
            )
        if ebs.get("Throughput") and ebs.get("VolumeType") != "gp3":
            raise Refused(
                "InvalidParameterCombination",
                f"The parameter Throughput is not supported for {ebs.get('VolumeType')} volumes.",
            )
    return list(devices.values())


@wraps(Ami, "__init__")
def _new_image(original: Any, self: Ami, *args: Any, **kwargs: Any) -> None:
    self.root_volume = {"VolumeSize": 8, "VolumeType": "gp2"}
    original(self, *args, **kwargs)


def _mappings(self: Ami) -> list[dict[str, Any]]:
    ebs = {"SnapshotId": self.ebs_snapshot.id, "DeleteOnTermination": True, "Encrypted": False, **self.root_volume}
    return [{"DeviceName": self.root_device_name, "Ebs": ebs}]


Ami.block_device_mappings = property(_mappings)  # type: ignore[assignment, misc]


@wraps(InstanceResponse, "_parse_block_device_mapping")
def _parse(original: Any, self: InstanceResponse) -> list[dict[str, Any]]:
    # Complete already; moto's own forgets what it does not know, so that the volume is told by `_add` instead.
    blank = {"SnapshotId": None, "VolumeType": "gp2", "Encrypted": False, "KmsKeyId": None}
    return [
        {"DeviceName": each["DeviceName"], "NoDevice": None, "Ebs": _Ebs(blank | each["Ebs"])}
        for each in self._get_param("BlockDeviceMappings", [])
    ]


class _Ebs(dict[str, Any]):
    """A block device whose size carries the rest of its description: the one thing moto hands on untouched."""

    def get(self, key: str, default: Any = None) -> Any:
        value = super().get(key, default)
        if key == "VolumeSize":
            size = _Size(value)
            size.iops, size.throughput = super().get("Iops"), super().get("Throughput")
            return size
        return value


class _Size(int):
    iops: int | None = None
    throughput: int | None = None


@wraps(Instance, "add_block_device")
def _add(
    original: Any, self: Instance, size: int, device_path: str, snapshot_id: str | None, encrypted: bool,
    delete_on_termination: bool, kms_key_id: str | None, volume_type: str | None,
) -> None:  # fmt: skip
    kind = volume_type or "gp2"
    iops, throughput = getattr(size, "iops", None), getattr(size, "throughput", None)
    volume = self.ec2_backend.create_volume(
        size=int(size), zone_name=self.placement.zone, snapshot_id=snapshot_id, encrypted=bool(encrypted),
        kms_key_id=kms_key_id if encrypted else None, volume_type=kind,
        iops=int(iops) if iops and kind in _PERFORMANCE else None,
        throughput=int(throughput or _THROUGHPUT) if kind == "gp3" else None,
    )  # fmt: skip
    self.ec2_backend.attach_volume(volume.id, self.id, device_path, bool(delete_on_termination))
