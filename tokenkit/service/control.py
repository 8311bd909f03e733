"""The local HTTP API by which a program moves a service's clock and handles its virtual tokens.

JSON over HTTP/1.1; each request carries ``Authorization: Bearer TOKEN``, which is in the control
file. GET /control/openapi.json describes it. An error is {"error": MESSAGE} with status 4xx, or
503 where the database fails.
"""

import hmac
import logging
import threading
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec.structs import fields
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from tokenkit.errors import TokenkitError
from tokenkit.service.control_orders import Refusal
from tokenkit.service.control_routes import ROUTES, JsonLines, Route
from tokenkit.service.limits import limit_body
from tokenkit.service.openapi import openapi
from tokenkit.service.service import Service
from tokenkit.verifier import (
    InvalidInput,
    NoSuchEntity,
    PasswordPolicyViolation,
    StoreError,
    ValidationError,
)
from tokenkit.virtual import EmptyBatteryError

MAX_BODY = 1 << 20
_log = logging.getLogger(__name__)
_BAD = (ValidationError, InvalidInput, PasswordPolicyViolation)


def control_app(service: Service, token: str) -> ASGIApp:
    """The API for whoever has ``token``."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    hand = threading.Lock()  # there is one, for tokens and clock
    paths = [_path(path, methods, service, hand) for path, methods in by_path.items()]
    refusals: dict[Any, Any] = {HTTPException: _refused}
    app = Starlette(routes=[Path("/openapi.json", _describe), *paths], exception_handlers=refusals)
    return _guarded(limit_body(app, MAX_BODY), token)


def _guarded(app: ASGIApp, token: str) -> ASGIApp:
    expected = f"Bearer {token}".encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, expected):
            await app(scope, receive, send)
            return
        what = "is wrong: another may have its port by now" if given else "is missing"
        answer = _refusal(HTTPStatus.UNAUTHORIZED, f"the token of the control file {what}")
        answer.headers["WWW-Authenticate"] = "Bearer"
        await answer(scope, receive, send)

    return guarded


def _path(path: str, methods: dict[str, Route], service: Service, hand: threading.Lock) -> Path:
    def answer(route: Route, order: Any) -> Any:
        with hand:
            return route.run(service, order)

    async def endpoint(request: Request) -> Response:
        route = methods["GET" if request.method == "HEAD" else request.method]
        try:
            order = _order(route, request, await request.body())
            value = await run_in_threadpool(answer, route, order)
        except EmptyBatteryError as error:
            return _refusal(HTTPStatus.CONFLICT, str(error))
        except msgspec.MsgspecError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"{error}{_known(route)}")
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        except StoreError as error:
            _log.error("%s", error)  # not for clients
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, error.message)
        except TokenkitError as error:
            return _refusal(_status(error), str(error))
        if route.gives is JsonLines:
            return StreamingResponse(value, media_type="application/jsonl")
        return _json(route.status, value)

    return Path(path, endpoint, methods=list(methods))


def _order(route: Route, request: Request, body: bytes) -> Any:
    """What the request says; msgspec's errors, ValueError."""
    query = request.query_params.multi_items()
    if route.method == "POST" or route.takes is None:
        if query:
            raise ValueError(f"there is no parameter {query[0][0]!r}")
        return None if route.takes is None else msgspec.json.decode(body, type=route.takes)
    if len(dict(query)) < len(query):
        raise ValueError("a parameter is there twice")
    return msgspec.convert(dict(query), type=route.takes)


def _known(route: Route) -> str:
    names = [] if route.takes is None else [each.name for each in fields(route.takes)]
    return f"; what may be said: {', '.join(names)}" if names else ""


def _status(error: TokenkitError) -> HTTPStatus:
    if isinstance(error, NoSuchEntity):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, _BAD):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.CONFLICT


async def _describe(request: Request) -> Response:
    return _json(HTTPStatus.OK, openapi(ROUTES, request.scope["root_path"] or "/"))


async def _refused(request: Request, error: HTTPException) -> Response:
    """What Starlette refuses: an unknown path, a wrong method, too large a body."""
    message = {
        HTTPStatus.NOT_FOUND: f"there is no {request.method} {request.url.path}",
        HTTPStatus.METHOD_NOT_ALLOWED: f"there is no {request.method} {request.url.path}",
    }.get(HTTPStatus(error.status_code), error.detail.strip())
    answer = _refusal(HTTPStatus(error.status_code), message)
    answer.headers.update(error.headers or {})
    return answer


def _refusal(status: HTTPStatus, message: str) -> Response:
    return _json(status, Refusal(message))


def _json(status: HTTPStatus, value: Any) -> Response:
    body = msgspec.json.encode(value) + b"\n"
    return Response(body, status, media_type="application/json")
