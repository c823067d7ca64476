"""Packages of the distribution. apt is the one package manager so far; another one is another class beside `Apt`."""

from __future__ import annotations

import os
import selectors
import subprocess
import time

from machine.agent.errors import Failed
from machine.agent.host import Host, Ran
from machine.agent.wire import Wire

_HINT = (
    "give the host a way to its package repositories (environment: http_proxy, https_proxy), or install a container "
    "engine on it yourself; then run the command again"
)

_WORTH_SAYING = ("Retrieving", "Unpacking", "Configuring")
_SAY_EVERY = 0.25  # seconds: what matters is that it moves


def install_engine(host: Host, wire: Wire) -> str:
    """Install the engine from the distribution's own packages; the package's name.

    Raises:
        Failed: ``engine-install``, with what the package manager said.
    """
    manager = _manager(host, wire)
    await_cloud_init(host, wire)
    return manager.install_engine()


def await_cloud_init(host: Host, wire: Wire) -> None:
    """Let the first boot finish: it may be installing packages itself."""
    if not os.path.isdir(host.path("/run/cloud-init")) or not host.has("cloud-init"):
        return
    wire.progress("waiting for cloud-init")
    ran = host.run("cloud-init", "status", "--wait", seconds=600)
    if ran.code not in (0, 2):  # 2: done, with recoverable errors
        wire.warn(f"cloud-init ended with an error: {ran.last_words()}")


def _manager(host: Host, wire: Wire) -> Apt:
    if host.has("apt-get"):
        return Apt(host, wire)
    raise Failed(
        "engine-install",
        "there is no container engine on the host, and none of its package managers is known",
        hint="install a container engine on the host yourself; known package managers: apt",
    )


class Apt:
    """Debian, Ubuntu, and what follows them."""

    _ENGINE = "docker.io"
    _NEEDED = ("docker.io", "iptables", "ca-certificates")

    def __init__(self, host: Host, wire: Wire) -> None:
        self._host, self._wire = host, wire
        self._said_at = 0.0

    def install_engine(self) -> str:
        """See `install_engine`."""
        if self._get("check").code != 0:
            # A run that was cut off left packages unpacked: dpkg itself says that this is the way on.
            self._host.run("dpkg", "--configure", "-a", seconds=600)
        refreshed = False
        complaint = ""
        if not self._has_candidate():
            refreshed = True
            complaint = self._refresh()
            if not self._has_candidate():
                what = "cannot be reached" if complaint else f"have no {self._ENGINE}"
                raise Failed(
                    "engine-install",
                    f"there is no container engine on the host, and its package sources {what}",
                    complaint,
                    _HINT,
                )
        ran = self._install()
        if ran.code != 0 and not refreshed:
            complaint = self._refresh()  # the lists were old: what they name is no longer there
            ran = self._install()
        if ran.code != 0:
            raise Failed("engine-install", "installing the container engine failed", ran.last_words(4), _HINT)
        return self._ENGINE

    def _has_candidate(self) -> bool:
        policy = self._host.run("apt-cache", "policy", self._ENGINE).out
        return "Candidate:" in policy and "Candidate: (none)" not in policy

    def _refresh(self) -> str:
        """Fetch the lists; what apt complained about. Not an error by itself: one of several sources may be broken."""
        self._wire.progress("refreshing the package lists")
        return self._get("update").last_complaint(4)

    def _install(self) -> Ran:
        return self._get("install", "--no-install-recommends", *self._NEEDED, watch=True)

    def _get(self, action: str, *arguments: str, watch: bool = False) -> Ran:
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


def _locked(complaint: str) -> bool:
    return (
        "Could not get lock" in complaint
        or "is another process using it" in complaint
        or "Unable to acquire" in complaint
    )
