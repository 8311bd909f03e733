"""The console as an ASGI application, to be mounted at a path of its own."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenkit.service import Service
from tokenkit.verifier import VerifierError
from tokenkit.web.admin_pending import PendingImports
from tokenkit.web.admin_routes import ADMIN_ROUTES
from tokenkit.web.assign import ASSIGN_ROUTES
from tokenkit.web.credentials import CREDENTIAL_ROUTES
from tokenkit.web.pages import render
from tokenkit.web.pending_apps import PendingApps
from tokenkit.web.sign_in import SIGN_IN_ROUTES
from tokenkit.web.visit import csrf_token, said, status_of

_HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "publickey-credentials-create=(self), publickey-credentials-get=(self)",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_TEXT_OF_STATUS = {404: "There is no such page.", 405: "That page takes no forms."}


def console_app(
    service: Service, *, random_bytes: Callable[[int], bytes] = os.urandom
) -> Starlette:
    """Pages for users and administrators; mount it at /console."""
    routes: list[BaseRoute] = [
        Route("/", _home),
        *SIGN_IN_ROUTES,
        *CREDENTIAL_ROUTES,
        *ADMIN_ROUTES,
        *ASSIGN_ROUTES,
        Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(_Headers)],
        exception_handlers={HTTPException: _http_error, VerifierError: _refused},
    )
    app.state.service = service
    app.state.pending_imports = PendingImports(service.clock.now)
    app.state.pending_apps = PendingApps(service.clock.now, random_bytes)
    app.state.new_cookie = lambda: base64.urlsafe_b64encode(random_bytes(24)).decode()
    return app


async def _home(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/security-credentials")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = _TEXT_OF_STATUS.get(error.status_code, error.detail)
    return _error_page(request, text, error.status_code)


async def _refused(request: Request, error: Exception) -> Response:
    """When not even the session could be read."""
    assert isinstance(error, VerifierError)
    return _error_page(request, said(error), status_of(error))


def _error_page(request: Request, text: str, status: int) -> Response:
    root = request.scope.get("root_path", "")
    if request.headers.get("content-type", "").startswith("application/json"):
        return JSONResponse({"error": text}, status)
    page = render(
        "error.html",
        {},
        error=text,
        message="",
        user_name=None,
        stage=None,
        may=lambda action: False,
        url=lambda path="": f"{root}/{path}",
        csrf_token=csrf_token(""),
        current="",
    )
    return Response(page, status, media_type="text/html")


class _Headers:
    """What browsers are told of each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                keep = "no-store" if "/static/" not in scope["path"] else "no-cache"
                headers = {**_HEADERS, "cache-control": keep}
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name.encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)
