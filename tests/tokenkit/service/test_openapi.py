"""The control API does what its OpenAPI document says, whatever is sent."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate

from tokenkit.service import Service
from tokenkit.service.control import control_app
from tokenkit.service.control_routes import ROUTES
from tokenkit.service.openapi import openapi
from tokenkit.verifier import Verifier
from tokenkit.virtual import World

TOKEN = "a token"


@pytest.fixture(scope="module")
def api() -> Iterator[schemathesis.BaseSchema]:
    world = World(seed=1)
    with Verifier(now=world.clock.now) as verifier:
        service = Service(verifier, world)
        service.tokens.make()
        app = control_app(service, TOKEN)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        yield schemathesis.openapi.from_asgi("/openapi.json", app, headers=headers)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_every_operation(case: schemathesis.Case) -> None:
    """No 5xx; only the documented statuses, with the documented bodies."""
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})


def test_the_document_is_valid() -> None:
    document = openapi(ROUTES, "/control")
    validate(document)
    assert set(document["paths"]) == {route.path for route in ROUTES}
