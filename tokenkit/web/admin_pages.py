"""What the pages for administrators, and those of virtual tokens, have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Protocol
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from tokenkit.service import Service
from tokenkit.verifier import (
    AccessDenied,
    DeviceKind,
    NoSuchEntity,
    ValidationError,
    Verifier,
    VerifierError,
)
from tokenkit.web.admin_chart import date_text, error_text, utc
from tokenkit.web.admin_pending import PendingImports


class Surroundings(Protocol):
    """What the console does for these pages; in ``app.state.surroundings``."""

    service: Service
    pending: PendingImports

    def user(self, request: Request) -> str | None:
        """Who may sign in and has proved it by the password at least."""

    def may(self, request: Request, action: str, resource: str) -> bool:
        """Whether the one who is signed in, by all that is demanded, may do ``action``."""

    async def form(self, request: Request) -> FormData | Response:
        """What was sent, or the answer to a form that is none of this session's."""

    def page(
        self, request: Request, template: str, status: int, context: dict[str, Any]
    ) -> Response:
        """A page of the console."""

    def go(self, request: Request, path: str, said: str) -> Response:
        """Another page of the console next, which begins with what is ``said``."""

    def sign_in(self, request: Request) -> Response:
        """Where one signs in."""


@dataclass
class Visit:
    """One request by somebody who is signed in."""

    request: Request
    around: Surroundings
    user: str
    form: FormData = field(default_factory=FormData)
    contents: bytes = b""

    @property
    def service(self) -> Service:
        return self.around.service

    @property
    def verifier(self) -> Verifier:
        return self.around.service.verifier

    @property
    def pending(self) -> PendingImports:
        return self.around.pending

    def may(self, action: str, resource: str = "*") -> bool:
        return self.around.may(self.request, action, resource)

    def demand(self, action: str, resource: str = "*") -> None:
        """AccessDenied unless the visitor may do ``action``."""
        if not self.may(action, resource):
            raise AccessDenied(f"You are not authorized to perform {action}.")

    def text(self, name: str) -> str:
        """A field of the form; empty if it was not sent."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        context = {"may": self.may, "error": None, "form": {}, **context}
        return self.around.page(self.request, template, status, context)

    def go(self, path: str, said: str = "") -> Response:
        return self.around.go(self.request, path, said)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Such as ``1 token`` and ``2 tokens``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def second_text(at_s: float) -> str:
    """A time to the second, UTC."""
    return f"{utc(at_s):%Y-%m-%d %H:%M:%S}"


_KINDS = {
    DeviceKind.HARDWARE_TOKEN: "Hardware TOTP token",
    DeviceKind.AUTHENTICATOR_APP: "Authenticator app",
    DeviceKind.SECURITY_KEY: "Security key",
}


def plain_text(value: object) -> str:
    """A value of the log's, as a person writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


FILTERS = {
    "date": date_text,
    "second": second_text,
    "clock_error": error_text,
    "kind": lambda kind: _KINDS[kind],
    "plain": plain_text,
}
"""What these pages' templates have need of, beside the globals ``counted``, ``url``, ``csrf``."""


def address(path: str, **query: object) -> str:
    """A path within the console and its query."""
    return f"{path}?{urlencode(query)}" if query else path


_Page = Callable[[Visit], Response]
_Endpoint = Callable[[Request], Awaitable[Response]]


def visitors(page: _Page) -> _Endpoint:
    """A page for whoever may sign in."""

    @wraps(page)
    async def endpoint(request: Request) -> Response:
        around: Surroundings = request.app.state.surroundings
        user = around.user(request)
        if user is None:
            return around.sign_in(request)
        visit = Visit(request, around, user)
        if request.method == "POST":
            form = await around.form(request)
            if isinstance(form, Response):
                return form
            visit.form = form
            for value in form.values():
                if isinstance(value, UploadFile):  # there is never more than one
                    visit.contents = await value.read()
            await form.close()
        return await run_in_threadpool(_answer, visit, page)

    return endpoint


def administrators(action: str) -> Callable[[_Page], _Endpoint]:
    """A page for who may do ``action``."""

    def decorated(page: _Page) -> _Endpoint:
        @wraps(page)
        def checked(visit: Visit) -> Response:
            visit.demand(action)
            return page(visit)

        return visitors(checked)

    return decorated


def _answer(visit: Visit, page: _Page) -> Response:
    try:
        return page(visit)
    except VerifierError as error:
        statuses: tuple[tuple[type[VerifierError], int], ...] = (
            (AccessDenied, 403),
            (NoSuchEntity, 404),
            (ValidationError, 400),
        )
        status = next((number for kind, number in statuses if isinstance(error, kind)), 409)
        return visit.page("admin_refused.html", status, error=error)
