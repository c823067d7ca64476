"""Filters of DescribeInstances that EC2 has, with its wildcards."""

from __future__ import annotations

import fnmatch
from typing import Any

from moto.ec2 import utils
from moto.ec2.models.instances import Instance

from tests.testbed.aws.truths.errors import Refused
from tests.testbed.aws.world import wraps

utils.filter_dict_attribute_mapping.update(
    {
        "client-token": "client_token",
        "instance-lifecycle": "lifecycle",
        "instance-state-code": "state_code",
        "root-device-name": "root_device_name",
        "spot-instance-request-id": "spot_instance_request_id",
        "tenancy": "placement.tenancy",
    }
)


@wraps(utils, "instance_value_in_filter_values")
def _matches(original: Any, value: Any, wanted: Any) -> bool:
    values = value if isinstance(value, list) else [str(value).lower() if isinstance(value, bool) else value]
    return any(
        each is not None and fnmatch.fnmatchcase(str(each), pattern.replace("[", "[[]"))
        for each in values
        for pattern in wanted
    )


@wraps(utils, "passes_filter_dict")
def _passes(original: Any, instance: Instance, filters: dict[str, Any]) -> bool:
    try:
        return original(instance, filters)
    except NotImplementedError as error:
        unknown = next(
            name
            for name in filters
            if name not in utils.filter_dict_attribute_mapping and not utils.is_tag_filter(name)
        )
        raise Refused("InvalidParameterValue", f"The filter '{unknown}' is invalid") from error
