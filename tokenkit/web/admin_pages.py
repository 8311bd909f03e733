"""What the pages for administrators have in common."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from tokenkit.verifier import AccessDenied
from tokenkit.web.visit import Handler, Visit, visited


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

        return visited(checked)

    return decorated
