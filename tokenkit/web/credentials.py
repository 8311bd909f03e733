"""Security credentials: a user's own MFA devices."""

from starlette.responses import Response
from starlette.routing import Route

from tokenkit.web.visit import Visit, visited


def show_credentials(visit: Visit) -> Response:
    devices = visit.verifier.devices(visit.user)
    return visit.page("credentials.html", devices=devices)


CREDENTIAL_ROUTES = [Route("/security-credentials", visited(show_credentials))]
