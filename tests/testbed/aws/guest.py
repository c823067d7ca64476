"""One real machine behind an instance: a Debian with cloud-init in systemd-nspawn, seeded before its first boot.

It is the nspawn driver's, without what that driver puts in: it has no host key, nobody may log in, and cloud-init is
on. All that it becomes it becomes by the user data, as on EC2.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from machine.drivers.nspawn import (
    NspawnDriver,
    base,
    boot,
    cgroup,
    layout,
    network,
    process,
    records,
    resolver,
    rootfs,
    sources,
)
from machine.drivers.nspawn.inroot import InRoot
from machine.drivers.nspawn.layout import Layout
from machine.model import Access, Instance
from machine.testing.recorder import ListRecorder
from tests.testbed.host import CLOUD_PACKAGES, base_of

STORE = "testbed-aws"
ENGINE_PACKAGES = (*CLOUD_PACKAGES, "docker.io", "iptables", "ca-certificates")
SEED = "/var/lib/cloud/seed/nocloud"
_UNITS = "/etc/systemd/system"
_CGROUPS_UNIT = "pymachine-cgroups.service"

# What the cloud images of Debian have in their own configuration, and that there is no network to set up. The locale:
# theirs have the package for it. The sources: this computer's lead to packages, cloud-init's own may not.
_CONFIGURATION = {
    "datasource_list": ["NoCloud", "None"],
    "network": {"config": "disabled"},
    "locale": "false",
    "manage_etc_hosts": True,
    "apt": {"preserve_sources_list": True},
}


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What the metadata service would tell a new instance."""

    instance_id: str
    host_name: str
    user: str  # the image's default one: admin, ubuntu, ec2-user
    user_data: bytes
    public_keys: tuple[str, ...] = ()


class Guest:
    """A machine of this computer, by the id of its instance."""

    def __init__(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self.id = layout.instance_id(instance_id)
        self._driver = NspawnDriver()
        self._layout = Layout.of()
        self._record = ListRecorder()

    def create(self, below: dict[str, Any], seed: Seed) -> str:
        """Make it, with its seed, and boot it.

        Args:
            below: the base: `plain`, or the copy of another machine.
            seed: for cloud-init.

        Returns:
            Its address.
        """
        request = {
            "machine": seed.host_name, "store": STORE, "authorized_key": "", "cpus": None, "memory": None,
            "subnet": None,
        }  # fmt: skip
        with base.kept(self._layout, below, self._record) as path, self._held():
            with self._driver._shared(self._record):
                machine, _ = self._driver._reserve(self.id, self.instance_id, request, path, self._record)
            place = self._layout.place(self.id)
            boot._directories(place, machine)
            with InRoot(str(place.upper)) as root:
                self._seed(root, seed)
            # The driver would put its own keys in, and switch cloud-init off.
            records.write_record(self._layout, replace(machine, adapted=True))
        return self.start()

    def start(self, *, elsewhere: bool = False) -> str:
        """Boot it; its address, which can be another one than before."""
        with self._held():
            machine = records.read_record(self._layout, self.id)
            assert machine is not None
            with self._driver._shared(self._record):
                subnet = network.ensure(self._layout, None, self._record)
                if elsewhere:
                    taken = [each.address for each in records.all_records(self._layout)]
                    machine = replace(machine, address=network.free_address(subnet, taken))
                    records.write_record(self._layout, machine)
            boot.boot(self._layout, machine, subnet, self._record)
            return machine.address

    def stop(self) -> None:
        """Shut it down in order."""
        self._driver.stop(Instance(driver="nspawn", id=self.id, access=Access(host="")), self._record)

    def remove(self) -> None:
        """Remove it with all that was made with it; twice is fine."""
        self._driver.remove(self.id, {}, self._record)

    @property
    def runs(self) -> bool:
        """Whether it does."""
        return process.find(self._layout.place(self.id)) is not None

    @property
    def console(self) -> str:
        """The end of what its last boot said."""
        return process.console_tail(self._layout.place(self.id), lines=40)

    def copy(self, target: Path) -> None:
        """Copy its root file system, as it sees it, to a directory that does not exist yet; it is stopped."""
        machine = records.read_record(self._layout, self.id)
        assert machine is not None
        place = self._layout.place(self.id)
        target.mkdir(mode=0o755)
        with tempfile.TemporaryDirectory(prefix="pymachine-testbed-copy-") as mount:
            script = (
                f'mount -t overlay -o "ro,lowerdir={place.upper}:{machine.base}" none "{mount}" && '
                f'cp --archive --reflink=auto "{mount}/." "{target}"'
            )
            command = ["unshare", "--mount", "--propagation=private", "--", "sh", "-ec", script]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=120)
        for inside, kept in place.binds.items():
            shutil.copytree(kept, target / inside[1:], symlinks=True, dirs_exist_ok=True)

    def _held(self) -> Any:
        return self._driver._machine(self.id, self._record)

    def _seed(self, root: InRoot, seed: Seed) -> None:
        for unit in rootfs._NETWORK:
            root.symlink("/dev/null", f"{_UNITS}/{unit}")
        root.write("/etc/systemd/network/10-pymachine.network", "[Match]\nName=eth0\n\n[Link]\nUnmanaged=yes\n")
        if cgroup.legacy():
            unit = (resources.files("machine") / "templates/nspawn" / _CGROUPS_UNIT).read_text(encoding="utf-8")
            root.write(f"{_UNITS}/{_CGROUPS_UNIT}", unit)
            root.symlink(f"../{_CGROUPS_UNIT}", f"{_UNITS}/sysinit.target.wants/{_CGROUPS_UNIT}")
        root.write("/etc/machine-id", layout.machine_id(self.instance_id) + "\n", 0o444)
        root.write("/etc/resolv.conf", resolver.operator_resolvers())
        self._packages(root)
        configuration = _CONFIGURATION | {"system_info": {"default_user": {"name": seed.user}}}
        root.write("/etc/cloud/cloud.cfg.d/90_testbed.cfg", json.dumps(configuration, indent=1) + "\n")
        about = {"instance-id": seed.instance_id, "local-hostname": seed.host_name, "public-keys": seed.public_keys}
        root.write(f"{SEED}/meta-data", json.dumps(about) + "\n")
        root.write(f"{SEED}/user-data", seed.user_data.decode("utf-8", "surrogateescape"), 0o600)

    def _packages(self, root: InRoot) -> None:
        codename = sources.own_codename()
        chosen = sources.choose(codename or sources.DEFAULT_SUITE, None, sources.operator_sources(), codename)
        for place, keyring in sources.keyrings(chosen).items():
            root.write(place, keyring.read_bytes().decode("utf-8", "surrogateescape"))
        root.write("/etc/apt/sources.list.d/debian.sources", sources.render(s.without_credentials() for s in chosen))
        root.write("/etc/apt/apt.conf.d/90pymachine", sources.settings_for_machine(sources.operator_fetch_settings()))


def plain(*, engine: bool) -> dict[str, Any]:
    """The base of the public images, with or without an engine in it."""
    return base_of(ENGINE_PACKAGES if engine else CLOUD_PACKAGES)
