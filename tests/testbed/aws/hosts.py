"""Real machines behind instances: what EC2 is told to do with an instance is done to its machine."""

from __future__ import annotations

import base64
import shutil
import tempfile
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from moto.ec2.models.instances import Instance

from machine.drivers.nspawn import base
from tests.testbed.aws import catalog
from tests.testbed.aws.guest import Guest, Seed, plain

_USERS = {catalog.DEBIAN: "admin", catalog.CANONICAL: "ubuntu", catalog.AMAZON: "ec2-user"}


class Hosts:
    """The machines of the instances that there are.

    ``engine``: whether the public images have an engine in them; for the instances that are launched from now on.
    """

    def __init__(self) -> None:
        self.engine = True
        self._guests: dict[str, Guest] = {}
        self._addresses: dict[str, str] = {}
        self._users: dict[str, str] = {}  # of own images
        self._work: dict[str, Future[None]] = {}
        self._images = Path(tempfile.mkdtemp(prefix="pymachine-testbed-images-"))
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aws-host")
        self._lock = threading.Lock()

    def guest(self, instance_id: str) -> Guest:
        """The machine of an instance."""
        return self._guests[instance_id]

    def launch(self, instance: Instance) -> Callable[[], bool]:
        """Make the machine of a new instance; the result says whether that is over."""
        guest = self._guests[instance.id] = Guest(instance.id)
        below = self._base(instance.image_id)
        seed = Seed(
            instance_id=instance.id, host_name=instance.private_dns_name.partition(".")[0], user=self._user(instance),
            user_data=base64.b64decode(str(instance.user_data)) if instance.user_data else b"",
            public_keys=_public_keys(instance),
        )  # fmt: skip

        def work() -> None:
            self._addresses[instance.id] = guest.create(below, seed)

        return self._do(instance.id, work)

    def start(self, instance: Instance) -> Callable[[], bool]:
        """Boot it again: at another address if it has a public one, as EC2 does."""
        guest, elsewhere = self._guests[instance.id], instance.public_ip is not None

        def work() -> None:
            self._addresses[instance.id] = guest.start(elsewhere=elsewhere)

        return self._do(instance.id, work)

    def stop(self, instance: Instance) -> Callable[[], bool]:
        """Shut it down."""
        return self._do(instance.id, self._guests[instance.id].stop)

    def reboot(self, instance: Instance) -> Callable[[], bool]:
        """Shut it down and boot it again, at the same address."""
        guest = self._guests[instance.id]

        def work() -> None:
            guest.stop()
            guest.start()

        return self._do(instance.id, work)

    def terminate(self, instance: Instance) -> Callable[[], bool]:
        """Remove it."""
        return self._do(instance.id, self._guests[instance.id].remove)

    def copy(self, instance: Instance, image_id: str) -> Callable[[], bool]:
        """Make an image of it; meanwhile it is down."""
        guest, target = self._guests[instance.id], self._images / image_id
        self._users[image_id] = self._user(instance)

        def work() -> None:
            running = guest.runs
            if running:
                guest.stop()
            guest.copy(target)
            if running:
                guest.start()

        return self._do(instance.id, work)

    def forget_image(self, image_id: str) -> None:
        """Remove an image; instances that run from it keep what they have open, and nothing else."""
        shutil.rmtree(self._images / image_id, ignore_errors=True)

    def arrived(self, instance: Instance) -> bool:
        """Whether the machine has booted; the instance then has its address."""
        if self._work[instance.id].exception() is not None:
            return False
        address, interface = self._addresses[instance.id], instance.nics[0]
        if interface.public_ip is not None:
            interface.public_ip = address
        interface.private_ip_address = address
        for each in interface.private_ip_addresses:
            if each.get("Primary"):
                each["PrivateIpAddress"] = address
        return True

    def is_down(self, instance: Instance) -> bool:
        """Whether the machine has ended, and nobody here is at work on it."""
        return self._work[instance.id].done() and not self._guests[instance.id].runs

    def remove_all(self) -> None:
        """Remove every machine and every image."""
        wait(self._work.values())
        for done in [self._pool.submit(guest.remove) for guest in self._guests.values()]:
            done.result()
        self._guests.clear()
        self._work.clear()
        for image in self._images.iterdir():
            shutil.rmtree(image)

    def close(self) -> None:
        """Remove everything; no machine can be made any more."""
        self.remove_all()
        self._pool.shutdown()
        self._images.rmdir()

    def _base(self, image_id: str) -> dict[str, Any]:
        own = self._images / image_id
        return base.of_path(own) if own.is_dir() else plain(engine=self.engine)

    def _user(self, instance: Instance) -> str:
        image = instance.ec2_backend.amis.get(instance.image_id)
        return self._users.get(instance.image_id) or _USERS.get(image.owner_id if image else "", "admin")

    def _do(self, id: str, work: Callable[[], None]) -> Callable[[], bool]:
        """Do it after whatever is being done to the same machine."""
        with self._lock:
            before = self._work.get(id)

            def next_() -> None:
                if before is not None:
                    wait([before])
                try:
                    work()
                except BaseException:
                    traceback.print_exc()
                    raise

            done = self._work[id] = self._pool.submit(next_)
        return done.done


def _public_keys(instance: Instance) -> tuple[str, ...]:
    pair = instance.ec2_backend.key_pairs.get(instance.key_name)
    return (pair.material_public.decode().strip(),) if pair is not None else ()
