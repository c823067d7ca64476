"""What a request to AWS says, and an error as the service that was asked would put it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

_SCOPE = re.compile(r"Credential=([^/,]+)/[0-9]+/([^/]+)/([^/]+)/aws4_request")
REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, kw_only=True)
class AwsRequest:
    """A request, before anybody has acted on it."""

    service: str  # as in the signature: ec2, ssm, sts, pricing
    action: str  # RunInstances; for a service without actions the method and the path
    region: str
    access_key: str
    params: Mapping[str, Any]  # a query service's fields by their flat names (Filter.1.Name), else the JSON document


def read(environ: MutableMapping[str, Any]) -> AwsRequest:
    """Read a request; its body can be read again afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, service = scope.groups() if scope else ("", "us-east-1", "")
    params: dict[str, Any] = {}
    action = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        action = target.rpartition(".")[2]
        params = json.loads(body or b"{}")
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        params = dict(parse_qsl(body.decode(), keep_blank_values=True))
        action = params.pop("Action", action)
        params.pop("Version", None)
        service = service or "sts"  # what is not signed there: a role for a web identity
    return AwsRequest(service=service, action=action, region=region, access_key=access_key, params=params)


def failure(service: str, code: str, message: str, status: int = 400) -> tuple[int, dict[str, str], bytes]:
    """An error reply: status, headers and body, in the protocol of a service."""
    if service == "ec2":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
            f"<RequestID>{REQUEST_ID}</RequestID></Response>"
        )
        return status, {"Content-Type": "text/xml;charset=UTF-8"}, body.encode()
    if service in ("sts", "iam"):
        kind = "Sender" if status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
        return status, {"Content-Type": "text/xml"}, body.encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amzn-Errortype": code}
    return status, headers, json.dumps({"__type": code, "message": message}).encode()


def document(value: Any) -> tuple[int, dict[str, str], bytes]:
    """A reply of a JSON service."""
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(value).encode()
