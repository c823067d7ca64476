"""Docker's own packages, from its repository or a mirror of it: the key is known before anything is written.

The host's apt does the fetching, of the key too, so the host's own proxies and certificates hold for all of it. What
cannot be used leaves nothing behind.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile

from machine.agent.converge import openpgp
from machine.agent.converge.repositories import CLIENT, COMPONENT, DOCKER, KEY_NAME, KEYRING, PACKAGE, SOURCE
from machine.agent.errors import Failed
from machine.agent.facts import os_release
from machine.agent.host import Host
from machine.agent.text import printable
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machine.agent.converge.packages import Apt

_HELPER = "/usr/lib/apt/apt-helper"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_LISTS = "/var/lib/apt/lists"
_ANSWER_SECONDS = 5.0  # what an unreachable repository may cost
_LARGEST_KEY = 1 << 20


class Unsuited(Failed):
    """This repository cannot be used for this host, and nothing of it is there: another source may do."""


def install(host: Host, wire: Wire, apt: Apt, wanted: dict[str, Any]) -> str:
    """Install Docker's package; ``docker-ce``.

    Args:
        wanted: ``version``; ``repository`` with ``url`` and ``key`` for a mirror.

    Raises:
        Unsuited: it does not answer, its key is not the pinned one, apt refuses it, or it has no such version.
        Failed: ``engine-install``: the packages could not be installed.
    """
    mirror = wanted.get("repository")
    if not mirror and apt.versions(PACKAGE):
        apt.install(*_chosen(apt, wanted.get("version"), "the host's own package sources"))
        return PACKAGE
    release = os_release(host.root)
    url, fingerprint = (mirror["url"], mirror["key"]) if mirror else _official(release)
    suite = release.get("VERSION_CODENAME") or release.get("UBUNTU_CODENAME") or ""
    wire.progress(f"asking {url}")
    key = _fetched_key(host, url, fingerprint)
    if url.startswith("https:") and not os.path.exists(host.path(_CERTIFICATES)):
        apt.install("ca-certificates")  # apt cannot read from there without
    directory_made = not os.path.isdir(host.path(os.path.dirname(KEYRING)))
    try:
        host.write(host.path(KEYRING), key)
        host.write(host.path(SOURCE), _source(host, url, suite).encode())
        ran = apt.get("update", *_only(SOURCE))
        if ran.code != 0 or not apt.versions(PACKAGE):
            raise Unsuited(
                "engine-repository",
                f"apt does not take {url}",
                ran.last_words(3) or f"it has no {PACKAGE} for {release.get('PRETTY_NAME', 'this system')}",
                "look at the repository, or use the distribution's packages: --engine-source distribution",
            )
        chosen = _chosen(apt, wanted.get("version"), url)
        wire.progress(f"installing {chosen[0]} from {url}")
        apt.install(*chosen)
    except BaseException:
        _take_away(host, url, directory_made)
        raise
    return PACKAGE


def _official(release: dict[str, str]) -> tuple[str, str]:
    for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        if name in DOCKER:
            return DOCKER[name]
    raise Unsuited(
        "engine-repository",
        f"Docker has no packages for {release.get('PRETTY_NAME', 'this system')}",
        hint=f"known: {', '.join(DOCKER)}; or use the distribution's packages: --engine-source distribution",
    )


def _fetched_key(host: Host, url: str, fingerprint: str) -> bytes:
    """The repository's key, without armor; it is the pinned one."""
    directory = tempfile.mkdtemp(prefix="pymachine-")
    try:
        path = os.path.join(directory, KEY_NAME)
        _give_to_apt(directory)
        options = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=4", "-o", "Acquire::https::Timeout=4"]
        if not os.path.exists(host.path(_CERTIFICATES)):
            # A host without any CA: the fingerprint alone decides, as it does anyway.
            options += ["-o", "Acquire::https::Verify-Peer=false", "-o", "Acquire::https::Verify-Host=false"]
        command = (host.path(_HELPER), *options, "download-file", f"{url}/{KEY_NAME}", path)
        try:
            ran = host.run(*command, seconds=_ANSWER_SECONDS, merge=True)
            complaint = "" if ran.code == 0 else ran.last_words(2)
        except Failed as late:
            complaint = f"no answer within {_ANSWER_SECONDS:.0f} s" if host.left() else late.message
        data = (host.read(path) or b"")[:_LARGEST_KEY]
        if complaint or not data:
            raise Unsuited(
                "engine-repository",
                f"the package repository {url} does not answer",
                complaint,
                "give the host a way to it (http_proxy, https_proxy), or use the distribution's packages: "
                "--engine-source distribution",
            )
        try:
            key = openpgp.binary(data)
            found = openpgp.fingerprints(key)
        except openpgp.NotAKey as error:
            found, key = [str(error)], b""
        if found != [fingerprint]:
            raise Unsuited(
                "engine-key",
                f"the key of {url} is not the one that is pinned",
                printable(f"wanted {fingerprint}, found {', '.join(found)}"),
                "nothing was written; somebody may be between the host and the repository",
            )
        return key
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _give_to_apt(directory: str) -> None:
    """apt fetches as a user without rights, where it can."""
    try:
        os.chown(directory, pwd.getpwnam("_apt").pw_uid, -1)
    except (KeyError, PermissionError):
        pass


def _source(host: Host, url: str, suite: str) -> str:
    architecture = host.run("dpkg", "--print-architecture").out.strip()
    return (
        "# Written by pymachine; it stays with the engine that came from it.\n"
        f"Types: deb\nURIs: {url}\nSuites: {suite}\nComponents: {COMPONENT}\n"
        f"Architectures: {architecture}\nSigned-By: {KEYRING}\n"
    )


def _only(source: str) -> tuple[str, ...]:
    """So that apt fetches this source's lists and keeps all others as they are."""
    return (
        "-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0",
    )  # fmt: skip


def _chosen(apt: Apt, version: str | None, where: str) -> list[str]:
    """What to ask apt for: the package, and its client at the same version."""
    if version is None:
        return [PACKAGE]
    known = apt.versions(PACKAGE)
    exact = next((each for each in known if apt.is_version(each, version)), None)
    if exact is None:
        raise Unsuited(
            "engine-version",
            f"{where} has no {PACKAGE} {version}",
            f"it has {apt.titles(known)}",
            "choose one of them: --engine-version",
        )
    client = [f"{CLIENT}={exact}"] if exact in apt.versions(CLIENT) else []
    return [f"{PACKAGE}={exact}", *client]


def _take_away(host: Host, url: str, directory_made: bool) -> None:
    host.remove(host.path(SOURCE))
    host.remove(host.path(KEYRING))
    if directory_made:
        try:
            os.rmdir(host.path(os.path.dirname(KEYRING)))
        except OSError:
            pass  # somebody else's key came meanwhile
    prefix = url.partition("://")[2].strip("/").replace("_", "%5f").replace("/", "_") + "_dists_"
    for place in (_LISTS, f"{_LISTS}/partial"):
        directory = host.path(place)
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            if name.startswith(prefix):
                host.remove(os.path.join(directory, name))
