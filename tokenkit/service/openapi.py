"""The OpenAPI document of the control API, made from its routes."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tokenkit import __version__
from tokenkit.service.control_orders import Refusal
from tokenkit.service.control_routes import JsonLines, Route

_OF_ALL = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
_OF_POST = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE,)


def openapi(routes: Sequence[Route], server: str) -> dict[str, Any]:
    """OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1; ``server`` is the path it is under."""
    types = [each for route in routes for each in (route.gives, route.takes or Refusal)]
    schemas, components = msgspec.json.schema_components(
        [*types, Refusal], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for number, route in enumerate(routes):
        gives, takes = schemas[2 * number : 2 * number + 2]
        operation: dict[str, Any] = {
            "operationId": f"{route.method.lower()}{route.path.replace('/', '-')}",
            "summary": route.summary,
            "responses": _responses(route, gives, schemas[-1]),
        }
        if route.takes is not None and route.method == "POST":
            operation["requestBody"] = {"required": True, "content": _json(takes)}
        elif route.takes is not None:
            operation["parameters"] = _query(components[route.takes.__name__])
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "tokenkit control", "version": __version__},
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _responses(route: Route, gives: dict[str, Any], refusal: dict[str, Any]) -> dict[str, Any]:
    lines = {"application/jsonl": {"schema": {"type": "string"}}}
    content = lines if route.gives is JsonLines else _json(gives)
    said = {str(route.status.value): {"description": route.status.phrase, "content": content}}
    for status in (*_OF_ALL, *(_OF_POST if route.method == "POST" else ()), *route.refuses):
        said[str(status.value)] = {"description": status.phrase, "content": _json(refusal)}
    return said


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _query(struct: dict[str, Any]) -> list[dict[str, Any]]:
    """The members of a struct, as the parameters of a query."""
    return [
        {"name": name, "in": "query", "required": name in struct["required"], "schema": schema}
        for name, schema in struct["properties"].items()
    ]
