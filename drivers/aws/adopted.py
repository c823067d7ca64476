"""Instances that another program made: nobody has said in which account they are.

EC2 does not tell an instance that is gone from one of somebody else's. The subnet that is recorded with it stays, and
is seen only in its own account: whoever does not see that is asking in the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.aws.account import Account
from machine.drivers.aws.instances import by_id
from machine.errors import DriverError

_FIELD = "SubnetId"  # as docker-machine's record has it


def verify(account: Account, id: str, data: Mapping[str, Any]) -> None:
    """Before an instance is called gone: make sure that it was asked for where it is.

    Args:
        data: what was recorded of it.

    Raises:
        DriverError: these credentials are another account's, or that cannot be said.
    """
    if by_id(account, [id]):
        return
    subnet = data.get(_FIELD)
    if subnet:
        filters = [{"Name": "subnet-id", "Values": [str(subnet)]}]
        if account.reads().describe_subnets(Filters=filters)["Subnets"]:
            return
    missing = f"nor its subnet {subnet}" if subnet else "and the record has no subnet to look for"
    raise DriverError(
        f"whether {id} is gone cannot be said",
        cause=f"the account {account.identity().account} has not got it in {account.region}, {missing}",
        hint="use the credentials of the account that it is in: AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY; or forget it: pymachine rm -f NAME",
    )
