"""Driver ``none``: an endpoint by its URL. There is no host to reach, only what answers at the URL, if anything does.

Without certificates it is a name for an address and nobody asks it for anything; with them, ``ls`` asks the engine.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from machine.driver import Capabilities, GivenEndpoint, HostIdentity, Recorder, option
from machine.drivers.given import Given
from machine.errors import PreCheckFailed, UsageError
from machine.model import Access, Instance, Spec

# Docker's own two ports, chosen as its client does: https://docs.docker.com/reference/cli/dockerd/
_TLS_PORT, _PLAIN_PORT = 2376, 2375
_CERTIFICATES = ("ca_cert", "client_cert", "client_key")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9._-]{1,253}(?<!-)\Z")


def _url(text: str) -> str:
    """``tcp://HOST[:PORT]`` in its plainest form; whether it is the right port, nobody can know."""
    parts = urllib.parse.urlsplit(text.strip())
    if parts.scheme != "tcp":
        raise ValueError(f"{text!r} is not an endpoint such as tcp://192.0.2.7:2376")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not an endpoint: {error}") from None
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r} is more than a host and a port, as in tcp://192.0.2.7:2376")
    if host is None or not (_is_ipv6(host) if "[" in parts.netloc else _HOST_NAME.match(host)) or port == 0:
        raise ValueError(f"{text!r} has no host and port that can be connected to; IPv6 is written tcp://[::1]:2376")
    shown = f"[{host}]" if ":" in host else host
    return f"tcp://{shown}" if port is None else f"tcp://{shown}:{port}"


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _file(text: str) -> str:
    """Absolute: the same file also when a create goes on from another directory."""
    return os.path.abspath(os.path.expanduser(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneOptions:
    """Where the endpoint is, and what it wants to be shown."""

    url: str = option(
        help="The endpoint, as tcp://HOST:PORT. [default port: 2376 with certificates, 2375 without]",
        env=("NONE_URL",),
        required=True,
        metavar="URL",
        parse=_url,
        aliases=("--url",),
    )
    ca_cert: str | None = option(
        help="The certificate of the endpoint's authority. The three go together, or none of them.",
        env=("NONE_CA_CERT",),
        metavar="FILE",
        parse=_file,
    )
    client_cert: str | None = option(
        help="The client's certificate.", env=("NONE_CLIENT_CERT",), metavar="FILE", parse=_file
    )
    client_key: str | None = option(
        help="The client's private key, without a passphrase.", env=("NONE_CLIENT_KEY",), metavar="FILE", parse=_file
    )


class NoneDriver(Given):
    """Knows a URL."""

    name: ClassVar[str] = "none"
    summary: ClassVar[str] = "an endpoint by its URL, and no host"
    capabilities: ClassVar[Capabilities] = Capabilities(creates=False, observes=False, host=False, access=_CERTIFICATES)
    Options: ClassVar[type] = NoneOptions

    def check(self, spec: Spec, options: NoneOptions, identity: HostIdentity) -> dict[str, Any]:
        """Whether the certificates can be used; the endpoint itself need not be there."""
        return self._request(options)

    def _request(self, options: NoneOptions) -> dict[str, Any]:
        files = {name: getattr(options, name) for name in _CERTIFICATES}
        missing = [name for name, path in files.items() if path is None]
        if missing and len(missing) < len(files):
            raise UsageError(
                f"also needed: {', '.join('--none-' + name.replace('_', '-') for name in missing)}",
                hint="give all three certificates, or none",
            )
        if not missing:
            _require_usable(options)
        parts = urllib.parse.urlsplit(options.url)
        port = parts.port or (_PLAIN_PORT if missing else _TLS_PORT)
        return {"host": parts.hostname, "port": port, "certificates": None if missing else files}

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """The endpoint as it was given."""
        made = self._instance(request)
        record.resource("endpoint", made.id, **made.data)
        return made

    def access(self, instance: Instance, options: NoneOptions, changed: Sequence[str]) -> Instance:
        """The endpoint at the same address, with other certificates, or with some or none from now on."""
        return self._instance(self._request(options)) if changed else instance

    def _instance(self, request: Mapping[str, Any]) -> Instance:
        return Instance(
            driver=self.name,
            id=f"{request['host']}:{request['port']}",
            access=Access(host=request["host"], port=None, user=None, machine_key_installed=False),
            data={"port": request["port"], "certificates": request["certificates"]},
        )

    def endpoint(self, instance: Instance) -> GivenEndpoint:
        """What was given."""
        return GivenEndpoint(
            host=instance.access.host, port=instance.data["port"], **(instance.data["certificates"] or {})
        )

    def refusal(self, verb: str) -> str:
        """There is no provider."""
        return f"the driver none knows an endpoint and cannot {verb} what is behind it"


def _require_usable(options: NoneOptions) -> None:
    """Refuse certificates with which no connection could be made.

    Raises:
        PreCheckFailed: names the file.
    """
    try:
        for path in (options.ca_cert, options.client_cert, options.client_key):
            with open(path or "", "rb"):
                pass
    except OSError as error:
        raise PreCheckFailed(f"cannot read {error.filename}", cause=error.strerror) from error
    try:
        context = ssl.create_default_context(cafile=options.ca_cert)
    except (ssl.SSLError, ValueError) as error:
        raise PreCheckFailed(f"{options.ca_cert} is not a certificate", cause=str(error)) from error
    try:
        context.load_cert_chain(options.client_cert or "", options.client_key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise PreCheckFailed(
            f"{options.client_cert} and {options.client_key} are not a certificate and its key",
            cause=str(error),
            hint="PEM files, the key without a passphrase, that belong together",
        ) from error
