"""What an operator can say about an nspawn machine, and what each value may be."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from machine.driver import option

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_LEAST_MEMORY = 64 << 20  # a Debian system with sshd does not boot in less


def parse_memory(text: str) -> int:
    """``2g``, ``512MiB`` or plain bytes, as bytes."""
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory such as 512m or 2g")
    amount = int(float(match[1]) * _UNITS[match[2].lower()])
    if amount < _LEAST_MEMORY:
        raise ValueError(f"{text!r} is too little for a machine: at least 64m")
    return amount


def parse_cpus(text: str) -> float:
    """How many processors' worth of time: ``1.5``."""
    try:
        cpus = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of processors such as 1.5") from None
    if not 0.05 <= cpus <= 4096:  # written this way round so that nan is refused
        raise ValueError(f"{text!r} is not a number of processors: at least 0.05")
    return cpus


def parse_subnet(text: str) -> str:
    """A private IPv4 network with room for machines: ``10.20.30.0/24``."""
    try:
        network = ipaddress.IPv4Network(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is not an IPv4 network such as 10.20.30.0/24 ({error})") from None
    if not 16 <= network.prefixlen <= 29:
        raise ValueError(f"{text!r} is too {'large' if network.prefixlen < 16 else 'small'}: between /16 and /29")
    if not network.is_private:
        raise ValueError(f"{text!r} is not a private network")
    return str(network)


def parse_suite(text: str) -> str:
    """A Debian code name: it becomes part of a URL and of a command line."""
    if not re.fullmatch(r"[a-z][a-z0-9.-]*", text):
        raise ValueError(f"{text!r} is not a Debian suite such as bookworm")
    return text


def parse_mirror(text: str) -> str:
    """The address of a Debian mirror."""
    if not re.fullmatch(r"(https?|file)://[^\s#]+", text):
        raise ValueError(f"{text!r} is not the address of a Debian mirror such as http://ftp.debian.org/debian")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The driver's options; no default needs a value of this computer, so that help says the same everywhere."""

    rootfs: str | None = option(
        help="Root file system to use instead of the built one: a directory (used read only) or a tarball",
        env=("NSPAWN_ROOTFS",),
        metavar="PATH",
    )
    cpus: float | None = option(
        help="Processor time the machine may use, in processors (default: no limit)",
        env=("NSPAWN_CPUS",),
        metavar="NUMBER",
        parse=parse_cpus,
    )
    memory: int | None = option(
        help="Memory the machine may use, such as 512m or 2g (default: no limit)",
        env=("NSPAWN_MEMORY",),
        metavar="SIZE",
        parse=parse_memory,
    )
    suite: str | None = option(
        help="Debian suite of the built root file system (default: this computer's, else bookworm)",
        env=("NSPAWN_SUITE",),
        parse=parse_suite,
    )
    mirror: str | None = option(
        help="Debian mirror to build from (default: this computer's package sources)",
        env=("NSPAWN_MIRROR",),
        metavar="URL",
        parse=parse_mirror,
    )
    subnet: str | None = option(
        help="IPv4 network of the machines of this computer (default: a free /24)",
        env=("NSPAWN_SUBNET",),
        metavar="NETWORK",
        parse=parse_subnet,
    )
