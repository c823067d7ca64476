"""What a policy does not allow, EC2 refuses in its own words."""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.responses import EC2Response

from tests.testbed.aws.protocol import failure
from tests.testbed.aws.world import wraps


@wraps(EC2Response, "call_action")
def _call(original: Any, self: EC2Response) -> Any:
    status, headers, body = original(self)
    said = re.search(r"<Code>AccessDenied</Code>\s*<Message>(.*?)</Message>", str(body), re.DOTALL)
    if status != 403 or said is None:
        return status, headers, body
    message = f"You are not authorized to perform this operation. {said[1]}"
    status, headers, raw = failure("ec2", "UnauthorizedOperation", message, 403)
    return status, headers, raw.decode()
