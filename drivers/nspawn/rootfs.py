"""What is written into a machine's root file system before its first boot, and what of it is looked after later.

Everything is written into the machine's own overlay, by its merged view; a base that the operator gave stays as it is.
Each line can be repeated.
"""

from __future__ import annotations

import re
import stat
from importlib import resources
from pathlib import Path

from machine.drivers.nspawn import resolver, sources
from machine.drivers.nspawn.inroot import InRoot

# Mounts that a container may not make; systemd tries and waits for each (0.7 s of a boot of 1 s).
_MOUNTS = (
    "var-lib-machines.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount", "dev-hugepages.mount",
)  # fmt: skip
# The network is set up from outside before the boot: whatever would do it again, or wait for it, must not.
_NETWORK = ("systemd-networkd-wait-online.service", "NetworkManager-wait-online.service", "networking.service")
# In our own base only: disk care that a container has no disk for, and updates that hold apt's lock at a bad moment.
_NEEDLESS = (
    "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "apt-daily.timer", "apt-daily-upgrade.timer",
)  # fmt: skip

_UNITS = "/etc/systemd/system"
_CGROUPS_UNIT = "pymachine-cgroups.service"
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
_SETTINGS = "/etc/apt/apt.conf.d/90pymachine"
_SSHD = ("usr/sbin/sshd", "usr/bin/sshd", "sbin/sshd")
_SYSTEMD = ("usr/lib/systemd/systemd", "lib/systemd/systemd")


def missing_in(path: Path) -> str | None:
    """Why a directory cannot be the root of a machine, one line; None: it can."""
    if not any((path / name).exists() for name in _SYSTEMD):
        return "it has no systemd (lib/systemd/systemd)"
    if not any((path / name).exists() for name in _SSHD):
        return "it has no OpenSSH server (usr/sbin/sshd)"
    return None


def prepare_base(root: InRoot) -> None:
    """Take out of a fresh base what belongs to one machine or to this computer, and mask what no machine needs."""
    for path in ("/etc/hostname", "/etc/resolv.conf", "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed"):
        root.remove(path)
    root.write("/etc/machine-id", "", 0o444)
    _remove_host_keys(root, keep="")
    # What mmdebstrap left of the build: its sources (with the operator's credentials, if any) and its speed options.
    for name in root.names("/etc/apt/sources.list.d"):
        if name.startswith("0000"):
            root.remove(f"/etc/apt/sources.list.d/{name}")
    root.remove("/etc/apt/sources.list")
    root.remove("/etc/apt/apt.conf.d/99mmdebstrap")
    dpkg = "/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
    kept = root.read(dpkg)
    if kept is not None:
        root.write(dpkg, "".join(line for line in kept.splitlines(True) if "unsafe-io" not in line))
    for unit in (*_MOUNTS, *_NEEDLESS):
        root.symlink("/dev/null", f"{_UNITS}/{unit}")


def adapt(
    root: InRoot, *, name: str, machine_id: str, authorized_key: str, host_key: Path, legacy_cgroups: bool
) -> None:
    """Make a root file system this machine's own, before its first boot.

    Args:
        root: the merged view.
        name: the machine's, which becomes its host name.
        machine_id: for ``/etc/machine-id``.
        authorized_key: who may log in as root; one OpenSSH line.
        host_key: the private half on the operator's side; the public half lies beside it.
        legacy_cgroups: this computer has cgroup v1, and systemd-nspawn shows it read only.
    """
    for unit in (*_MOUNTS, *_NETWORK):
        root.symlink("/dev/null", f"{_UNITS}/{unit}")
    root.write("/etc/systemd/network/10-pymachine.network", "[Match]\nName=eth0\n\n[Link]\nUnmanaged=yes\n")
    if root.exists("/etc/cloud"):
        root.write("/etc/cloud/cloud-init.disabled", "")
    _name(root, name, machine_id)
    refresh(root, force=True)
    _ssh(root, authorized_key, host_key)
    if legacy_cgroups:
        unit = (resources.files("machine") / "templates/nspawn" / _CGROUPS_UNIT).read_text(encoding="utf-8")
        root.write(f"{_UNITS}/{_CGROUPS_UNIT}", unit)
        root.symlink(f"../{_CGROUPS_UNIT}", f"{_UNITS}/sysinit.target.wants/{_CGROUPS_UNIT}")
    _packages(root)


