"""Packages of an engine: Docker's own, or the distribution's. apt is the one package manager so far; another one is
another class beside `Apt`.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time

from machine.agent.errors import Failed
from machine.agent.host import Host, Ran
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HINT = (
    "give the host a way to its package repositories (environment: http_proxy, https_proxy), or install a container "
    "engine on it yourself; then run the command again"
)

ENGINE = "docker.io"  # the distribution's own
NEEDED = ("iptables", "ca-certificates")  # beside an engine, wherever it comes from

_WORTH_SAYING = ("Retrieving", "Unpacking", "Configuring")
_SAY_EVERY = 0.25  # seconds: what matters is that it moves


def install_engine(host: Host, wire: Wire, wanted: dict[str, Any]) -> tuple[str, str]:
    """Install the engine; where from ("docker" or "distribution"), and the package's name.

    Args:
        wanted: ``source`` (auto: Docker's own packages where their repository answers), ``version``, ``repository``.

    Raises:
        Failed: ``engine-install``, ``engine-repository``, ``engine-key`` or ``engine-version``, with what was said.
    """
    apt = manager(host, wire)
    await_cloud_init(host, wire)
    apt.repair()
    if wanted["source"] != "distribution":
        from machine.agent.converge import repository

        try:
            return "docker", repository.install(host, wire, apt, wanted)
        except repository.Unsuited as unsuited:
            if wanted["source"] == "docker" or wanted.get("repository"):
                raise
            why = f" ({unsuited.cause})" if unsuited.cause else ""
            wire.warn(f"using the distribution's packages: {unsuited.message}{why}")
    return "distribution", apt.install_engine(wanted.get("version"))


def check_found(host: Host, title: str, version: str, wanted: dict[str, Any]) -> None:
    """Whether the engine that is there is the one that is asked for: it is never replaced.

    Raises:
        Failed: ``engine-version`` or ``engine-source``.
    """
    hint = "an engine that is there is never replaced: leave {} away, or remove it on the host first"
    if wanted.get("version") and not Apt.is_version(version, wanted["version"]):
        raise Failed(
            "engine-version",
            f"the engine on the host is {title}, not {wanted['version']}",
            hint=hint.format("--engine-version"),
        )
    origins = {"docker.io": "distribution", "docker-ce": "docker"}
    origin = next((origins[name] for name in installed_packages(host) if name in origins), "elsewhere")
    if wanted["source"] in origins.values() and wanted["source"] != origin:
        raise Failed(
            "engine-source",
            f"the host has {title} already, from {origin}, not from {wanted['source']}",
            hint=hint.format("--engine-source"),
        )


def installed_packages(host: Host) -> dict[str, str]:
    """The names and versions of all packages dpkg has installed; none where there is no dpkg."""
    found = {}
    for entry in (host.read(host.path("/var/lib/dpkg/status")) or b"").split(b"\n\n"):
        if b"\nStatus: install ok installed\n" in entry + b"\n":
            fields = dict(line.partition(b": ")[::2] for line in entry.split(b"\n") if line[:1] not in (b" ", b""))
            name, version = fields.get(b"Package", b""), fields.get(b"Version", b"")
            found[name.decode(errors="replace")] = version.decode(errors="replace")
    return found


def await_cloud_init(host: Host, wire: Wire) -> None:
    """Let the first boot finish: it may be installing packages itself."""
    if not os.path.isdir(host.path("/run/cloud-init")) or not host.has("cloud-init"):
        return
    wire.progress("waiting for cloud-init")
    ran = host.run("cloud-init", "status", "--wait", seconds=600)
    if ran.code not in (0, 2):  # 2: done, with recoverable errors
        wire.warn(f"cloud-init ended with an error: {ran.last_words()}")


def manager(host: Host, wire: Wire) -> Apt:
    """The host's package manager.

    Raises:
        Failed: ``engine-install``: it is none that is known.
    """
    if host.has("apt-get"):
        return Apt(host, wire)
    raise Failed(
        "engine-install",
        "there is no container engine on the host, and none of its package managers is known",
        hint="install a container engine on the host yourself; known package managers: apt",
    )


class Apt:
    """Debian, Ubuntu, and what follows them."""

    def __init__(self, host: Host, wire: Wire) -> None:
        self._host, self._wire = host, wire
        self._said_at = 0.0

    def repair(self) -> None:
        """A run that was cut off left packages unpacked: dpkg itself says that this is the way on."""
        if self.get("check").code != 0:
            self._host.run("dpkg", "--configure", "-a", seconds=600)

    def install_engine(self, version: str | None) -> str:
        """The distribution's own; the package's name."""
        refreshed = False
        complaint = ""
        if not self._has_candidate():
            refreshed = True
            complaint = self.refresh()
            if not self._has_candidate():
                what = "cannot be reached" if complaint else f"have no {ENGINE}"
                raise Failed(
                    "engine-install",
                    f"there is no container engine on the host, and its package sources {what}",
                    complaint,
                    _HINT,
                )
        package = ENGINE if version is None else self._exact(version)
        self.install(package, refreshed=refreshed)
        return ENGINE

    def _exact(self, version: str) -> str:
        known = self.versions(ENGINE)
        for each in known:
            if self.is_version(each, version):
                return f"{ENGINE}={each}"
        raise Failed(
            "engine-version",
            f"the distribution has no {ENGINE} {version}",
            f"it has {self.titles(known)}",
            "choose one of them, or Docker's own packages: --engine-source docker",
        )

    def versions(self, package: str) -> list[str]:
        """The versions of a package that apt can install, the newest first."""
        rows = [line.split(" | ") for line in self._host.run("apt-cache", "madison", package).out.splitlines()]
        return list(dict.fromkeys(row[1].strip() for row in rows if len(row) == 3 and row[0].strip() == package))

    @staticmethod
    def is_version(package: str, wanted: str) -> bool:
        """Whether a package's version (``5:24.0.7-1~debian.12~bookworm``) is the wanted one (24.0.7, 24.0, or all)."""
        upstream = _upstream(package)
        return wanted in (package, upstream) or upstream.startswith(f"{wanted}.")

    @staticmethod
    def titles(packages: list[str]) -> str:
        """Versions for people."""
        names = list(dict.fromkeys(map(_upstream, packages)))
        return ", ".join(names[:12]) + (f" and {len(names) - 12} older ones" if len(names) > 12 else "") or "none"

    def install(self, *packages: str, refreshed: bool = False) -> None:
        """Install what is missing and remove nothing.

        Raises:
            Failed: ``engine-install``.
        """
        arguments = ("--no-install-recommends", "--no-remove", *packages, *NEEDED)
        ran = self.get("install", *arguments, watch=True)
        if ran.code != 0 and not refreshed:
            self.refresh()  # the lists were old: what they name is no longer there
            ran = self.get("install", *arguments, watch=True)
        if ran.code != 0:
            raise Failed("engine-install", "installing the container engine failed", ran.last_words(4), _HINT)

    def _has_candidate(self) -> bool:
        policy = self._host.run("apt-cache", "policy", ENGINE).out
        return "Candidate:" in policy and "Candidate: (none)" not in policy

    def refresh(self) -> str:
        """Fetch the lists; what apt complained about. Not an error by itself: one of several sources may be broken."""
        self._wire.progress("refreshing the package lists")
        return self.get("update").last_complaint(4)

    def get(self, action: str, *arguments: str, watch: bool = False) -> Ran:
        """Run apt-get. Somebody else's lock is waited for, by apt where it can, else by us."""
        options = ("-o", f"DPkg::Lock::Timeout={int(min(600, self._host.left()))}", "-o", "Dpkg::Use-Pty=0")
        command = ("apt-get", "-y", "-q", *options, action, *arguments)
        said = False
        while True:
            ran = self._watched(command) if watch else self._host.run(*command, seconds=900)
            if ran.code == 0 or not _locked(ran.err):
                return ran
            if not said:
                self._wire.progress("waiting for another package manager to finish")
                said = True
            self._host.left()
            time.sleep(1)

    def _watched(self, command: tuple[str, ...]) -> Ran:
        """Run it, and tell what it does, out of apt's own status lines.

        An operator who leaves does not stop it: half-installed packages are the one thing that must not be left.
        """
        status, writer = os.pipe()
        with subprocess.Popen(
            [*command, "-o", f"APT::Status-Fd={writer}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self._host.environment,
            pass_fds=(writer,),
        ) as process:
            os.close(writer)
            assert process.stderr is not None  # noqa: S101 (it was asked for)
            errors = b""
            pending = b""
            with selectors.DefaultSelector() as selector:
                selector.register(status, selectors.EVENT_READ)
                selector.register(process.stderr.fileno(), selectors.EVENT_READ)
                while selector.get_map():
                    try:
                        ready = selector.select(self._host.left())
                    except Failed:
                        process.terminate()
                        raise
                    for key, _ in ready:
                        data = os.read(key.fd, 65536)
                        if not data:
                            selector.unregister(key.fd)
                        elif key.fd == status:
                            *lines, pending = (pending + data).split(b"\n")
                            self._report(lines)
                        else:
                            errors = (errors + data)[-65536:]
            os.close(status)
            process.wait()
        return Ran(process.returncode, "", errors.decode(errors="replace"))

    def _report(self, lines: list[bytes]) -> None:
        """``dlstatus:1:12.5:Retrieving file 1 of 12``, ``pmstatus:docker.io:41.2:Unpacking docker.io (amd64)``."""
        for line in reversed(lines):
            parts = line.decode(errors="replace").split(":", 3)
            if len(parts) == 4 and parts[3].startswith(_WORTH_SAYING):
                if time.monotonic() - self._said_at >= _SAY_EVERY:
                    self._said_at = time.monotonic()
                    self._wire.progress(f"{parts[3]} ({parts[2].partition('.')[0]} %)")
                return


def _upstream(version: str) -> str:
    """``5:24.0.7-1~debian.12~bookworm`` and ``20.10.24+dfsg1-1+b3`` without what the packagers added."""
    without_epoch = version.rpartition(":")[2]
    released = without_epoch.rpartition("-")[0] or without_epoch
    return released.partition("+")[0]


def _locked(complaint: str) -> bool:
    return (
        "Could not get lock" in complaint
        or "is another process using it" in complaint
        or "Unable to acquire" in complaint
    )
