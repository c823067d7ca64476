"""Driver ``aws``: the protocol, and nothing else."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from machine.driver import Capabilities, Found, HostIdentity, Missing, NoNotes, Notes, Recorder
from machine.drivers.aws import elasticip, explanation, group, instances, launch, marks, permissions, removal, resizing
from machine.drivers.aws.account import Account, account, settings_of
from machine.drivers.aws.errors import THROTTLED, UNKNOWN_OUTCOME, code_of
from machine.drivers.aws.instances import ENDED, Watch, address_of
from machine.drivers.aws.operator import operator_network
from machine.drivers.aws.options import AwsOptions
from machine.drivers.aws.request import resolve_request, user_data_of
from machine.errors import DriverError
from machine.model import Access, Instance, Observation, Spec
from machine.trust.sshkeys import new_private_key, public_line

_TRIES = 5


@functools.cache
def _watch(of: Account) -> Watch:
    """One for all threads that wait for an account's instances."""
    return Watch(of)


@functools.cache
def _checking(of: Account) -> threading.Lock:
    """Held while a check asks: of many at once, the first one notes what the others then need not ask."""
    return threading.Lock()


class AwsDriver:
    """Instances at EC2, each with a security group of its own."""

    name: ClassVar[str] = removal.NAME
    summary: ClassVar[str] = "an instance at Amazon EC2"
    capabilities: ClassVar[Capabilities] = Capabilities(
        stop=True, restarts_itself=True, inject_host_key=True, firewall=True, resize=("instance_type",)
    )
    Options: ClassVar[type] = AwsOptions

    def __init__(self) -> None:
        self._settings: Mapping[str, Any] = {}
        self._secrets: Mapping[str, str] = {}
        self._notes: Notes = NoNotes()
        self._asked_for: Mapping[str, Any] = {}

    def sign_in(self, account: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Work for this account; credentials are looked for when the first call is made."""
        self._settings, self._secrets = dict(account), dict(secrets)

    def check(self, spec: Spec, options: AwsOptions, identity: HostIdentity) -> dict[str, Any]:
        """Find out everything that can be: who we are, the type, the image, the place, the operator's address."""
        keys = {
            "access_key": options.access_key, "secret_key": options.secret_key, "session_token": options.session_token,
        }  # fmt: skip
        self.sign_in(settings_of(options), {name: value for name, value in keys.items() if value})
        self._notes = identity.notes
        self._asked_for = {"machine": spec.name, "store": identity.store}
        with _checking(self._account):
            return resolve_request(self._account, self._settings, spec, options, identity)

    def explain(self, request: Mapping[str, Any], sources: Mapping[str, str]) -> list[tuple[str, str]]:
        """Whose credentials these are, and what EC2 would be asked for."""
        return explanation.explain(self._account, request, sources)

    def missing_permissions(self, request: Mapping[str, Any]) -> list[Missing]:
        """What EC2 itself says that these credentials may not do; see ``docs/aws-iam.md``."""
        return permissions.missing_permissions(self._account, {**self._asked_for, **request})

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """The group, the instance, the address; each recorded as it appears, and looked for before it is made again."""
        known = dict(record.recall())
        look = bool(known)  # an earlier attempt may have made something that it did not live to record
        known.setdefault("token", token)

        def remember(**more: Any) -> None:
            known.update(more)
            record.resource("instance", str(known.get("instance") or marks.BY_TOKEN + token), **known)

        remember()
        host_key = record.keep("host-key", new_private_key)
        user_data = record.keep("user-data", lambda: user_data_of(request, host_key))
        known["injected_host_key"] = public_line(host_key)
        known["user_data_sha256"] = hashlib.sha256(user_data).hexdigest()
        groups = list(request["groups"])
        if request["group"] is not None:
            networks = ", ".join(request["group"]["networks"])
            record.progress(f"a security group, open to {networks}")
            with self._account.errors("make a security group"):
                groups = [group.ensure_group(self._account, request, token, record, look=look)]
            remember(group=groups[0])
        found = self._instance(request, token, user_data, groups, record, known, remember)
        remember(instance=found["InstanceId"])
        return self._reachable(request, token, found, record, known, remember, look=look)

    def observe(self, instances_: Sequence[Instance]) -> list[Observation]:
        """All of them by one call, page by page."""
        if not instances_:
            return []
        with self._account.errors("look at the instances"):
            there = instances.by_id(self._account, [each.id for each in instances_])
            if any(each.id not in there for each in instances_):
                self._account.verify(str(self._settings.get("id", "")))
        return [instances.observed(there.get(each.id), private=_private(each)) for each in instances_]

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Start it; without an Elastic IP it comes back at a new public address."""
        found = self._described(instance.id)
        if found["State"]["Name"] in ENDED:
            raise instances.not_there(instance.id)
        if found["State"]["Name"] == "stopping":
            found = self._wait(instance.id, "stopped", record)
        if found["State"]["Name"] == "stopped":
            self._effect("start", instance.id, record, lambda ec2: ec2.start_instances(InstanceIds=[instance.id]))
        found = self._wait(instance.id, "running", record)
        address = address_of(found, private=_private(instance))
        if address is None:
            raise self._no_address(instance.id)
        return dataclasses.replace(instance, access=dataclasses.replace(instance.access, host=address, address=None))

    def stop(self, instance: Instance, record: Recorder) -> None:
        """Shut it down in order."""
        self._stop(instance, record, force=False)

    def restart(self, instance: Instance, record: Recorder) -> Instance:
        """The host restarts itself: EC2 does not say when a reboot has happened."""
        raise DriverError(
            "EC2 does not say when a reboot has happened", hint="the host is asked instead: pymachine restart"
        )

    def kill(self, instance: Instance, record: Recorder) -> None:
        """Stop it without waiting for its services."""
        self._stop(instance, record, force=True)

    def allow(self, instance: Instance, networks: Sequence[str], record: Recorder) -> list[str]:
        """Let networks in by the machine's own group; a group of the operator's is not changed."""
        own = instance.data.get("group")
        if not own:
            raise DriverError(
                "the machine is in a security group of yours, which is not changed",
                hint="open ports 22 and 2376 there: aws ec2 authorize-security-group-ingress",
            )
        wanted = [str(ipaddress.ip_network(each)) for each in networks] or [operator_network(self._account.endpoint)]
        with self._account.errors("change the security group"):
            group.authorize(self._account, own, group.rules(wanted, (), ipv6=False), record)
        return wanted

    def resize(self, instance: Instance, options: AwsOptions, changed: Sequence[str], record: Recorder) -> None:
        """Another instance type, for a stopped instance."""
        resizing.set_type(self._account, self._notes, self._described(instance.id), options, record)

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """The instance, its address and its group; returns when EC2 says that they are gone."""
        removal.remove(self._account, _watch(self._account), id, data, record, str(self._settings.get("id", "")))

    def find(self, store: str) -> list[Found]:
        """Everything with this store's marks in this account and region."""
        self._account.verify(str(self._settings.get("id", "")))
        return removal.find(self._account, store)

    @property
    def _account(self) -> Account:
        return account(self._settings, self._secrets)

    def _instance(
        self,
        request: Mapping[str, Any],
        token: str,
        user_data: bytes,
        groups: list[str],
        record: Recorder,
        known: Mapping[str, Any],
        remember: Callable[..., None],
    ) -> Mapping[str, Any]:
        """The instance: the one that is recorded and has not ended, or else a new one."""
        if known.get("instance"):
            with self._account.errors("look at the instance"):
                found = instances.by_id(self._account, [known["instance"]]).get(known["instance"])
            if found is not None and found["State"]["Name"] not in ENDED:
                return found
            remember(instance="", attempt=int(known.get("attempt", 0)) + 1)
        record.progress(
            f"asking for {request['run']['InstanceType']} in {self._account.region}, {request['image']['name']}"
        )

        def attempting(**more: Any) -> None:
            remember(attempted_at=time.time(), **more)

        try:
            with self._account.errors("make the instance"), launch.forgetting(lambda: self._forget(request)):
                return launch.launch(self._account, request, token, user_data, groups, record, attempting)
        except DriverError:
            if request["group"] is not None and not self._made(token):
                self._give_back(groups[0], record)
                remember(group="", attempted_at=None)
            raise

    def _made(self, token: str) -> bool:
        """Whether some attempt under this token has made something that is there; unknown counts as yes."""
        try:
            found = instances.describe(self._account, marks.marked(marks.OPERATION, token))
        except Exception:  # noqa: BLE001 - the error that is on its way says more
            return True
        return any(each["State"]["Name"] not in ENDED for each in found)

    def _give_back(self, id: str, record: Recorder) -> None:
        """EC2 made no instance: its group is not left. Where that fails too, `rm` will find it."""
        try:
            group.delete_group(self._account, id, record)
        except (ClientError, UNKNOWN_OUTCOME[0], UNKNOWN_OUTCOME[1]):
            record.progress(f"the security group {id} is still there")

    def _forget(self, request: Mapping[str, Any]) -> None:
        for key in request["notes"]:
            self._notes.put(key, None)

    def _reachable(
        self,
        request: Mapping[str, Any],
        token: str,
        found: Mapping[str, Any],
        record: Recorder,
        known: Mapping[str, Any],
        remember: Callable[..., None],
        *,
        look: bool,
    ) -> Instance:
        """The instance once it runs and has an address."""
        made = str(found["InstanceId"])
        if found["State"]["Name"] == "stopping":
            self._wait(made, "stopped", record)
        if found["State"]["Name"] in ("stopping", "stopped"):  # it was there before, and stopped since
            self._effect("start", made, record, lambda ec2: ec2.start_instances(InstanceIds=[made]))
        if request["elastic_ip"]:
            with self._account.errors("allocate an Elastic IP"):
                remember(allocation=elasticip.ensure_address(self._account, request, token, record, look=look))
        record.progress(f"{made}: waiting for it to run")
        found = self._wait(made, "running", record)
        address = address_of(found, private=request["private"])
        if request["elastic_ip"]:
            with self._account.errors("associate the Elastic IP"):
                public = elasticip.associate(self._account, known["allocation"], made, record)
            address = address if request["private"] else public
        if address is None:
            raise self._no_address(made)
        access = Access(host=address, user=request["user"], host_keys=(known["injected_host_key"],))
        kept = ("token", "group", "allocation", "attempt", "injected_host_key", "user_data_sha256")
        data = {key: known[key] for key in kept if known.get(key) not in (None, "")}
        data |= {"instance": made, "private": request["private"], "spot": found.get("InstanceLifecycle") == "spot"}
        return Instance(driver=self.name, id=made, access=access, data=data)

    def _stop(self, instance: Instance, record: Recorder, *, force: bool) -> None:
        state = self._described(instance.id)["State"]["Name"]
        if state in ENDED:
            raise instances.not_there(instance.id)
        if state not in ("stopped", "stopping") or (force and state == "stopping"):
            self._effect(
                "stop", instance.id, record, lambda ec2: ec2.stop_instances(InstanceIds=[instance.id], Force=force)
            )
        self._wait(instance.id, "stopped", record)

    def _described(self, id: str) -> dict[str, Any]:
        with self._account.errors(f"look at {id}"):
            found = instances.by_id(self._account, [id]).get(id)
            if found is None:
                self._account.verify(str(self._settings.get("id", "")))
                raise instances.not_there(id)
        return found

    def _effect(self, verb: str, id: str, record: Recorder, act: Callable[[Any], Any]) -> None:
        """A call that may be repeated: what it brings about is a state."""
        with self._account.errors(f"{verb} {id}"):
            for turn in range(_TRIES):
                record.check(f"EC2 to {verb} {id}")
                try:
                    act(self._account.effects())
                except UNKNOWN_OUTCOME:
                    if turn + 1 == _TRIES:
                        raise
                except ClientError as error:
                    again = THROTTLED | {"IncorrectInstanceState", "InsufficientInstanceCapacity"}
                    if code_of(error) not in again or turn + 1 == _TRIES:
                        raise
                else:
                    return
                group.pause(record, min(0.5 * 2**turn, 8.0), f"EC2 to {verb} {id}")

    def _wait(self, id: str, state: str, record: Recorder) -> dict[str, Any]:
        return _watch(self._account).wait(id, state, record)

    def _no_address(self, id: str) -> DriverError:
        return DriverError(
            f"the instance {id} has no public address",
            hint="reach it at its private one (--aws-use-private-address), or give it an --aws-elastic-ip",
        )


def _private(instance: Instance) -> bool:
    return bool(instance.data.get("private"))
