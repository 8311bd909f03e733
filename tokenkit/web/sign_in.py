"""Signing in and out."""

from starlette.responses import Response
from starlette.routing import Route

from tokenkit.verifier import AccessDenied, Throttled, ValidationError
from tokenkit.web.visit import ENROL, PASSWORD, SIGNED_IN, Visit, visited

# one text, so that a stranger learns nothing: not which names there are, nor who is throttled
WRONG_PASSWORD = (
    "Your authentication information is incorrect, or you tried too soon after a wrong password."
    " Please try again in a moment."
)


def show_sign_in(visit: Visit) -> Response:
    return visit.page("sign_in.html")


def sign_in(visit: Visit) -> Response:
    user = visit.text("user").strip()
    try:
        visit.verifier.check_password(user, visit.text("password"))
    except (AccessDenied, Throttled, ValidationError):
        return visit.page("sign_in.html", 403, error=WRONG_PASSWORD, form={"user": user})
    visit.begin_session(user, SIGNED_IN)
    return visit.go("security-credentials")


def sign_out(visit: Visit) -> Response:
    visit.end_session()
    return visit.go("sign-in")


SIGN_IN_ROUTES = [
    Route("/sign-in", visited(show_sign_in, [None, PASSWORD])),
    Route("/sign-in", visited(sign_in, [None, PASSWORD]), methods=["POST"]),
    Route("/sign-out", visited(sign_out, [None, PASSWORD, ENROL, SIGNED_IN]), methods=["POST"]),
]
