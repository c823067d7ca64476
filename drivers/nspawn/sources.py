"""The operator's own package sources, as far as they are Debian's: a base is built and a machine updated from them.

Only Debian itself is taken over. Other vendors' repositories are the operator's business, often need credentials, and
would put foreign packages into what is called a clean Debian. Credentials in addresses are used for the build, which
happens on the operator's side, and never reach a machine.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from machine.drivers.nspawn.commands import environment

DEFAULT_MIRROR = "http://ftp.debian.org/debian"
DEFAULT_SUITE = "bookworm"
ARCHIVE_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_COMPONENTS = {"main", "contrib", "non-free", "non-free-firmware"}
_POCKETS = ("", "-updates", "-security")
# What of apt's configuration decides whether packages can be fetched at all; the rest is the operator's taste.
_FETCHING = re.compile(r"Acquire::(?:(?:http|https|ftp)::|Retries|Check-|ForceIPv[46]|AllowInsecure)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One package source: a deb822 stanza or one line."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""  # a keyring's path; empty: apt's trusted ones

    def text(self) -> str:
        """As a deb822 stanza."""
        lines = [
            "Types: deb",
            f"URIs: {' '.join(self.uris)}",
            f"Suites: {' '.join(self.suites)}",
            f"Components: {' '.join(self.components)}",
        ]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"

    def without_credentials(self) -> Source:
        """The same source as a machine may know it."""
        return replace(self, uris=tuple(without_credentials(uri) for uri in self.uris))


def without_credentials(uri: str) -> str:
    """An address without user and password."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def render(sources: Iterable[Source]) -> str:
    """A ``.sources`` file."""
    return "\n".join(source.text() for source in sources)


def parse_deb822(text: str) -> list[Source]:
    """The enabled binary sources of a ``.sources`` file; an inline key is not understood and its stanza left out."""
    found = []
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        signed_by = fields.get("signed-by", "").strip()
        if signed_by and not signed_by.startswith("/"):
            continue
        found.append(
            Source(
                uris=tuple(fields.get("uris", "").split()),
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=signed_by,
            )
        )
    return [source for source in found if source.uris and source.suites]


def parse_one_line(text: str) -> list[Source]:
    """The binary sources of a ``sources.list``."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", line)
        if match is None:
            continue
        options = dict(part.split("=", 1) for part in (match[1] or "").split() if "=" in part)
        found.append(
            Source(
                uris=(match[2],),
                suites=(match[3],),
                components=tuple(match[4].split()),
                signed_by=options.get("signed-by", ""),
            )
        )
    return found


def is_debian(source: Source, codename: str) -> bool:
    """Whether a source is Debian's own archive, or a mirror of it, for this code name.

    Others use the same suite and component names, some even a path that ends in ``/debian``; what tells them apart
    then is that they name a key of their own.
    """
    if not set(source.suites) & {codename + pocket for pocket in _POCKETS}:
        return False
    if not source.components or not set(source.components) <= _COMPONENTS:
        return False
    if source.signed_by:
        return Path(source.signed_by).name.startswith("debian-archive-")
    return all(urlsplit(uri).path.rstrip("/").endswith(("/debian", "/debian-security")) for uri in source.uris)


def operator_sources(apt: Path = Path("/etc/apt")) -> list[Source]:
    """All package sources of this computer."""
    found: list[Source] = []
    parts = apt / "sources.list.d"
    entries = sorted(parts.iterdir()) if parts.is_dir() else []
    for path in [apt / "sources.list", *entries]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            found += parse_one_line(text)
        elif path.suffix == ".sources":
            found += parse_deb822(text)
    return found


def choose(suite: str, mirror: str | None, mine: Iterable[Source], codename: str | None) -> list[Source]:
    """Where a suite comes from: the mirror that was asked for, else the operator's sources, else Debian's own.

    Args:
        suite: the code name that is wanted.
        mirror: what the operator gave, if anything.
        mine: the operator's sources.
        codename: of the operator's own Debian, if it is one.
    """
    if mirror is not None:
        return [Source(uris=(mirror,), suites=(suite,), components=("main",), signed_by=ARCHIVE_KEYRING)]
    mine = [source for source in mine if source.uris[0].split(":")[0] in ("http", "https", "file")]
    chosen = [_only(source, suite) for source in mine if is_debian(source, suite)]
    if any(suite in source.suites for source in chosen):
        return chosen
    # The operator runs another suite: the same mirrors most likely have this one too.
    if codename is not None:
        moved = [_moved(_only(source, codename), codename, suite) for source in mine if is_debian(source, codename)]
        if any(suite in source.suites for source in moved):
            return moved
    security = DEFAULT_MIRROR + "-security"
    return [
        Source(
            uris=(DEFAULT_MIRROR,),
            suites=(suite, f"{suite}-updates"),
            components=("main",),
            signed_by=ARCHIVE_KEYRING,
        ),
        Source(uris=(security,), suites=(f"{suite}-security",), components=("main",), signed_by=ARCHIVE_KEYRING),
    ]


def _only(source: Source, codename: str) -> Source:
    wanted = {codename + pocket for pocket in _POCKETS}
    return replace(source, suites=tuple(suite for suite in source.suites if suite in wanted))


def _moved(source: Source, old: str, new: str) -> Source:
    return replace(
        source,
        suites=tuple(new + suite[len(old) :] for suite in source.suites),
        signed_by=ARCHIVE_KEYRING if source.signed_by else "",
    )


def own_codename(os_release: Path = Path("/etc/os-release")) -> str | None:
    """The code name of this computer's Debian; None: it is no Debian release."""
    try:
        text = os_release.read_text(encoding="utf-8")
    except OSError:
        return None
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if values.get("ID", "").strip("\"'") != "debian":
        return None
    return values.get("VERSION_CODENAME", "").strip("\"'") or None


def fetch_settings(dump: str) -> list[str]:
    """The lines of ``apt-config dump`` that decide how packages are fetched: proxies, retries, leniencies."""
    return [line for line in dump.splitlines() if _FETCHING.match(line) and not line.endswith(' "";')]


def operator_fetch_settings() -> list[str]:
    """How this computer's apt fetches packages; nothing when it has no apt."""
    try:
        done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, env=environment(), check=False)
    except OSError:
        return []
    return fetch_settings(done.stdout)


def settings_for_machine(settings: Iterable[str]) -> str:
    """The same settings as a machine may have them: no credentials, no scripts or files of the operator's.

    A proxy at a loopback address is the operator's own and cannot be reached from a machine.
    """
    kept = []
    for line in settings:
        if re.search(r"(?i)proxy-auto-detect|ProxyAutoDetect|::(CaInfo|SslCert|SslKey|CaPath|CrlFile)\b", line):
            continue
        line = re.sub(r"//[^/\s\"@]*@", "//", line)
        if re.search(r"//(localhost|127\.|\[::1\])", line):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n" if kept else ""


def keyrings(sources: Iterable[Source]) -> Mapping[str, Path]:
    """The keyrings that these sources name and that this computer has, by their path in a machine."""
    return {source.signed_by: Path(source.signed_by) for source in sources if Path(source.signed_by).is_file()}
