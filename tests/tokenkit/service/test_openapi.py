"""The control API does what its OpenAPI document says, whatever is sent."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tokenkit.service import Service
from tokenkit.service.control import control_app
from tokenkit.service.control_routes import ROUTES, Route
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


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_operation(api: schemathesis.BaseSchema, route: Route, mode: GenerationMode) -> None:
    """No 5xx; only the documented statuses, with the documented bodies."""
    operation = api[route.path][route.method]
    if mode is GenerationMode.NEGATIVE and route.takes is None:
        return  # there is nothing that could be wrong

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        # a schema cannot say which names there are, or what a duration is
        case.call_and_validate(
            headers={"Authorization": f"Bearer {TOKEN}"},
            excluded_checks=[positive_data_acceptance],
        )

    check()


def test_the_document_is_valid() -> None:
    document = openapi(ROUTES, "/control")
    validate(document)
    assert set(document["paths"]) == {route.path for route in ROUTES}
