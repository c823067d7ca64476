"""ModifyInstanceAttribute: what only a stopped instance lets change, and user data in base64 as everywhere."""

from __future__ import annotations

import base64
from typing import Any

from moto.core.responses import EmptyResult
from moto.core.types import Base64EncodedString
from moto.ec2.responses.instances import InstanceResponse

from tests.testbed.aws.truths import refusals
from tests.testbed.aws.truths.errors import Refused, params
from tests.testbed.aws.world import wraps

_ONLY_STOPPED = {
    "InstanceType": "instanceType", "UserData": "userData", "Kernel": "kernel", "Ramdisk": "ramdisk",
    "EbsOptimized": "ebsOptimized", "EnaSupport": "enaSupport",
}  # fmt: skip


@wraps(InstanceResponse, "modify_instance_attribute")
def _modify(original: Any, self: InstanceResponse) -> Any:
    asked = params(self)
    instance = self.ec2_backend.get_instance(asked.get("InstanceId"))
    named = {short: long for long, short in _ONLY_STOPPED.items()}
    attribute = named.get(str(asked.get("Attribute")), next((each for each in _ONLY_STOPPED if each in asked), None))
    if attribute is not None and instance.state != "stopped":
        raise Refused("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
    if attribute == "InstanceType":
        _fits(instance, _value(asked, attribute))
    if attribute == "UserData":
        self.error_on_dryrun()
        # As it came: moto has decoded a blob already, and a named attribute's value not.
        text = self.querystring.get("Value" if "Attribute" in asked else "UserData.Value", [""])[0]
        raw = refusals.user_data(text)
        instance.user_data = Base64EncodedString(base64.b64encode(raw).decode()) if raw else None
        return EmptyResult()
    return original(self)


def _value(asked: dict[str, Any], attribute: str) -> Any:
    given = asked.get(attribute)
    if isinstance(given, dict):
        given = given.get("Value")
    return asked.get("Value") if given is None else given


def _fits(instance: Any, kind: Any) -> None:
    if kind not in refusals.INSTANCE_TYPES:
        raise Refused("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    if instance.architecture not in refusals.architectures(kind):
        raise Refused(
            "InvalidParameterValue",
            f"The architecture '{refusals.architectures(kind)[0]}' of the specified instance type does not match the "
            f"architecture '{instance.architecture}' of the specified AMI.",
        )
