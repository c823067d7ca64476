"""A security group that something uses stays."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.responses.security_groups import SecurityGroups

from tests.testbed.aws.truths.errors import Refused, params
from tests.testbed.aws.world import wraps


@wraps(SecurityGroups, "delete_security_group")
def _delete(original: Any, self: SecurityGroups) -> Any:
    asked, backend = params(self), self.ec2_backend
    name = asked.get("GroupId") or asked.get("GroupName")
    group = backend.get_security_group_by_name_or_id(name)
    if group is not None:
        if group.is_default or group.name == "default":
            raise Refused(
                "CannotDelete", f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user'
            )
        if _used(backend, group):
            raise Refused("DependencyViolation", f"resource {group.id} has a dependent object")
    return original(self)


def _used(backend: EC2Backend, group: Any) -> bool:
    if any(group in interface.group_set for interface in backend.enis.values()):
        return True
    others = [each for groups in backend.groups.values() for each in groups.values() if each is not group]
    rules = [rule for each in others for rule in (*each.ingress_rules, *each.egress_rules)]
    return any(rule.source_group.get("GroupId") == group.id for rule in rules)
