"""A service in a thread of this process, and its control API."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tokenkit.service import Service
from tokenkit.service.endpoint import IamEndpoint, serving_endpoint
from tokenkit.verifier import Verifier
from tokenkit.virtual import World


@dataclass
class Control:
    """The control API of ``endpoint``, as a program uses it."""

    endpoint: IamEndpoint
    http: httpx.Client

    @property
    def service(self) -> Service:
        return self.endpoint.service

    def get(self, path: str, /, **query: str) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int = 200, /, **order: Any) -> Any:
        answer = self.http.post(path, content=json.dumps(order))
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def endpoint() -> Iterator[IamEndpoint]:
    world = World(seed=1)
    with (
        Verifier(now=world.clock.now) as verifier,
        serving_endpoint(world, verifier) as endpoint,
    ):
        yield endpoint


@pytest.fixture
def control(endpoint: IamEndpoint) -> Iterator[Control]:
    headers = {"Authorization": f"Bearer {endpoint.control_token}"}
    url = f"{endpoint.url}/control"
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
        yield Control(endpoint, http)
