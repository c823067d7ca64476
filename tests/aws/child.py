"""What a forked child does before its command: hosts are scripted, waits are short, and every call to AWS is a point.

Importing it, once, in a nursery, reads the models of AWS's services: children then share them.
"""

from __future__ import annotations

import functools
from typing import Any

import boto3
import botocore.loaders
from botocore.client import BaseClient

from tests.faults import points, scripted


def _once(owner: type, name: str) -> None:
    """Let every instance of a class share what a method answers: files that are read do not change."""
    original = getattr(owner, name)
    known: dict[Any, Any] = {}

    @functools.wraps(original)
    def shared(self: Any, *arguments: Any) -> Any:
        if arguments not in known:
            known[arguments] = original(self, *arguments)
        return known[arguments]

    setattr(owner, name, shared)


_once(botocore.loaders.JSONFileLoader, "load_file")
_once(botocore.loaders.Loader, "list_available_services")
_once(botocore.loaders.Loader, "list_api_versions")
for _service in ("ec2", "ssm", "sts"):  # a tenth of a second each
    boto3.Session(aws_access_key_id="nobody", aws_secret_access_key="nothing").client(_service, region_name="us-east-1")


def install() -> None:
    """A child whose every call to AWS is a point."""
    quick()
    original = BaseClient._make_api_call

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        name = f"{self.meta.service_model.service_name}.{operation_name}"
        points._points.passed(name, "before")
        answer = original(self, operation_name, api_params)
        points._points.passed(name, "after")
        return answer

    BaseClient._make_api_call = call


def quick() -> None:
    """A child whose hosts are scripted, and that does not wait long: between tries, or for what may still be listed."""
    from botocore.retries.adaptive import ClientRateLimiter
    from botocore.retries.standard import ExponentialBackoff

    from machine.drivers.aws import insisting, removal

    scripted.install()
    assert removal._SETTLES > insisting._FIRST > 0
    removal._SETTLES, insisting._FIRST = 0.3, 0.01
    ExponentialBackoff.delay_amount = lambda self, context: 0.01
    ClientRateLimiter.on_sending_request = lambda self, request, **_: None


def watched_and_patient() -> None:
    """A child whose calls are points, and that waits as long as the real one for what may still be listed."""
    from machine.drivers.aws import removal

    seconds = removal._SETTLES
    install()
    removal._SETTLES = seconds


def no_host_answers() -> None:
    """A child that finds no endpoint answering, though the provider says that the machine runs."""
    from machine.errors import EndpointUnverified
    from machine.operations import observe

    quick()

    def silent(*_: Any, **__: Any) -> Any:
        raise EndpointUnverified("the endpoint does not answer", layer="port")

    observe.ask_health = silent


def tells_what_it_starts() -> None:
    """A child that writes down the arguments of every process that it starts, and of itself."""
    import os
    import sys

    install()
    log = os.open(os.path.join(os.environ["WORLD"], "argv"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
            os.write(log, f"{arguments!r}\n".encode())

    sys.addaudithook(heard)
