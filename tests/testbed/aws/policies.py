"""Whether policies count, and a user who has one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.models import iam_backends


@dataclass(frozen=True)
class Credentials:
    """An access key."""

    access_key_id: str
    secret_access_key: str


def allow_all() -> None:
    """Anybody may do anything, with any credentials."""
    settings.INITIAL_NO_AUTH_ACTION_COUNT = math.inf
    ActionAuthenticatorMixin.request_count = 0


def enforce(policy: Mapping[str, Any]) -> Credentials:
    """Only what a policy allows is allowed, to users only; the first is made, with this one."""
    backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    user = backend.create_user("us-east-1", f"user-{len(backend.users)}")
    backend.put_user_policy(user.name, "only", json.dumps(policy))
    key = backend.create_access_key(user.name)
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return Credentials(key.access_key_id, key.secret_access_key)
