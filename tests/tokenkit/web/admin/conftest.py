"""The pages for administrators in the barest of consoles: who is there is said by a header."""

import asyncio
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from jinja2 import ChoiceLoader, DictLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from tokenkit.service import Service
from tokenkit.verifier import TotpPolicy, Verifier
from tokenkit.virtual import World
from tokenkit.web.admin_pages import FILTERS, PendingImports, counted
from tokenkit.web.admin_routes import ADMIN_ROUTES

BASE = """<!doctype html><html lang="en"><title>{% block title %}{% endblock %}</title>
{% block head %}{% endblock %}<main>{% if said %}<p role="status">{{ said }}</p>{% endif %}
{% if error %}<p role="alert">{{ error }}</p>{% endif %}{% block content %}{% endblock %}</main>"""
CSRF = "c" * 32


class Surroundings:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.pending = PendingImports(service.clock.now)
        loader = ChoiceLoader([PackageLoader("tokenkit.web"), DictLoader({"base.html": BASE})])
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        self._templates.filters |= FILTERS
        self._templates.globals |= {"counted": counted, "url": url, "csrf": csrf}

    def user(self, request: Request) -> str | None:
        return request.headers.get("x-user")

    def may(self, request: Request, action: str, resource: str) -> bool:
        return self.user(request) == "root" or action in request.headers.get("x-may", "").split()

    async def form(self, request: Request) -> FormData | Response:
        form = await request.form()
        return form if form.get("csrf") == CSRF else PlainTextResponse("csrf", 403)

    def page(
        self, request: Request, template: str, status: int, context: dict[str, Any]
    ) -> Response:
        said = request.query_params.get("said")
        html = self._templates.get_template(template).render(said=said, **context)
        return HTMLResponse(html, status)

    def go(self, request: Request, path: str, said: str) -> Response:
        joint = "&" if "?" in path else "?"
        return RedirectResponse(f"/{path}{joint}{urlencode({'said': said})}", 303)

    def sign_in(self, request: Request) -> Response:
        return RedirectResponse("/sign-in", 303)


def url(path: str, **query: object) -> str:
    return f"/{path}?{urlencode(query)}" if query else f"/{path}"


def csrf() -> Markup:
    return Markup('<input type="hidden" name="csrf" value="{}">').format(CSRF)


class Client:
    """A browser without a picture: one request at a time, straight into the application."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(
        self, method: str, path: str, follow: bool = True, **options: Any
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.request(method, path, follow_redirects=follow, **options)

        return asyncio.run(ask())


class Visitor:
    """A person at the console: pages are checked for what every page must have."""

    def __init__(self, client: Client, headers: dict[str, str]) -> None:
        self._client, self._headers = client, headers

    def get(self, path: str, status: int = 200, **query: str) -> str:
        return self._said(
            self._client.request("GET", path, params=query, headers=self._headers), status
        )

    def post(self, path: str, status: int = 200, files: Any = None, **fields: str) -> str:
        answer = self._client.request(
            "POST", path, data={"csrf": CSRF} | fields, files=files, headers=self._headers
        )
        return self._said(answer, status)

    def _said(self, answer: httpx.Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        return answer.text


def alerts(page: str) -> list[str]:
    """What the page says is wrong."""
    return [unescape(text) for text in re.findall(r'role="alert">(?:\s*<p>)?([^<]*)<', page)]


def statuses(page: str) -> list[str]:
    return [unescape(text) for text in re.findall(r'<p role="status">([^<]*)<', page)]


class AdminBench:
    """A service whose clock stands still, and its pages."""

    alerts = staticmethod(alerts)
    statuses = staticmethod(statuses)

    def __init__(self, policy: TotpPolicy | None = None) -> None:
        self.world = World(seed=1)
        self.clock: Any = self.world.clock
        self.verifier = Verifier(now=self.clock.now, totp=policy)
        self.service = Service(self.verifier, self.world)
        self.app = Starlette(routes=ADMIN_ROUTES)
        self.app.state.surroundings = Surroundings(self.service)
        self.client = Client(self.app)
        self.root = self.visitor("root")

    def visitor(self, user: str | None, *actions: str) -> Visitor:
        headers = {"x-may": " ".join(actions)}
        return Visitor(self.client, headers if user is None else headers | {"x-user": user})

    def enabled_token(self, user: str = "root", place: str = "desk") -> Any:
        """A virtual token that is ``user``'s."""
        [serial_number] = self.service.tokens.make(place=place)
        token = self.service.tokens.find(serial_number)
        self.verifier.enable(user, serial_number, *token.two_codes(), name=f"{user}-token")
        return token

    def sign_in(self, token: Any, user: str = "root") -> None:
        self.clock.advance(60)
        self.verifier.sign_in(user, token.code(), serial_number=token.serial_number)


@pytest.fixture
def make_admin_bench() -> Iterator[Callable[..., AdminBench]]:
    benches = []

    def make(policy: TotpPolicy | None = None) -> AdminBench:
        benches.append(AdminBench(policy))
        return benches[-1]

    yield make
    for each in benches:
        each.verifier.close()


@pytest.fixture
def bench(make_admin_bench: Callable[..., AdminBench]) -> AdminBench:
    return make_admin_bench()
