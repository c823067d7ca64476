"""Another instance type for a stopped instance."""

from __future__ import annotations

from machine.driver import Notes, Recorder
from machine.drivers.aws.account import Account
from machine.drivers.aws.instancetypes import find_type
from machine.drivers.aws.options import AwsOptions
from machine.errors import DriverError, PreCheckFailed


def set_type(account: Account, notes: Notes, found: dict[str, object], options: AwsOptions, record: Recorder) -> None:
    """Give an instance the type that its options say; it has it already is success.

    Args:
        found: the instance, as EC2 describes it.

    Raises:
        PreCheckFailed: there is no such type, or it is of another architecture.
        DriverError: it is not stopped.
    """
    id, wanted = str(found["InstanceId"]), options.instance_type  # noqa: A001 - the field's word
    if wanted is None or found["InstanceType"] == wanted:
        return
    kind = find_type(account, notes, wanted)
    if kind.architecture != found.get("Architecture", kind.architecture):
        raise PreCheckFailed(
            f"{wanted} is for {kind.architecture}, and what is on the volume of {id} for {found['Architecture']}",
            hint="choose a type of that architecture",
        )
    state = found["State"]
    if isinstance(state, dict) and state["Name"] != "stopped":
        raise DriverError(f"{id} is {state['Name']}", hint="it must be stopped: pymachine stop NAME")
    record.check("another instance type")
    with account.errors(f"give {id} another type"):
        account.effects().modify_instance_attribute(InstanceId=id, InstanceType={"Value": wanted})
