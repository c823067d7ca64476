"""docker-machine's names and what they are here: drivers, the flags and variables that begin with them, global flags.

Data, and the few functions that look something up in it. A name that an installed driver has is that driver's: what is
written here is asked only where there is none.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from machine.errors import UnknownDriver, UsageError

LOCAL = "(local)"  # what this computer can make best


@dataclass(frozen=True, slots=True)
class OldDriver:
    """A driver of docker-machine, its own or a well-known plugin."""

    name: str  # there; its flags are --NAME-…
    now: str  # here; LOCAL; empty: what it drove is gone
    variables: str = ""  # what the names of its environment variables begin with
    user: str = "root"  # whom it logged in as where nothing was said
    id: str = ""  # the field of its config.json with the provider's own identifier
    gone: str = ""  # why there is nothing to drive any more


DRIVERS: tuple[OldDriver, ...] = (
    # Built in.
    OldDriver("amazonec2", "aws", "AWS_", "ubuntu", "InstanceId"),
    OldDriver("azure", "azure", "AZURE_", "docker-user", "VMName"),
    OldDriver("digitalocean", "digitalocean", "DIGITALOCEAN_", "root", "DropletID"),
    OldDriver("exoscale", "exoscale", "EXOSCALE_", "ubuntu", "ID"),
    OldDriver("generic", "generic", "GENERIC_"),
    OldDriver("google", "gcp", "GOOGLE_", "docker-user", "MachineName"),
    OldDriver("hyperv", LOCAL, "HYPERV_", "docker", "MachineName"),
    OldDriver("none", "none"),
    OldDriver("openstack", "openstack", "OS_", "root", "MachineId"),
    OldDriver("rackspace", "openstack", "OS_", "root", "MachineId"),
    OldDriver("softlayer", "ibmcloud", "SOFTLAYER_", "root", "Id"),
    OldDriver("virtualbox", LOCAL, "VIRTUALBOX_", "docker", "MachineName"),
    OldDriver("vmwarefusion", LOCAL, "FUSION_", "docker", "MachineName"),
    OldDriver("vmwarevcloudair", "", "VCLOUDAIR_", "root", "VAppID", "VMware ended vCloud Air in 2020"),
    OldDriver("vmwarevsphere", "vsphere", "VSPHERE_", "docker", "MachineName"),
    # Plugins.
    OldDriver("kvm", "qemu", "KVM_", "docker", "MachineName"),
    OldDriver("kvm2", "qemu", "KVM_", "docker", "MachineName"),
    OldDriver("qemu", "qemu", "QEMU_", "docker", "MachineName"),
    OldDriver("hyperkit", LOCAL, "HYPERKIT_", "docker", "MachineName"),
    OldDriver("parallels", LOCAL, "PARALLELS_", "docker", "MachineName"),
    OldDriver("vmware", LOCAL, "VMWARE_", "docker", "MachineName"),
    OldDriver("xhyve", LOCAL, "XHYVE_", "docker", "MachineName"),
    OldDriver("dind", LOCAL, "", "root", "MachineName"),
    OldDriver("lxd", "lxd", "LXD_", "root", "MachineName"),
    OldDriver("aliyunecs", "alibaba", "ECS_", "root", "InstanceId"),
    OldDriver("hetzner", "hetzner", "HETZNER_", "root", "ServerID"),
    OldDriver("ionoscloud", "ionos", "IONOSCLOUD_", "root", "ServerId"),
    OldDriver("profitbricks", "ionos", "PROFITBRICKS_", "root", "ServerId"),
    OldDriver("kubevirt", "kubevirt", "KUBEVIRT_"),
    OldDriver("linode", "linode", "LINODE_", "root", "InstanceID"),
    OldDriver("metal", "", "METAL_", "root", "DeviceID", "Equinix ended Metal in 2026"),
    OldDriver("packet", "", "PACKET_", "root", "DeviceID", "Equinix ended Metal, which was Packet, in 2026"),
    OldDriver("nutanix", "nutanix", "NUTANIX_", "root", "VMId"),
    OldDriver("oci", "oci", "OCI_", "opc", "InstanceID"),
    OldDriver("otc", "openstack", "OS_", "linux", "InstanceID"),
    OldDriver("outscale", "outscale", "OUTSCALE_", "outscale", "VmId"),
    OldDriver("ovh", "openstack", "OVH_", "ubuntu", "InstanceID"),
    OldDriver("proxmox", "proxmox", "PROXMOX_", "root", "VMID"),
    OldDriver("proxmoxve", "proxmox", "PROXMOXVE_", "root", "VMID"),
    OldDriver("sakuracloud", "sakuracloud", "SAKURACLOUD_", "root", "ID"),
    OldDriver("scaleway", "scaleway", "SCALEWAY_", "root", "ServerID"),
    OldDriver("upcloud", "upcloud", "UPCLOUD_", "root", "ServerUUID"),
    OldDriver("vultr", "vultr", "VULTR_", "root", "InstanceID"),
    OldDriver("yandex", "yandex", "YC_", "yc-user", "InstanceID"),
)
_BY_NAME = {each.name: each for each in DRIVERS}

# docker-machine's flags for virtualbox that an old tutorial may have: what a local driver calls the same, and how its
# value is written there. The others say things that only VirtualBox has.
VIRTUALBOX_FLAGS: dict[str, tuple[str, str] | None] = {
    "memory": ("memory", "{}m"),
    "cpu-count": ("cpus", "{}"),
    "disk-size": None,
    "boot2docker-url": None,
    "import-boot2docker-vm": None,
    "host-dns-resolver": None,
    "nat-nictype": None,
    "hostonly-cidr": None,
    "hostonly-nictype": None,
    "hostonly-nicpromisc": None,
    "ui-type": None,
    "hostonly-no-dhcp": None,
    "no-share": None,
    "no-dns-proxy": None,
    "no-vtx-check": None,
    "share-folder": None,
}
# Its variables are called as the flags are, but for these (drivers/virtualbox/virtualbox.go).
_VIRTUALBOX_VARIABLES = {
    "memory": "MEMORY_SIZE",
    "import-boot2docker-vm": "BOOT2DOCKER_IMPORT_VM",
    "hostonly-nictype": "HOSTONLY_NIC_TYPE",
    "hostonly-nicpromisc": "HOSTONLY_NIC_PROMISC",
}
VIRTUALBOX_SWITCHES = ("host-dns-resolver", "hostonly-no-dhcp", "no-share", "no-dns-proxy", "no-vtx-check")


@dataclass(frozen=True, slots=True)
class UnusedFlag:
    """A flag of a driver of docker-machine's that has nothing left to do here."""

    name: str  # after --amazonec2-
    why: str
    variable: str = ""
    switch: bool = False
    default: str = ""  # said or not, this is what happens


