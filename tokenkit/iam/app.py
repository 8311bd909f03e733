"""IAM and STS as an ASGI application: POST / with a form, or GET / with a query."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from tokenkit.iam.actions import ACTIONS
from tokenkit.iam.api import SERVICES, load_api
from tokenkit.iam.authorisation import demand
from tokenkit.iam.call import Call
from tokenkit.iam.caller import identify
from tokenkit.iam.errors import AwsError, status_of
from tokenkit.iam.query import parse_form, read_parameters
from tokenkit.iam.signature import HttpRequest, Signature, read_signature
from tokenkit.iam.xml import error_response, response
from tokenkit.service import Service
from tokenkit.verifier import InvalidAuthenticationCode, StoreError, Throttled, VerifierError

MAX_BODY = 1 << 20  # a policy of 131,072 characters, each written as %XX, and room
_PATIENCE = 16 << 20
_log = logging.getLogger(__name__)


@dataclass
class _Asked:
    """What is known of a request, for the line that says why it was refused."""

    operation: str = "a request"
    caller: str = "somebody unknown"


class Iam:
    """Answers requests, one after the other or from threads."""

    def __init__(self, service: Service, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._service = service
        self._random_bytes = random_bytes
        self._state: dict[str, Any] = {}
        for name in SERVICES:  # now, not at the first request
            load_api(name)

    def answer(
        self, request: HttpRequest, source_ip: str = "127.0.0.1"
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and XML."""
        request_id = str(UUID(bytes=self._random_bytes(16), version=4))
        name = "iam"
        headers = {"x-amzn-requestid": request_id}
        asked = _Asked()
        try:
            try:
                signature = read_signature(request)
                name = signature.service
                body = self._answer(request, signature, request_id, source_ip, asked)
                return 200, headers, body
            except VerifierError as error:
                raise _as_aws_error(error) from error
        except AwsError as error:
            _log.info("%s by %s is refused: %s", asked.operation, asked.caller, error)
            api = load_api(name if name in SERVICES else "iam")
            if error.advice:
                headers["x-tokenkit-advice"] = quote(error.advice, safe=" '.,:;()/-_=+@*")
            return status_of(error.code, api), headers, error_response(api, error, request_id)

    def _answer(
        self,
        request: HttpRequest,
        signature: Signature,
        request_id: str,
        source_ip: str,
        asked: _Asked,
    ) -> str:
        if signature.service not in SERVICES:
            raise AwsError(
                "SignatureDoesNotMatch",
                f"Credential should be scoped to correct service: {' or '.join(SERVICES)}.",
            )
        api = load_api(signature.service)
        principal = identify(self._service, request, signature)
        asked.caller = principal.arn
        form = request.body
        if request.method == "GET":  # where a + is a +, as in what was signed
            form = request.query.replace("+", "%2B").encode("latin-1")
        fields = parse_form(form)
        name, version = fields.get("Action"), fields.get("Version")
        if name is None:
            raise AwsError("MissingAction", "The request names no Action.")
        asked.operation = f"{api.name}:{name}"
        operation = api.operations.get(name)
        if operation is None or version != api.version:
            raise AwsError(
                "InvalidAction", f"Could not find operation {name} for version {version}"
            )
        action = ACTIONS[api.name].get(name)
        if action is None:
            raise AwsError("InvalidAction", f"tokenkit does not have the operation {name}.")
        parameters = read_parameters(operation, fields)
        if refused := sorted(action.without & parameters.keys()):
            raise AwsError(
                "ValidationError",
                f"tokenkit does not have the parameter {refused[0]} of {name}: leave it out.",
            )
        more = {"aws:SourceIp": source_ip, "aws:SecureTransport": "false"}
        call = Call(self._service, principal, name, parameters, self._state, more)
        demand(self._service, principal, f"{api.name}:{name}", lambda: action.resource(call), more)
        return response(api, operation, action.run(call), request_id)


def _as_aws_error(error: VerifierError) -> AwsError:
    """What IAM would say of what the verifier refuses."""
    advice = str(error).removeprefix(error.message).strip()
    if isinstance(error, Throttled):
        # clients try again by themselves after "Throttling", with the same code
        wrong = InvalidAuthenticationCode("")
        why = f"Rate exceeded: a wrong code came before. {advice}"
        return AwsError("InvalidAuthenticationCode", wrong.message, why)
    if isinstance(error, StoreError):
        _log.error("%s", error)  # not for clients
        return AwsError("ServiceUnavailable", error.message)
    return AwsError(error.code or "ServiceFailure", error.message, advice)


def iam_app(service: Service) -> ASGIApp:
    """The application; the database is asked from threads."""
    iam = Iam(service)
    # asyncio's own way into a thread costs a third of Starlette's
    threads = ThreadPoolExecutor(service.verifier.concurrency, "tokenkit-iam")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            status, headers, text = _too_large()
        else:
            request = HttpRequest(
                scope["method"],
                scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
                scope["query_string"].decode("latin-1"),
                _joined(scope["headers"]),
                body,
            )
            status, headers, text = await asyncio.get_running_loop().run_in_executor(
                threads, iam.answer, request, (scope.get("client") or ("127.0.0.1",))[0]
            )
        payload = text.encode()
        fields = {"content-type": "text/xml", "content-length": str(len(payload)), **headers}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
            }
        )
        await send({"type": "http.response.body", "body": payload})

    return app


async def _read_body(receive: Receive) -> bytes | None:
    """None if it is over MAX_BODY: then some of the rest is read, for the client to listen."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        if size > _PATIENCE or not message.get("more_body", False):
            break
    return b"".join(parts) if size <= MAX_BODY else None


def _too_large() -> tuple[int, dict[str, str], str]:
    error = AwsError("RequestEntityTooLarge", f"A request has at most {MAX_BODY} bytes.")
    api = load_api("iam")
    return status_of(error.code, api), {"connection": "close"}, error_response(api, error, "0")


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name; those of one name are one, with commas between: RFC 9110 section 5.3."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
