"""What the pages for administrators have in common."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tokenkit.verifier import AccessDenied, NoSuchEntity, ValidationError, VerifierError
from tokenkit.web.visit import SIGNED_IN, Handler, Visit, visited

_STATUSES: tuple[tuple[type[VerifierError], int], ...] = (
    (AccessDenied, 403),
    (NoSuchEntity, 404),
    (ValidationError, 400),
)


def demand(visit: Visit, action: str) -> None:
    """AccessDenied unless the visitor may do ``action``."""
    if not visit.may(action):
        raise AccessDenied(f"You are not authorized to perform {action}.")


def go(visit: Visit, path: str, message: str = "", **query: str) -> Response:
    """As ``visit.go``, to an address with a query."""
    if message:
        visit.go(path, message)
    return visit.with_cookie(RedirectResponse(visit.url(path, **query), 303))


def administrators(action: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """A page for who is signed in and may do ``action``."""

    def decorated(page: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(page)
        def checked(visit: Visit) -> Response:
            demand(visit, action)
            return page(visit)

        return visitors(SIGNED_IN)(checked)

    return decorated


def visitors(*stages: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """A page for who is at one of ``stages``; what is refused is said within the console."""

    def decorated(page: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(page)
        def told(visit: Visit) -> Response:
            try:
                return page(visit)
            except VerifierError as error:
                found = (number for kind, number in _STATUSES if isinstance(error, kind))
                return visit.page("error.html", next(found, 409), error=error)

        return visited(told, stages)

    return decorated
