"""Whom a driver asks about a machine, and with which secrets: kept ones, else the environment's.

Credentials that the operator asked to be kept lie in ``machines/NAME/credentials.json``, a file that only its owner can
read; nowhere else. When ``rm -f`` leaves something at the provider, they stay for ``gc`` in ``orphans/TOKEN.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.driver import AccountDriver, Driver, declared_options
from machine.model import Machine
from machine.operations.log import hide
from machine.store.files import Files
from machine.store.orphans import Orphan
from machine.store.store import Store

CREDENTIALS = "credentials.json"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a provider, and what opens it."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)  # the secrets that were kept for it

    @property
    def key(self) -> str:
        """The same for the same account with the same secrets. Never stored or shown."""
        return json.dumps([dict(self.settings), dict(self.kept)], sort_keys=True)


def account_of(store: Store, machine: Machine) -> Account:
    """The account that a machine is in."""
    return Account(machine.account, kept_credentials(store.files(machine.name)))


def account_of_orphan(store: Store, orphan: Orphan) -> Account:
    """The account that something is in that was left behind."""
    return Account(orphan.account, _read(store.left, f"{orphan.token}.json"))


def sign_in(driver: Driver, account: Account, environ: Mapping[str, str] = os.environ) -> Driver:
    """Let a driver work for an account; one that knows of no accounts is as it was."""
    if isinstance(driver, AccountDriver):
        secrets = secrets_of(driver, account.kept, environ)
        for value in secrets.values():
            hide(value)
        driver.sign_in(account.settings, secrets)
    return driver


def secrets_of(
    driver: Driver, kept: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """A driver's secret options: all from what was kept, else from the environment; never some of each."""
    secret = [item for item in declared_options(driver) if item.info.secret]
    if kept:
        return {item.name: kept[item.name] for item in secret if item.name in kept}
    found = {item.name: next((environ[name] for name in item.info.env if environ.get(name)), "") for item in secret}
    return {name: value for name, value in found.items() if value}


def kept_credentials(files: Files) -> dict[str, str]:
    """The secrets that are kept for a machine."""
    return _read(files, CREDENTIALS)


def keep_credentials(files: Files, secrets: Mapping[str, str]) -> None:
    """Keep secrets for a machine; what was kept before is replaced."""
    files.write(CREDENTIALS, json.dumps(dict(secrets)).encode())


def leave_credentials(store: Store, machine: Machine, token: str) -> None:
    """A machine goes and leaves something at its provider: what it takes to remove that stays."""
    content = store.files(machine.name).read(CREDENTIALS)
    if content is not None:
        store.left.write(f"{token}.json", content)


def _read(files: Files, name: str) -> dict[str, str]:
    content = files.read(name)
    return json.loads(content) if content else {}
