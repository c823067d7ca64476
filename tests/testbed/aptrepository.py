"""A package repository like Docker's own, signed, on an address that hosts reach: with a real engine in it.

Its ``docker-ce`` is Debian's docker.io under that name. What it lists beside it is not there to be installed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SUITE = "bookworm"
VERSION = "5:24.0.7-1~debian.12~bookworm"  # the one that can be installed
LISTED = ("5:25.0.3-1~debian.12~bookworm", VERSION, "5:23.0.6-1~debian.12~bookworm")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pymachine" / "docker-ce"


class AptRepository:
    """Served until closed; ``url`` and ``fingerprint`` are what ``--engine-repository`` and ``…-key`` want."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory, self.url = directory, url
        self._home = directory / "keys"
        self._home.mkdir(mode=0o700)
        self._gpg("--quick-generate-key", "Test repository <test@example.org>", "ed25519", "sign", "1d")
        keys = self._gpg("--list-keys", "--with-colons").decode()
        self.fingerprint = re.findall(r"^fpr:+([0-9A-F]{40}):", keys, re.MULTILINE)[0]
        self.web = directory / "web"
        (self.web / "pool").mkdir(parents=True)
        (self.web / "gpg").write_bytes(self._gpg("--armor", "--export"))
        shutil.copy(engine_package(), self.web / "pool" / "docker-ce.deb")
        self.sign()

    def sign(self) -> None:
        """Write the lists anew, with a good signature."""
        lists = self.web / "dists" / SUITE
        architecture = _output("dpkg", "--print-architecture").strip()
        packages = lists / "stable" / f"binary-{architecture}" / "Packages"
        packages.parent.mkdir(parents=True, exist_ok=True)
        packages.write_text("\n".join(self._stanza(version) for version in LISTED))
        data = packages.read_bytes()
        release = (
            f"Origin: Test\nSuite: {SUITE}\nCodename: {SUITE}\nComponents: stable\nArchitectures: {architecture}\n"
            f"Date: {formatdate(usegmt=True).replace('GMT', 'UTC')}\nSHA256:\n"
            f" {hashlib.sha256(data).hexdigest()} {len(data)} {packages.relative_to(lists)}\n"
        )
        (lists / "InRelease").write_bytes(self._gpg("--clearsign", input=release.encode()))

    def tamper(self) -> None:
        """Change what is signed, and not the signature."""
        signed = self.web / "dists" / SUITE / "InRelease"
        signed.write_text(signed.read_text().replace("Origin: Test", "Origin: Evil"))

    def close(self) -> None:
        """End the key's agent."""
        subprocess.run(["gpgconf", "--homedir", self._home, "--kill", "all"], check=False, capture_output=True)

    def _stanza(self, version: str) -> str:
        deb = self.web / "pool" / "docker-ce.deb"
        control = _output("dpkg-deb", "-f", str(deb))
        control = re.sub(r"^Version: .*$", f"Version: {version}", control, flags=re.MULTILINE)
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        return f"{control.strip()}\nFilename: pool/docker-ce.deb\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"

    def _gpg(self, *arguments: str, input: bytes | None = None) -> bytes:
        command = ["gpg", "--homedir", str(self._home), "--batch", "--quiet", "--passphrase", "", *arguments]
        return subprocess.run(command, input=input, check=True, capture_output=True).stdout


@contextlib.contextmanager
def apt_repository(address: str) -> Iterator[AptRepository]:
    """A repository on this address for the time of a test."""
    directory = Path(tempfile.mkdtemp(prefix="apt-"))  # a short path: gpg has sockets below it
    handler = functools.partial(_Quiet, directory=str(directory / "web"))
    server = ThreadingHTTPServer((address, 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    repository = None
    try:
        repository = AptRepository(directory, f"http://{address}:{server.server_address[1]}")
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        if repository is not None:
            repository.close()
        shutil.rmtree(directory, ignore_errors=True)


def engine_package() -> Path:
    """``docker-ce`` as a file: Debian's docker.io under another name and version, made once."""
    target = _CACHE / f"{hashlib.sha256(VERSION.encode()).hexdigest()[:8]}.deb"
    if not target.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as place:
            work = Path(place)
            download = "apt-get download docker.io || { apt-get update -qq && apt-get download docker.io; }"
            subprocess.run(download, shell=True, cwd=work, check=True, capture_output=True)
            subprocess.run(["dpkg-deb", "-R", *work.glob("docker.io_*.deb"), work / "tree"], check=True)
            control = work / "tree" / "DEBIAN" / "control"
            text = control.read_text().replace("Package: docker.io\n", "Package: docker-ce\n")
            control.write_text(re.sub(r"^Version: .*$", f"Version: {VERSION}", text, flags=re.MULTILINE))
            subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "-b", work / "tree", work / "new"], check=True, stdout=-3)
            (work / "new").rename(target)
    return target


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
