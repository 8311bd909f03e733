"""The surfaces of a service, put together into one ASGI application."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tokenkit.iam.app import iam_app
from tokenkit.service.control import control_app
from tokenkit.service.service import Service
from tokenkit.web.app import console_app


def service_app(service: Service, control_token: str) -> ASGIApp:
    """IAM and STS at /, the console under /console, the control API under /control."""
    pages = Starlette(
        routes=[
            Route("/", _to_console),
            Mount("/console", console_app(service)),
            Mount("/control", control_app(service, control_token)),
        ]
    )
    iam = iam_app(service)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # programs ask far more often than people
        await (iam if _is_for_iam(scope) else pages)(scope, receive, send)

    return app


def _is_for_iam(scope: Scope) -> bool:
    """A form sent to /, or a query there: a browser brings none."""
    if scope["type"] != "http" or scope["path"] != "/":
        return False
    return scope["method"] == "POST" or bool(scope["query_string"])


async def _to_console(request: Request) -> RedirectResponse:
    return RedirectResponse("/console/")
