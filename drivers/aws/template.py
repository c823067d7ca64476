"""What a launch template says, as far as the check must know it."""

from __future__ import annotations

from typing import Any

from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import code_of
from machine.errors import PreCheckFailed


def launch_template(account: Account, text: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A template as RunInstances takes it, with its version made definite, and what it holds.

    Args:
        text: its name or id, and ``:VERSION`` (a number, ``latest`` or ``default``).

    Raises:
        PreCheckFailed: there is none.
    """
    name, _, version = text.partition(":")
    given = {"LaunchTemplateId": name} if name.startswith("lt-") else {"LaunchTemplateName": name}
    asked = {"": "$Default", "default": "$Default", "latest": "$Latest"}.get(version, version)
    with account.errors(f"look at the launch template {name}", pre_check=True):
        ec2 = account.reads()
        try:
            found = ec2.describe_launch_template_versions(**given, Versions=[asked])["LaunchTemplateVersions"]
        except ec2.exceptions.ClientError as error:
            if not code_of(error).startswith("InvalidLaunchTemplate"):
                raise
            found = []
    if not found:
        raise PreCheckFailed(
            f"there is no launch template {text} in {account.region}",
            hint="see them: aws ec2 describe-launch-templates",
        )
    definite = {"LaunchTemplateId": found[0]["LaunchTemplateId"], "Version": str(found[0]["VersionNumber"])}
    return definite, found[0]["LaunchTemplateData"]