def refresh(root: InRoot, *, force: bool = False) -> None:
    """Bring what follows the operator's surroundings up to date before a boot: the name servers."""
    now = root.read("/etc/resolv.conf")
    if force or (now is not None and resolver.MARK in now):
        root.write("/etc/resolv.conf", resolver.operator_resolvers())


def host_name(name: str) -> str:
    """A machine's name as a host name: a machine may be called what no host may, such as ``a..b``."""
    return ".".join(label.strip("-") for label in name.split(".") if label.strip("-")) or "machine"


def _name(root: InRoot, name: str, machine_id: str) -> None:
    host = host_name(name)
    root.write("/etc/machine-id", machine_id + "\n", 0o444)
    root.remove("/var/lib/dbus/machine-id")
    root.write("/etc/hostname", host + "\n")
    hosts = root.read("/etc/hosts")
    if hosts is None:
        hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    if not re.search(rf"^[^#\n]*\s{re.escape(host)}(\s|$)", hosts, re.MULTILINE):
        short = host.split(".")[0]
        hosts = hosts.rstrip("\n") + f"\n127.0.1.1\t{host}{'' if short == host else ' ' + short}\n"
    root.write("/etc/hosts", hosts)


def _ssh(root: InRoot, authorized_key: str, host_key: Path) -> None:
    root.directory("/root", 0o700)
    root.directory("/root/.ssh", 0o700)
    keys = root.read("/root/.ssh/authorized_keys") or ""
    if authorized_key not in keys.splitlines():
        keys = f"{keys.rstrip()}\n{authorized_key}\n".lstrip("\n")
    root.write("/root/.ssh/authorized_keys", keys, 0o600)
    # Other keys came with the base and are the same for every machine over it.
    _remove_host_keys(root, keep="ssh_host_ed25519_key")
    root.write(_HOST_KEY, host_key.read_text(encoding="ascii"), 0o600)
    root.write(f"{_HOST_KEY}.pub", host_key.with_suffix(".pub").read_text(encoding="ascii"))
    _enable_sshd(root)


def _remove_host_keys(root: InRoot, *, keep: str) -> None:
    for file in root.names("/etc/ssh"):
        key = file.removesuffix(".pub")
        if file.startswith("ssh_host_") and key.endswith("_key") and key != keep:
            root.remove(f"/etc/ssh/{file}")


def _enable_sshd(root: InRoot) -> None:
    wants = f"{_UNITS}/multi-user.target.wants"
    for unit in ("ssh.service", "sshd.service"):
        if root.readlink(f"{_UNITS}/{unit}") == "/dev/null":
            root.remove(f"{_UNITS}/{unit}")
    enabled = (f"{wants}/ssh.service", f"{wants}/sshd.service", f"{_UNITS}/sockets.target.wants/ssh.socket")
    if any(root.exists(path) for path in enabled):
        return
    for unit in ("ssh.service", "sshd.service"):
        for place in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"):
            # A regular file: sshd.service is often only an alias of ssh.service.
            if root.kind(f"{place}/{unit}") == stat.S_IFREG:
                root.symlink(f"{place}/{unit}", f"{wants}/{unit}")
                return


def _packages(root: InRoot) -> None:
    """Let the machine's apt reach what the operator's reaches; sources of its own are left alone."""
    if not root.exists("/etc/apt"):
        return
    root.write(_SETTINGS, sources.settings_for_machine(sources.operator_fetch_settings()))
    if _has_sources(root):
        return
    release = root.read("/etc/os-release") or root.read("/usr/lib/os-release") or ""
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", release, re.MULTILINE)
    if match is None or not re.search(r"^ID=\"?debian\"?$", release, re.MULTILINE):
        return
    chosen = sources.choose(match[1], None, sources.operator_sources(), sources.own_codename())
    for place, keyring in sources.keyrings(chosen).items():
        if not root.exists(place):
            root.write(place, keyring.read_bytes().decode("utf-8", "surrogateescape"))
    root.write("/etc/apt/sources.list.d/debian.sources", sources.render(s.without_credentials() for s in chosen))


def _has_sources(root: InRoot) -> bool:
    if sources.parse_one_line(root.read("/etc/apt/sources.list") or ""):
        return True
    for file in root.names("/etc/apt/sources.list.d"):
        text = root.read(f"/etc/apt/sources.list.d/{file}") or ""
        if file.endswith(".list") and sources.parse_one_line(text):
            return True
        if file.endswith(".sources") and sources.parse_deb822(text):
            return True
    return False
