"""Whose account is asked, with which credentials, by which clients: each made once and shared by all threads.

Credentials are what boto3 finds (environment, profiles, SSO, roles, the instance's own), found anew by every process;
explicit keys only where the operator gave them to pymachine. A session costs 0.4 s and 30 MB: there is one per account.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError

from machine.drivers.aws.errors import mapped
from machine.drivers.aws.options import DEFAULT_REGION, AwsOptions
from machine.errors import DriverError

# Reads are repeated, and slowed down when EC2 says so. What has an effect is repeated by us, who know if it may be.
_READS = Config(retries={"mode": "adaptive", "total_max_attempts": 8}, connect_timeout=10, read_timeout=60)
_EFFECTS = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=10, read_timeout=60)
QUICK = 2.0  # seconds, for what is nice to know
_QUICK = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=QUICK, read_timeout=QUICK)
_KEYS = ("access_key", "secret_key", "session_token")
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_ENDPOINT = "AWS_ENDPOINT_URL"
_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials say we are."""

    account: str  # twelve digits
    arn: str


class Account:
    """One account in one region.

    Args:
        settings: profile, region, role_arn, endpoint_url, as recorded; no secret.
        keys: access key, secret and token, where they were given to pymachine; empty: as boto3 finds them.
    """

    def __init__(self, settings: Mapping[str, Any], keys: tuple[str | None, ...] = ()) -> None:
        self.settings = dict(settings)
        self.profile: str | None = settings.get("profile")
        self.region: str = settings.get("region") or DEFAULT_REGION
        self.role: str | None = settings.get("role_arn")
        self.endpoint: str | None = settings.get("endpoint_url")
        self._keys = keys
        self._clients: dict[tuple[str, Config], Any] = {}
        self._lock = threading.Lock()
        self._identity: Identity | None = None

    def reads(self, service: str = "ec2") -> Any:
        """A client for calls without effect."""
        return self._client(service, _READS)

    def effects(self, service: str = "ec2") -> Any:
        """A client for calls that have one: it repeats nothing."""
        return self._client(service, _EFFECTS)

    def quick(self, service: str = "ec2") -> Any:
        """A client for what is nice to know: it asks once, and waits two seconds for each part of an answer."""
        return self._client(service, _QUICK)

    def identity(self, *, pre_check: bool = True) -> Identity:
        """Who we are, asked once.

        Raises:
            PreCheckFailed, DriverError: there are no credentials, or they are not accepted.
        """
        if self._identity is None:
            with self.errors("say whose credentials these are", pre_check=pre_check):
                said = self.reads("sts").get_caller_identity()
            self._identity = Identity(account=said["Account"], arn=said["Arn"])
        return self._identity

    def verify(self, expected: str) -> None:
        """Before something is called gone: make sure that it was asked for where it is.

        Args:
            expected: the number of the account that it is in; empty: not known.

        Raises:
            DriverError: these credentials are another account's.
        """
        if not expected:
            return
        found = self.identity(pre_check=False).account
        if found != expected:
            raise DriverError(
                f"these credentials are for the AWS account {found}, the machine is in {expected}",
                hint="use that account's: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )

    def errors(self, doing: str, *, pre_check: bool = False) -> Any:
        """`mapped`, with hints for these credentials; whatever asks for a client or calls one is inside it."""
        return mapped(doing, pre_check=pre_check, profile=self.profile, region=self.region)

    def access_key_id(self) -> str:
        """Which key is used; one that a role was given for an hour has another every time.

        Raises:
            PreCheckFailed: there is none.
        """
        with self.errors(f"assume the role {self.role}" if self.role else "find credentials", pre_check=True):
            found = self._session().get_credentials()
            if found is None:
                raise NoCredentialsError
            return str(found.access_key)  # of SSO or a role it is fetched now

    def credentials_from(self) -> str:
        """How the credentials were found, by botocore's word for it: ``env``, ``sso``, ``iam-role``, …"""
        with self.errors("find credentials", pre_check=True):
            found = self._session().get_credentials()
        return "explicit" if self._keys else str(getattr(found, "method", ""))

    def _client(self, service: str, config: Config) -> Any:
        with self._lock:
            client = self._clients.get((service, config))
            if client is None:
                client = self._session().client(
                    service,
                    region_name="us-east-1" if service == "pricing" else self.region,
                    endpoint_url=self.endpoint,
                    config=config,
                )
                self._clients[service, config] = client
            return client

    @functools.cached_property
    def _session_made(self) -> boto3.Session:
        core = botocore.session.Session(profile=self.profile)
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        if self._keys:
            core.set_credentials(*self._keys)
        session = boto3.Session(botocore_session=core, region_name=self.region)
        return session if self.role is None else self._as_role(session)

    def _session(self) -> boto3.Session:
        with _making:
            return self._session_made

    def _as_role(self, source: boto3.Session) -> boto3.Session:
        def client(service: str, **arguments: Any) -> Any:
            return source.client(service, region_name=self.region, endpoint_url=self.endpoint)

        fetcher = AssumeRoleCredentialFetcher(
            client_creator=client,
            source_credentials=source.get_credentials(),
            role_arn=self.role,
            extra_args={"RoleSessionName": "pymachine"},
        )
        core = botocore.session.Session()
        core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
        core._credentials = DeferredRefreshableCredentials(  # botocore has no public way in; its own CLI does the same
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        return boto3.Session(botocore_session=core, region_name=self.region)


@functools.cache
def _loader(data_path: str | None) -> Any:
    """The models of the services, read once for all accounts: EC2's are 4 MB of text and a seventh of a second."""
    return botocore.loaders.create_loader(data_path)


@functools.cache
def _shared(settings: tuple[tuple[str, Any], ...], keys: tuple[str | None, ...]) -> Account:
    return Account(dict(settings), keys)


def account(
    settings: Mapping[str, Any], secrets: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> Account:
    """The account that is recorded, the same object for the same one.

    Args:
        secrets: the driver's secret options; those of the environment are left to boto3, which knows when a profile
            goes before them.
    """
    keys = tuple(secrets.get(name) for name in _KEYS)
    found = tuple(environ.get(name) or None for name in _VARIABLES)
    known = {key: value for key, value in settings.items() if key != "id"}  # the number of it, which opens nothing
    if known.pop("endpoint_from", "") == "environment" and environ.get(_ENDPOINT):
        known["endpoint_url"] = environ[_ENDPOINT]
    return _shared(tuple(sorted(known.items())), () if keys == found or not any(keys) else keys)


def settings_of(options: AwsOptions, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What is recorded of the account that options mean; its number and its region's default come from the check."""
    profile = options.profile
    if environ.get("AWS_ACCESS_KEY_ID") and profile == environ.get("AWS_PROFILE"):
        profile = None  # boto3 uses the keys then, and the profile for nothing that matters here
    settings: dict[str, Any] = {"region": options.region or _configured_region(profile)}
    if profile:
        settings["profile"] = profile
    if options.role_arn:
        settings["role_arn"] = options.role_arn
    if options.endpoint_url:
        settings["endpoint_url"] = options.endpoint_url
        if options.endpoint_url == environ.get(_ENDPOINT):
            settings["endpoint_from"] = "environment"
    return settings


def _configured_region(profile: str | None) -> str:
    with mapped("read the configuration", pre_check=True):
        found = botocore.session.Session(profile=profile).get_config_variable("region")
    return str(found) if found else DEFAULT_REGION
