"""The server: moto behind the truths, the faults and the list of calls."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import EC2Backend, ec2_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.testbed.aws import answers, policies, truths
from tests.testbed.aws.faults import Faults, Predicate, Reply, Rule, predicate
from tests.testbed.aws.protocol import AwsRequest, read
from tests.testbed.aws.world import WORLD, Timing

if TYPE_CHECKING:
    from tests.testbed.aws.hosts import Hosts

ACCOUNT = DEFAULT_ACCOUNT_ID
REGION = "eu-central-1"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that arrived, whatever became of it."""

    service: str
    action: str
    region: str
    params: Mapping[str, Any]
    time: float  # of its arrival, monotonic


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not of interest: ``AwsServer.calls`` has it."""


class AwsServer:
    """An EC2 (with SSM, STS, IAM, prices and quotas) on the loopback interface; a context manager.

    Args:
        port: where; 0: a free one.
        hosts: instances are real machines on this computer, which wants root.
    """

    def __init__(self, *, port: int = 0, hosts: bool = False) -> None:
        truths.install()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._faults = Faults()
        self._hosts = hosts
        self.calls: list[Call] = []
        self._server = make_server("127.0.0.1", port, self._application, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="aws", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> AwsServer:
        self.reset()
        if self._hosts:
            from tests.testbed.aws.hosts import Hosts

            WORLD.hosts = Hosts()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.reset()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.reset()
        if WORLD.hosts is not None:
            WORLD.hosts.close()
            WORLD.hosts = None

    def reset(self) -> None:
        """An empty account again: no resources, no rules, no calls, default timing; the hosts are gone."""
        with WORLD.lock:
            if WORLD.hosts is not None:
                WORLD.hosts.remove_all()
            WORLD.reset()
            policies.allow_all()
            moto_api_backend.reset()
            self._faults.reset()
            self.calls.clear()

    @property
    def hosts(self) -> Hosts:
        """The machines behind the instances."""
        assert WORLD.hosts is not None, "this server's instances are records"
        return WORLD.hosts

    @property
    def timing(self) -> Timing:
        """How long states last; to be changed in place."""
        return WORLD.timing

    def settle(self) -> None:
        """Let every state that only time ends be over now: pending instances run, shutting-down ones are terminated."""
        WORLD.settle()

    def fail(
        self, action: str, code: str | None = None, *, service: str | None = None, nth: int = 1,
        times: int | None = 1, after: bool = False, drop: bool = False, hang: float = 0.0,
        kill: int | Callable[[], int] | bool = False, when: Mapping[str, Any] | Predicate | None = None,
        message: str | None = None,
    ) -> Rule:  # fmt: skip
        """Let calls go wrong.

        Args:
            action: ``RunInstances``; ``*``: any.
            code: the error to answer with. A missing capacity is found by the launch, so that it binds the client
                token, and a launch that was made already is not touched by it.
            service: of which service; any when it is left out.
            nth: from which such call on, counted from now.
            times: how many; None: from then on all.
            after: only when the call has had its effect.
            drop: close the connection without a reply.
            hang: seconds to wait first; alone, the call then goes on, or (after) the connection closes.
            kill: end this process first (SIGKILL), then close the connection; True: the one that called.
            when: only calls with these parameters, or of which this is true.
            message: with the error.
        """
        rule = Rule(
            action=action, service=service, code=code, message=message, nth=nth, times=times, after=after,
            drop=drop, hang=hang, kill=kill, when=predicate(when),
        )  # fmt: skip
        if not (code or drop or hang or kill):
            raise ValueError("nothing would go wrong: give a code, drop, hang or kill")
        if kill == os.getpid():
            raise ValueError("that is this very process")
        self._faults.rules.append(rule)
        return rule

    def heal(self) -> None:
        """Let nothing go wrong any more; what there is stays."""
        self._faults.reset()

    def lag(self, descriptions: int) -> None:
        """Let each instance that is launched from now on be missing from its first descriptions."""
        WORLD.unseen = descriptions

    def quota(self, *, vcpus: int | None = None, spot_vcpus: int | None = None) -> None:
        """Limit the vCPUs of a region."""
        WORLD.vcpus, WORLD.spot_vcpus = vcpus, spot_vcpus

    def preempt(self, instance_id: str) -> None:
        """Let EC2 take a spot instance back."""
        truths.preempt(instance_id)

    def enforce(self, policy: Mapping[str, Any]) -> policies.Credentials:
        """A user with this policy, and from now on nobody may do what no policy of theirs allows."""
        return policies.enforce(policy)

    def backend(self, region: str = REGION) -> EC2Backend:
        """moto's own objects of a region."""
        return ec2_backends[ACCOUNT][region]

    def count(self, action: str) -> int:
        """How often an action was called."""
        return sum(1 for call in self.calls if call.action == action)

    def await_state(self, instance_id: str, state: str, *, region: str = REGION, within: float = 60.0) -> None:
        """Wait until an instance is in a state, without a call that would count."""
        deadline = time.monotonic() + within
        while True:
            with WORLD.lock:
                WORLD.advance()
                truths.notice()
                now = self.backend(region).get_instance(instance_id).state
            if now == state:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{instance_id} is {now}, not {state}, after {within:.0f} s")
            time.sleep(0.01)

    def _application(self, environ: MutableMapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = read(environ)
        if request.service:
            call = Call(
                service=request.service, action=request.action, region=request.region, params=request.params,
                time=time.monotonic(),
            )  # fmt: skip
            self.calls.append(call)
        status, headers, body = self._faults.answer(request, environ, lambda: self._act(request, environ))
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return body

    def _act(self, request: AwsRequest, environ: MutableMapping[str, Any]) -> Reply:
        with WORLD.lock:
            WORLD.advance()
            truths.notice()
            own = answers.answer(request)
            if own is not None:
                status, headers, body = own
                return status, headers | {"Content-Length": str(len(body))}, [body]
            said: list[Any] = []

            def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
                said[:] = [int(status.split()[0]), dict(headers)]

            body = b"".join(self._moto(environ, start))
            return said[0], said[1] | {"Content-Length": str(len(body))}, [body]
