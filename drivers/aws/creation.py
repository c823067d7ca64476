"""Making a machine: its group, its address, its instance; whatever stops it, the next attempt goes on from there.

What the instance needs is made before it, so that a quota is met before anything costs money. What EC2 refuses for good
leaves nothing: the rest is given back. Where it is not known what became of a call, all is kept for the next attempt.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from machine.driver import Recorder
from machine.drivers.aws import elasticip, group, instances, launch, marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import refused
from machine.drivers.aws.insisting import insist
from machine.drivers.aws.instances import ENDED, Watch, address_of
from machine.drivers.aws.request import user_data_of
from machine.errors import DriverError
from machine.model import Access, Instance
from machine.trust.sshkeys import new_private_key, public_line

_KEPT = ("token", "group", "allocation", "attempt", "injected_host_key", "user_data_sha256")


class Creation:
    """One create, in this attempt.

    Args:
        watch: waits for instances of the account.
        forget: drops what the check had remembered of what is not there any more.
    """

    def __init__(
        self,
        account: Account,
        watch: Watch,
        request: Mapping[str, Any],
        token: str,
        record: Recorder,
        forget: Callable[[], None],
    ) -> None:
        self._account = account
        self._watch = watch
        self._request = request
        self._token = token
        self._record = record
        self._forget = forget
        self._known: dict[str, Any] = dict(record.recall())
        self._look = bool(self._known)  # an earlier attempt may have made something that it did not live to record
        self._known.setdefault("token", token)
        self.described: Mapping[str, Any] = {}  # the instance as EC2 described it last

    def run(self) -> Instance:
        """Make what is missing; each thing is recorded as it appears, and looked for before it is made again."""
        self._remember()
        host_key = self._record.keep("host-key", new_private_key)
        user_data = self._record.keep("user-data", lambda: user_data_of(self._request, host_key))
        self._known["injected_host_key"] = public_line(host_key)
        self._known["user_data_sha256"] = hashlib.sha256(user_data).hexdigest()
        try:
            groups = self._groups()
            if self._request["elastic_ip"]:
                with self._account.errors("allocate an Elastic IP"):
                    self._remember(allocation=self._address())
            found = self._instance(user_data, groups)
        except DriverError as error:
            if _for_good(error):
                self._give_back()
            raise
        self._remember(instance=found["InstanceId"])
        return self._reachable(found)

    def _remember(self, **more: Any) -> None:
        self._known.update(more)
        id = str(self._known.get("instance") or marks.BY_TOKEN + self._token)  # noqa: A001 - the field's word
        self._record.resource("instance", id, **self._known)

    def _groups(self) -> list[str]:
        wanted = self._request["group"]
        if wanted is None:
            return list(self._request["groups"])
        self._record.progress(f"a security group, open to {', '.join(wanted['networks'])}")
        with self._account.errors("make a security group"):
            made = group.ensure_group(self._account, self._request, self._token, self._record, look=self._look)
            self._remember(group=made)
            group.authorize(self._account, made, wanted["rules"], self._record)
        return [made]

    def _address(self) -> str:
        return elasticip.ensure_address(self._account, self._request, self._token, self._record, look=self._look)

    def _instance(self, user_data: bytes, groups: list[str]) -> Mapping[str, Any]:
        """The instance: the one that is recorded and has not ended, or else a new one."""
        if self._known.get("instance"):
            with self._account.errors("look at the instance"):
                found = instances.by_id(self._account, [self._known["instance"]]).get(self._known["instance"])
            if found is not None and found["State"]["Name"] not in ENDED:
                return found
            # One that is not listed may be too new for that: its attempt's token says whether it ever ended.
            self._remember(instance="", attempt=int(self._known.get("attempt", 0)) + (found is not None))
        kind, image = self._request["run"]["InstanceType"], self._request["image"]["name"]
        self._record.progress(f"asking for {kind} in {self._account.region}, {image}")

        def attempting(**more: Any) -> None:
            self._remember(attempted_at=time.time(), **more)

        with self._account.errors("make the instance"), launch.forgetting(self._forget):
            return launch.launch(self._account, self._request, self._token, user_data, groups, self._record, attempting)

    def _give_back(self) -> None:
        """EC2 made no instance, and will not: nothing is left beside it. Where that fails too, `rm` will find it."""
        try:
            if any(each["State"]["Name"] not in ENDED for each in self._made()):
                return
            if self._request["elastic_ip"] and (allocation := elasticip.find_address(self._account, self._token)):
                elasticip.release(self._account, allocation, self._record)
            if self._request["group"] is not None and (made := group.find_group(self._account, self._token)):
                group.delete_group(self._account, made, self._record, patience=10.0)
        except (ClientError, BotoCoreError):
            self._record.progress("what was made for it is still there; rm removes it")
            return
        # The next attempt is another one: with another group, its predecessor's token would not be accepted.
        attempt = int(self._known.get("attempt", 0)) + ("attempted_at" in self._known)
        self._known.pop("attempted_at", None)
        self._remember(group="", allocation="", attempt=attempt, place=0)

    def _made(self) -> list[dict[str, Any]]:
        return instances.describe(self._account, marks.marked(marks.OPERATION, self._token))

    def _reachable(self, found: Mapping[str, Any]) -> Instance:
        """The instance once it runs and has an address."""
        made, request = str(found["InstanceId"]), self._request
        if found["State"]["Name"] == "stopping":
            self._watch.wait(made, "stopped", self._record)
        if found["State"]["Name"] in ("stopping", "stopped"):  # it was there before, and stopped since
            start(self._account, made, self._record)
        self._record.progress(f"{made}: waiting for it to run")
        self.described = found = self._watch.wait(made, "running", self._record)
        address = address_of(found, private=request["private"])
        if request["elastic_ip"]:
            with self._account.errors("associate the Elastic IP"):
                public = elasticip.associate(self._account, self._known["allocation"], made, self._record)
            address = address if request["private"] else public
        if address is None:
            raise no_address(made)
        access = Access(host=address, user=request["user"], host_keys=(self._known["injected_host_key"],))
        data = {key: self._known[key] for key in _KEPT if self._known.get(key) not in (None, "")}
        data |= {"instance": made, "private": request["private"], "spot": found.get("InstanceLifecycle") == "spot"}
        return Instance(driver=marks.NAME, id=made, access=access, data=data)


def start(account: Account, id: str, record: Recorder) -> None:
    """Start a stopped instance; what is wanted is a state, so that the call may be repeated."""
    with account.errors(f"start {id}"):
        act = partial(account.effects().start_instances, InstanceIds=[id])
        insist(record, f"start {id}", act, again=("IncorrectInstanceState", "InsufficientInstanceCapacity"))


def no_address(id: str) -> DriverError:
    """An instance runs and cannot be reached."""
    return DriverError(
        f"the instance {id} has no public address",
        hint="reach it at its private one (--aws-use-private-address), or give it an --aws-elastic-ip",
    )


def _for_good(error: DriverError) -> bool:
    """Whether EC2 has said no: to the same question it would say so again, or has made nothing."""
    return refused(error.__cause__)