# By the driver's name here; the others of its flags are options of the driver (drivers/amazonec2/amazonec2.go).
UNUSED_FLAGS: dict[str, tuple[UnusedFlag, ...]] = {
    "aws": (
        UnusedFlag(
            "security-group-readonly", "a group of yours is never changed", "AWS_SECURITY_GROUP_READONLY", switch=True
        ),
        UnusedFlag("ssh-keypath", "the machine has a key of its own", "AWS_SSH_KEYPATH"),
        UnusedFlag("ssh-port", "a new machine is reached at port 22", "AWS_SSH_PORT", default="22"),
        UnusedFlag("retries", "what may be repeated is, until --timeout", default="5"),
        UnusedFlag("block-duration-minutes", "AWS ended it in 2022", default="0"),
        UnusedFlag("insecure-transport", "say http:// in the endpoint's URL", "AWS_INSECURE_TRANSPORT", switch=True),
    ),
}

SWARM_SWITCHES = ("--swarm", "--swarm-master", "--swarm-experimental")
SWARM_FLAGS = ("--swarm-image", "--swarm-discovery", "--swarm-strategy", "--swarm-opt", "--swarm-join-opt",
               "--swarm-host", "--swarm-addr")  # fmt: skip


@dataclass(frozen=True, slots=True)
class OldGlobal:
    """A flag before the command, with its environment variable, and what it means here."""

    flag: str
    variable: str
    meaning: str  # "same", "accepted" (nothing is left for it to do), or what it does


