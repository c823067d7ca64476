"""What a policy does not allow is refused in the service's own words; a call may need more than its own action."""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.responses import EC2Response
from moto.iam.access_control import IAMRequest
from moto.ssm.responses import SimpleSystemManagerResponse

from tests.testbed.aws.protocol import failure
from tests.testbed.aws.world import wraps


@wraps(EC2Response, "call_action")
def _call(original: Any, self: EC2Response) -> Any:
    return _worded("ec2", "UnauthorizedOperation", original(self), "You are not authorized to perform this operation. ")


@wraps(SimpleSystemManagerResponse, "call_action")
def _call_ssm(original: Any, self: SimpleSystemManagerResponse) -> Any:
    return _worded("ssm", "AccessDeniedException", original(self))


def _worded(service: str, code: str, answer: Any, before: str = "") -> Any:
    """An answer, and in the place of moto's refusal the service's own."""
    said = re.search(r"<Code>AccessDenied</Code>\s*<Message>(.*?)</Message>", str(answer[2]), re.DOTALL)
    if answer[0] != 403 or said is None:
        return answer
    status, headers, raw = failure(service, code, before + said[1], 403 if service == "ec2" else 400)
    return status, headers, raw.decode()


# Parameters of a call that need a further action: tags on what it makes, and a role that it hands on.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
_FURTHER = {"TagSpecification.": "ec2:CreateTags", "IamInstanceProfile.": "iam:PassRole"}


@wraps(IAMRequest, "check_action_permitted")
def _check(original: Any, self: IAMRequest, resource: str) -> None:
    original(self, resource)
    for prefix, further in _FURTHER.items():
        if self._service == "ec2" and any(key.startswith(prefix) for key in self._data):
            named, self._action = self._action, further
            try:
                original(self, resource)
            finally:
                self._action = named
