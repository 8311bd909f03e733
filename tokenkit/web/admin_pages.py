"""What the pages for administrators have in common."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from tokenkit.verifier import AccessDenied, NoSuchEntity, ValidationError, VerifierError
from tokenkit.web.visit import SIGNED_IN, Handler, Visit, visited

_STATUSES: tuple[tuple[type[VerifierError], int], ...] = (
    (AccessDenied, 403),
    (NoSuchEntity, 404),
    (ValidationError, 400),
)


def demand(visit: Visit, action: str, resource: str = "*") -> None:
    """AccessDenied unless the visitor may do ``action``."""
    if not visit.may(action, resource):
        raise AccessDenied(f"You are not authorized to perform {action} on {resource}.")


def administrators(action: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """A page for who is signed in and may do ``action``, to all it concerns.

    What concerns one user alone is for :func:`demand`, which then knows the user's ARN.
    """

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
                return visit.page("error.html", next(found, 409), error=str(error))

        return visited(told, stages)

    return decorated
