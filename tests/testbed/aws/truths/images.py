"""Images: the public ones that exist, and own ones that take time to become available."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from tests.testbed.aws import catalog
from tests.testbed.aws.truths.errors import Refused, params
from tests.testbed.aws.world import WORLD, wraps


@wraps(AmiBackend, "_load_amis")
def _load(original: Any, self: Any) -> None:
    for image in catalog.images(self.region_name):
        made = Ami(
            self, image.id, name=image.name, description=image.description, owner_id=image.owner,
            owner_alias=image.alias, public=True, virtualization_type="hvm", architecture=image.architecture,
            creation_date=image.created, image_location=f"amazon/{image.name}", hypervisor="xen",
            root_device_type="ebs", root_device_name=image.root_device, region_name=f"{self.region_name}a",
            boot_mode=image.boot_mode,
        )  # fmt: skip
        made.root_volume = {"VolumeSize": image.size, "VolumeType": image.volume_type}
        made.ena_support, made.imds_support = True, "v2.0" if image.owner == catalog.AMAZON else None
        made.platform_details, made.usage_operation = "Linux/UNIX", "RunInstances"
        self.amis[image.id] = made


@wraps(EC2Backend, "create_image")
def _create(
    original: Any, self: EC2Backend, instance_id: str, name: str, description: str, tag_specifications: Any
) -> Ami:
    instance = self.get_instance(instance_id)
    if any(each.name == name and each.owner_id == self.account_id for each in self.amis.values()):
        found = next(each for each in self.amis.values() if each.name == name)
        raise Refused("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {found.id}")
    if instance.state not in ("running", "stopped", "stopping", "pending"):
        raise Refused("IncorrectState", f"Instance {instance_id} is not in state 'running' or 'stopped'")
    of_image = [each for each in tag_specifications if each["ResourceType"] != "snapshot"]
    image = original(self, instance_id, name, description, of_image)
    image.root_device_name, image.root_device_type = instance.root_device_name, "ebs"
    source = self.amis.get(instance.image_id)
    image.boot_mode = source.boot_mode if source else image.boot_mode
    image.hypervisor, image.ena_support = "xen", True
    device = instance.block_device_mapping.get(instance.root_device_name)
    if device is not None:
        volume = self.volumes[device.volume_id]
        image.root_volume = {"VolumeSize": volume.size, "VolumeType": volume.volume_type}
    for each in tag_specifications:
        if each["ResourceType"] == "snapshot":
            image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in each["Tags"]})
    image.state = "pending"

    def available() -> None:
        image.state = "available"

    if WORLD.hosts is not None:
        WORLD.once(WORLD.hosts.copy(instance, image.id), image.id, available)
    else:
        WORLD.after(WORLD.timing.image_pending, image.id, available)
    return image


@wraps(AmisResponse, "deregister_image")
def _deregister(original: Any, self: AmisResponse) -> Any:
    asked, backend = params(self), self.ec2_backend
    image = backend.amis.get(asked.get("ImageId"))
    if image is not None and image.owner_id != backend.account_id:
        raise Refused("AuthFailure", f"Not authorized for image:{image.id}", 403)
    result = original(self)
    if asked.get("DeleteAssociatedSnapshots") and image is not None:
        backend.snapshots.pop(image.ebs_snapshot.id, None)
    if WORLD.hosts is not None and image is not None:
        WORLD.hosts.forget_image(image.id)
    return result


@wraps(ElasticBlockStore, "describe_snapshots")
def _snapshots(original: Any, self: ElasticBlockStore) -> Any:
    owners = [self.current_account if each == "self" else each for each in params(self).get("OwnerIds") or []]
    result = original(self)
    if owners:
        result.result["Snapshots"] = [each for each in result.result["Snapshots"] if each.owner_id in owners]
    return result
