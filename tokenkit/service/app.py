"""The surfaces of a service, put together into one ASGI application."""

import importlib
import importlib.util
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tokenkit.service.service import Service


def service_app(service: Service, control_token: str) -> ASGIApp:
    """IAM and STS at POST /, the console under /console, the control API under /control."""
    console = _surface("tokenkit.web.app", "console_app", service)
    control = _surface("tokenkit.service.control", "control_app", service, control_token)
    routes = [
        Route("/", _to_console),
        *([Mount("/console", console)] if console else []),
        *([Mount("/control", control)] if control else []),
    ]
    pages = Starlette(routes=routes)
    iam = _surface("tokenkit.iam.app", "iam_app", service) or pages

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # programs ask far more often than people, and all by POST /
        is_iam = scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "POST"
        await (iam if is_iam else pages)(scope, receive, send)

    return app


async def _to_console(request: Request) -> RedirectResponse:
    return RedirectResponse("/console/")


def _surface(module: str, function: str, *arguments: Any) -> ASGIApp | None:
    package = module.rpartition(".")[0]
    if importlib.util.find_spec(package) is None or importlib.util.find_spec(module) is None:
        return None
    app: ASGIApp = getattr(importlib.import_module(module), function)(*arguments)
    return app
