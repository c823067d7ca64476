"""Driver ``memory``: instances that are records at a little cloud in a file, and no host behind them.

It is what a driver for a cloud looks like, small enough to be read whole. A create ends in a failed ``connect``: what
can be tested with it are resources and records. Not registered by the product; ``machine.testing.plugin`` does it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from machine.driver import Baked, Capabilities, Found, HostIdentity, Price, Recorder, option
from machine.errors import DriverError, InstanceGone, PreCheckFailed
from machine.model import Access, Instance, Observation, Offering, Spec, State
from machine.testing.cloud import REGIONS, CloudError, CloudImage, CloudInstance, MemoryCloud
from machine.trust.sshkeys import new_private_key, public_line

CLOUD_VARIABLE = "MEMORY_CLOUD"  # the directory of the cloud
KEY_VARIABLE = "MEMORY_API_KEY"
DEFAULT_PROJECT = "main"
HERE = "127.0.0.1/32"  # where the operator is
SSH_PORT = 1  # nobody listens there, also where an SSH server listens on every address of 127.0.0.0/8

# What is recorded before the provider has said an id: the instance, if there is one, carries this token.
_BY_TOKEN = "token:"  # noqa: S105 - not a password
_IMAGE = "img-"
_BAKING = "baking"  # of a machine's data: an image of it may have been begun
_TURN = 0.005
_STATES = {"pending": State.STARTING, "running": State.RUNNING, "stopped": State.STOPPED}


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 64:
        raise ValueError(f"{text!r} is not a number of processors (1 to 64)")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """One option of each kind."""

    region: str = option(help="Where the instance is.", default="north", env=("MEMORY_REGION",), choices=REGIONS)
    size: int = option(help="How many processors it has.", default=1, env=("MEMORY_SIZE",), parse=_size)
    disk: int = option(help="The disk, in GB.", default=8, env=("MEMORY_DISK",), metavar="GB")
    spot: bool = option(help="Cheaper, and it may be taken away.", default=False, env=("MEMORY_SPOT",))
    label: tuple[str, ...] = option(help="A label; repeatable.", default=(), env=("MEMORY_LABEL",))
    project: str = option(help="The account's project.", default=DEFAULT_PROJECT, env=("MEMORY_PROJECT",))
    api_key: str | None = option(help="The key of the account.", env=(KEY_VARIABLE,), secret=True)


class MemoryDriver:
    """Records at a cloud in a file.

    Args:
        cloud: its directory; left out, ``$MEMORY_CLOUD``.
    """

    name: ClassVar[str] = "memory"
    summary: ClassVar[str] = "records at a cloud in a file, for tests"
    capabilities: ClassVar[Capabilities] = Capabilities(
        stop=True, restart=True, firewall=True, resize=("size",), inject_host_key=True
    )
    Options: ClassVar[type] = MemoryOptions

    def __init__(self, cloud: Path | None = None) -> None:
        self._directory = cloud
        self._api_key = os.environ.get(KEY_VARIABLE)
        self._project = DEFAULT_PROJECT

    def sign_in(self, account: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Use this project, with this key."""
        self._project, self._api_key = account.get("project", DEFAULT_PROJECT), secrets.get("api_key")

    def check(self, spec: Spec, options: MemoryOptions, identity: HostIdentity) -> dict[str, Any]:
        """Whether the account answers."""
        self._project, self._api_key = options.project, options.api_key or self._api_key
        try:
            self._cloud().describe(token="")
        except CloudError as error:
            hint = f"set {KEY_VARIABLE}" if error.code == "unauthorized" else "try again later"
            raise PreCheckFailed("the memory cloud refuses", cause=str(error), hint=hint) from error
        return {
            "machine": spec.name,
            "store": identity.store,
            "authorized_key": identity.authorized_key,
            "region": options.region,
            "size": options.size,
            "account": {"project": options.project},
        }

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """Make an instance; what is known of it before it has an id is its token, and that is recorded first."""
        record.resource("instance", _BY_TOKEN + token)
        record.progress(f"asking for an instance in {request['region']}")
        with _mapped("create"):
            made = self._cloud().run(
                token=token,
                store=request["store"],
                machine=request["machine"],
                region=request["region"],
                size=request["size"],
                authorized_key=request["authorized_key"],
                host_key=public_line(new_private_key()),
            )
        record.resource("instance", made.id, region=made.region)
        if made.state == "stopped":  # it was made before, and stopped since
            with _mapped("start"):
                made = self._cloud().start(made.id)
        return self._started(made, record)

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        """All of them by one call."""
        with _mapped("observe"):
            there = {each.id: each for each in self._cloud().describe()}
        return [_observed(there.get(instance.id)) for instance in instances]

    def prices(self, offerings: Sequence[Offering]) -> list[Price]:
        """What the cloud's list says of each."""
        return [self._price(each) for each in offerings]

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Start it; it comes back at a new address."""
        with _mapped("start"):
            started = self._cloud().start(instance.id)
        return self._started(started, record)

    def stop(self, instance: Instance, record: Recorder) -> None:
        """Stop it."""
        with _mapped("stop"):
            self._cloud().stop(instance.id)

    def restart(self, instance: Instance, record: Recorder) -> Instance:
        """Stop and start."""
        self.stop(instance, record)
        return self.start(instance, record)

    def kill(self, instance: Instance, record: Recorder) -> None:
        """Nothing runs in it that could be shut down in order."""
        self.stop(instance, record)

    def allow(self, instance: Instance, networks: Sequence[str], record: Recorder) -> list[str]:
        """Let networks in."""
        with _mapped("open"):
            return self._cloud().allow(instance.id, list(networks) or [HERE])

    def resize(self, instance: Instance, options: MemoryOptions, changed: Sequence[str], record: Recorder) -> None:
        """Give it another number of processors."""
        with _mapped("resize"):
            self._cloud().resize(instance.id, options.size)

    def bake(self, instance: Instance, name: str, token: str, record: Recorder) -> Baked:
        """An image, looked for by the token before it is made: this cloud takes none for it."""
        cloud = self._cloud()
        record.resource("instance", instance.id, **{**record.recall(), _BAKING: name})
        with _mapped("copy"):
            made = next((each for each in cloud.list_images() if each.token == token), None)
            made = made or cloud.copy(instance.id, name=name)
            record.check()
            cloud.finish(made.id)
        return self._baked(made)

    def baked(self, store: str) -> list[Baked]:
        """The finished ones."""
        with _mapped("list images of"):
            there = self._cloud().list_images()
        return [self._baked(each) for each in there if each.store == store and each.finished]

    def unbake(self, id: str, record: Recorder) -> None:
        """By one call."""
        with _mapped("remove"):
            self._cloud().delete_image(id)

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """Remove it, by its id or by the token that was recorded before it had one."""
        cloud = self._cloud()
        with _mapped("remove"):
            if id.startswith(_IMAGE):
                cloud.delete_image(id)
                return
            ids = [id]
            if data.get(_BAKING):  # first, for its token is known by the instance
                tokens = {each.token for each in cloud.describe() if each.id == id}
                for image in cloud.list_images():
                    if image.token in tokens and not image.finished:
                        cloud.delete_image(image.id)
            if id.startswith(_BY_TOKEN):
                ids = [each.id for each in cloud.describe(token=id.removeprefix(_BY_TOKEN))]
            for each in ids:
                record.check()
                try:
                    cloud.terminate(each)
                except CloudError as error:
                    if error.code != "not-found":
                        raise

    def find(self, store: str) -> list[Found]:
        """The instances of a store, in every region, and images that are not finished."""
        with _mapped("find"):
            there = [("instance", each.id, each.machine, each.token) for each in self._cloud().describe(store=store)]
            images = [each for each in self._cloud().list_images() if each.store == store and not each.finished]
        there += [("image", each.id, each.machine, each.token) for each in images]
        return [
            Found(driver=self.name, kind=kind, id=one, machine=machine, token=token)
            for kind, one, machine, token in there
        ]

    def _baked(self, image: CloudImage) -> Baked:
        return Baked(driver=self.name, id=image.id, name=image.name, token=image.token, made_at=image.made_at)

    def _started(self, made: CloudInstance, record: Recorder) -> Instance:
        """The instance once it runs."""
        while made.state == "pending":
            record.check()
            time.sleep(_TURN)
            with _mapped("wait for"):
                there = self._cloud().describe(token=made.token)
            if not there:
                raise InstanceGone(f"the instance {made.id} is gone")
            made = there[0]
        access = Access(host=made.address, port=SSH_PORT, host_keys=(made.host_key,))
        offering = dataclasses.asdict(_offering(made))
        data = {"region": made.region, "injected_host_key": made.host_key, "offering": offering}
        return Instance(driver=self.name, id=made.id, access=access, data=data)

    def _price(self, wanted: Offering) -> Price:
        try:
            return Price(hourly=self._cloud().price(wanted.type), currency="USD")
        except CloudError as error:
            return Price(hourly=None, why_unknown=str(error), lasts=60.0)

    def _cloud(self) -> MemoryCloud:
        directory = self._directory or os.environ.get(CLOUD_VARIABLE)
        if not directory:
            raise PreCheckFailed("there is no memory cloud", hint=f"set {CLOUD_VARIABLE} to a directory")
        # Another project is another cloud.
        place = Path(directory) if self._project == DEFAULT_PROJECT else Path(directory) / self._project
        return MemoryCloud(place, self._api_key)


def _observed(instance: CloudInstance | None) -> Observation:
    if instance is None:
        return Observation(state=State.GONE)
    state, address = _STATES[instance.state], instance.address or None
    return Observation(state=state, address=address, offering=_offering(instance))


def _offering(instance: CloudInstance) -> Offering:
    return Offering(type=f"size-{instance.size}", region=instance.region, market="on-demand")


@contextlib.contextmanager
def _mapped(verb: str) -> Iterator[None]:
    """The provider's errors as ours: here, and nowhere else."""
    try:
        yield
    except CloudError as error:
        if error.code == "not-found":
            raise InstanceGone("the instance is gone", cause=str(error), hint="pymachine rm NAME") from error
        raise DriverError(f"the memory cloud did not {verb} the instance", cause=str(error)) from error
