"""Launch templates: whatever a request leaves out is the template's, of everything and not of some parameters only."""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.models import EC2Backend

from tests.testbed.aws.truths.errors import Refused


def merge(backend: EC2Backend, asked: dict[str, Any]) -> None:
    """Complete a request by the launch template that it names; tags of both count.

    Raises:
        Refused: there is no such template.
    """
    named = asked.get("LaunchTemplate")
    if not named:
        return
    data = copy.deepcopy(_version(backend, named).data)
    tags = data.pop("TagSpecifications", None) or []
    for name, value in data.items():
        if value not in (None, [], {}) and name not in asked:
            asked[name] = str(value) if name == "UserData" else value
    if tags:
        # The template's first: moto lets the last of the same key win, and that is to be the request's.
        asked["TagSpecifications"] = tags + list(asked.get("TagSpecifications") or [])


def _version(backend: EC2Backend, named: dict[str, Any]) -> Any:
    if "LaunchTemplateId" in named:
        template = backend.launch_templates.get(named["LaunchTemplateId"])
        if template is None:
            raise Refused(
                "InvalidLaunchTemplateId.NotFound",
                f"The specified launch template, with template ID {named['LaunchTemplateId']}, does not exist.",
            )
    else:
        name = named.get("LaunchTemplateName")
        template = backend.launch_templates.get(backend.launch_template_name_to_ids.get(str(name), ""))
        if template is None:
            raise Refused(
                "InvalidLaunchTemplateName.NotFoundException",
                f"The specified launch template, with template name {name}, does not exist.",
            )
    return template.get_version(named.get("Version", template.default_version_number))
