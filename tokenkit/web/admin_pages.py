"""What the pages for administrators have in common."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from tokenkit.web.visit import Handler, Visit, visited


def administrators(action: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """A page for who is signed in and may do ``action``, to all it concerns.

    What concerns one user alone is for :meth:`Visit.demand`, which then knows the user's ARN.
    """

    def decorated(page: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(page)
        def checked(visit: Visit) -> Response:
            visit.demand(action)
            return page(visit)

        return visited(checked)

    return decorated
