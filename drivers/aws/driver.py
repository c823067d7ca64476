"""Driver ``aws``: the protocol, and nothing else."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from machine.driver import Baked, Capabilities, Found, HostIdentity, Missing, NoNotes, Notes, Price, Recorder
from machine.drivers.aws import (
    adopted,
    baking,
    explanation,
    group,
    instances,
    marks,
    permissions,
    prices,
    removal,
    resizing,
)
from machine.drivers.aws.account import Account, account, settings_of
from machine.drivers.aws.creation import Creation, no_address, start
from machine.drivers.aws.insisting import insist
from machine.drivers.aws.instances import ENDED, Watch, address_of
from machine.drivers.aws.operator import operator_network
from machine.drivers.aws.options import AwsOptions
from machine.drivers.aws.request import resolve_request
from machine.errors import DriverError
from machine.model import Instance, Observation, Offering, Spec, State


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

    name: ClassVar[str] = marks.NAME
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
        """The group, the address, the instance; each recorded as it appears, and looked for before it is made again."""
        making = Creation(self._account, _watch(self._account), request, token, record, lambda: self._forget(request))
        made = making.run()
        return dataclasses.replace(made, data={**made.data, "offering": self._offering(making.described)})

    def observe(self, instances_: Sequence[Instance]) -> list[Observation]:
        """All of them by one call, page by page."""
        if not instances_:
            return []
        with self._account.errors("look at the instances"):
            there = instances.by_id(self._account, [each.id for each in instances_])
            if any(each.id not in there for each in instances_):
                self._account.verify(str(self._settings.get("id", "")))
            return [self._observed(there.get(each.id), each) for each in instances_]

    def prices(self, offerings: Sequence[Offering]) -> list[Price]:
        """On demand from the Price List, on the spot market what EC2 says it is now."""
        return prices.prices(self._account, offerings)

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Start it; without an Elastic IP it comes back at a new public address."""
        found = self._described(instance.id, instance.data)
        if found["State"]["Name"] in ENDED:
            raise instances.not_there(instance.id)
        if found["State"]["Name"] == "stopping":
            found = self._wait(instance.id, "stopped", record)
        if found["State"]["Name"] == "stopped":
            start(self._account, instance.id, record)
        found = self._wait(instance.id, "running", record)
        address = address_of(found, private=_private(instance))
        if address is None:
            raise no_address(instance.id)
        access = dataclasses.replace(instance.access, host=address, address=None)
        return dataclasses.replace(instance, access=access, data={**instance.data, "offering": self._offering(found)})

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
        resizing.set_type(self._account, self._notes, self._described(instance.id, instance.data), options, record)

    def bake(self, instance: Instance, name: str, token: str, record: Recorder) -> Baked:
        """An image of it, marked as finished once it is; see ``baking.py``."""
        described = self._described(instance.id, instance.data)
        return baking.bake(self._account, instance, described, name, token, record, driver=self.name)

    def baked(self, store: str) -> list[Baked]:
        """The images that carry a store's marks and are finished."""
        return baking.baked(self._account, store, self.name)

    def unbake(self, id: str, record: Recorder) -> None:
        """The image and its snapshots."""
        baking.unbake(self._account, id, record)

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """The instance, its address and its group; returns when EC2 says that they are gone."""
        self._verify(id, data)
        removal.remove(self._account, _watch(self._account), id, data, record, str(self._settings.get("id", "")))

    def find(self, store: str) -> list[Found]:
        """Everything with this store's marks in this account and region."""
        self._account.verify(str(self._settings.get("id", "")))
        return removal.find(self._account, store)

    @property
    def _account(self) -> Account:
        return account(self._settings, self._secrets)

    def _forget(self, request: Mapping[str, Any]) -> None:
        for key in request["notes"]:
            self._notes.put(key, None)

    def _stop(self, instance: Instance, record: Recorder, *, force: bool) -> None:
        state = self._described(instance.id, instance.data)["State"]["Name"]
        if state in ENDED:
            raise instances.not_there(instance.id)
        if state not in ("stopped", "stopping") or (force and state == "stopping"):
            with self._account.errors(f"stop {instance.id}"):
                act = partial(self._account.effects().stop_instances, InstanceIds=[instance.id], Force=force)
                insist(record, f"stop {instance.id}", act, again=("IncorrectInstanceState",))
        self._wait(instance.id, "stopped", record)

    def _observed(self, found: Mapping[str, Any] | None, instance: Instance) -> Observation:
        if found is None:
            try:
                self._verify(instance.id, instance.data)
            except DriverError as error:
                return Observation(state=State.UNKNOWN, address=instance.address, detail=f"{error}: {error.cause}")
        said = instances.observed(found, private=_private(instance))
        billed = prices.offering(found, self._account.region) if found is not None else None
        return dataclasses.replace(said, offering=billed)

    def _offering(self, found: Mapping[str, Any]) -> dict[str, str]:
        """What an instance is billed as, as the store keeps it."""
        return dataclasses.asdict(prices.offering(found, self._account.region))

    def _verify(self, id: str, data: Mapping[str, Any]) -> None:
        """Before an instance that is not listed is called gone, where nobody knows in which account it was made."""
        if data.get("taken_over") and not self._settings.get("id"):
            with self._account.errors(f"look at {id}"):
                adopted.verify(self._account, id, data)

    def _described(self, id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        with self._account.errors(f"look at {id}"):
            found = instances.by_id(self._account, [id]).get(id)
            if found is None:
                self._account.verify(str(self._settings.get("id", "")))
                self._verify(id, data)
                raise instances.not_there(id)
        return found

    def _wait(self, id: str, state: str, record: Recorder) -> dict[str, Any]:
        return _watch(self._account).wait(id, state, record)


def _private(instance: Instance) -> bool:
    return bool(instance.data.get("private"))