GLOBALS: tuple[OldGlobal, ...] = (
    OldGlobal("--debug", "MACHINE_DEBUG", "same"),
    OldGlobal("--storage-path", "MACHINE_STORAGE_PATH", "same"),
    OldGlobal("--native-ssh", "MACHINE_NATIVE_SSH", "accepted"),
    OldGlobal("--github-api-token", "MACHINE_GITHUB_API_TOKEN", "accepted"),
    OldGlobal("--bugsnag-api-token", "MACHINE_BUGSNAG_API_TOKEN", "accepted"),
    OldGlobal("--tls-ca-cert", "MACHINE_TLS_CA_CERT", "becomes the store's authority, where it has none yet"),
    OldGlobal("--tls-ca-key", "MACHINE_TLS_CA_KEY", "its key"),
    OldGlobal("--tls-client-cert", "MACHINE_TLS_CLIENT_CERT", "accepted"),
    OldGlobal("--tls-client-key", "MACHINE_TLS_CLIENT_KEY", "accepted"),
)


def old_driver(name: str) -> OldDriver | None:
    """docker-machine's driver of this name."""
    return _BY_NAME.get(name)


def virtualbox_variable(flag: str) -> str:
    """The environment variable of a flag in `VIRTUALBOX_FLAGS`."""
    return "VIRTUALBOX_" + _VIRTUALBOX_VARIABLES.get(flag, flag.upper().replace("-", "_"))


def is_known(driver: str) -> bool:
    """Whether a driver is one of docker-machine's or of ours, be it installed or not; else it was somebody's plugin."""
    return any(driver in (each.name, each.now) for each in DRIVERS)


def old_prefixes(driver: str) -> Iterator[str]:
    """The beginnings that flags of a driver had under its former names: ``--amazonec2-`` for ``aws``."""
    for each in DRIVERS:
        if each.now == driver and each.name != driver:
            yield f"--{each.name}-"


@dataclass(frozen=True, slots=True)
class Meant:
    """What a driver's name on a command line means."""

    driver: str | None  # one that is installed; None: the best local one
    note: str = ""  # for people, where it is not what they said


def meant_driver(said: str | None, installed: Collection[str]) -> Meant:
    """The driver that is meant by a name of docker-machine's or of ours.

    Raises:
        UnknownDriver: this version has none for it; says what it is called now.
    """
    if said is None or said in installed:
        return Meant(said)
    row = _BY_NAME.get(said)
    if row is None:
        if said in {each.now for each in DRIVERS} - {LOCAL, ""}:
            raise _not_available(said, "", installed)
        raise _unknown(said, installed)
    if row.now == LOCAL:
        return Meant(None, f"{said} is not driven here: the machine is made by this computer's own means instead.")
    if row.now in installed:
        return Meant(row.now)
    if row.gone:
        raise UnknownDriver(f"the driver {said} has nothing to drive any more: {row.gone}", hint=_others(installed))
    raise _not_available(row.now, said, installed)


def owner_of_flag(flag: str, installed: Iterable[str]) -> str | None:
    """The driver, by the name it has here, whose flags begin like this one."""
    for name in (*installed, *(each.now for each in DRIVERS if each.now not in ("", LOCAL))):
        if flag.startswith((f"--{name}-", *old_prefixes(name))):
            return name
    return None


def refuse_single_dash(arguments: Iterable[str], flags: Collection[str]) -> None:
    """Refuse ``-driver`` and ``-url``: short flags would be read out of them, and mean something else.

    Raises:
        UsageError: names the flag with its two dashes.
    """
    for word in arguments:
        if word == "--":
            return
        flag = word.partition("=")[0]
        if len(flag) > 2 and flag[0] == "-" != flag[1] and f"-{flag}" in flags:
            raise UsageError(f"{flag} is no flag", hint=f"it has two dashes: -{flag}")


def refuse_swarm(flag: str) -> UsageError:
    """What is answered to a flag of the classic Swarm."""
    return UsageError(
        f"{flag}: the classic Swarm has been dead since Docker 1.12",
        hint="create the machine without it; Swarm mode is in the engine: docker swarm init",
    )


def _not_available(name: str, said: str, installed: Collection[str]) -> UnknownDriver:
    called = f"the driver {said} is called {name} here, and is" if said and said != name else f"the driver {name} is"
    return UnknownDriver(f"{called} not available in this version", hint=_others(installed))


def _unknown(said: str, installed: Collection[str]) -> UnknownDriver:
    close = difflib.get_close_matches(said, {*installed, *_BY_NAME}, n=2)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return UnknownDriver(f'no driver "{said}"', hint=f"{meant}{_others(installed)}")


def _others(installed: Collection[str]) -> str:
    return f"installed: {', '.join(installed) or 'none'}"
