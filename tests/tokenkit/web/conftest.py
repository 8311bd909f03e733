"""A console on a clock that stands still, and a browser without scripts."""

import html
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tokenkit.service import Service
from tokenkit.verifier import AccountPolicy, Verifier, WebAuthnPolicy
from tokenkit.virtual import World
from tokenkit.web.app import console_app

PASSWORD = "correct horse"


class Browser:
    """Follows links, fills in forms; keeps cookies."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.verifier = service.verifier
        origin = service.verifier.webauthn.origin
        self.client = httpx.Client(base_url=origin, follow_redirects=True, trust_env=False)
        self.answer = httpx.Response(204)

    def open(self, path: str) -> httpx.Response:
        self.answer = self.client.get(f"/console/{path}")
        return self.answer

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.answer.text)
        return found[1] if found else ""

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Post a form of the page that is open."""
        self.answer = self.client.post(f"/console/{path}", data={"csrf": self.csrf(), **fields})
        return self.answer

    @property
    def page(self) -> str:
        return self.answer.url.path.removeprefix("/console/")

    def error(self) -> str:
        """What is said of a fault, as text."""
        found = re.search(r'role="alert".*?<p class="error">(.*?)</p>', self.answer.text, re.S)
        return html.unescape(found[1]) if found else ""

    def message(self) -> str:
        found = re.search(r'<p class="message">(.*?)</p>', self.answer.text, re.S)
        return html.unescape(found[1]) if found else ""

    def sign_in(self, user: str = "root", password: str = PASSWORD) -> httpx.Response:
        self.open("sign-in")
        return self.send("sign-in", user=user, password=password)


def _service(verifier: Verifier, world: World) -> Service:
    verifier.set_password("root", PASSWORD)
    verifier.create_user("ann")
    verifier.set_password("ann", PASSWORD)
    return Service(verifier, world)


@pytest.fixture
def make_service() -> Callable[[Verifier], Service]:
    """A service for a verifier of one's own."""
    return lambda verifier: _service(verifier, World(seed=1))


@pytest.fixture
def account() -> AccountPolicy:
    """What :func:`service` has; a test may have another."""
    return AccountPolicy()


@pytest.fixture
def service(serve_app: Callable[..., Any], account: AccountPolicy) -> Iterator[Service]:
    """One whose console is served at its origin."""
    services: list[Service] = []

    def make(port: int) -> Starlette:
        world = World(seed=1)
        verifier = Verifier(
            now=world.clock.now,
            random_bytes=random.Random(1).randbytes,
            webauthn=WebAuthnPolicy(rp_id="localhost", origin=f"http://localhost:{port}"),
            account=account,
        )
        services.append(_service(verifier, world))
        return Starlette(routes=[Mount("/console", console_app(services[0]))])

    with serve_app(make):
        yield services[0]
    services[0].verifier.close()


@pytest.fixture
def new_browser(service: Service) -> Iterator[Callable[[], Browser]]:
    """Further browsers at the same console."""
    made: list[Browser] = []

    def new() -> Browser:
        made.append(Browser(service))
        return made[-1]

    yield new
    for browser in made:
        browser.client.close()


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    return new_browser()
