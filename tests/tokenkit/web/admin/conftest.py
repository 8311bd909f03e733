"""Administrators and users at the console."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from tokenkit.service import Service

PASSWORD = "correct horse"


class Visitor:
    """Somebody who is signed in, and what the page said."""

    def __init__(self, browser: Any, user: str | None) -> None:
        self.browser = browser
        if user is not None:
            browser.sign_in(user, PASSWORD)
            assert browser.page == "security-credentials"

    def get(self, path: str, status: int = 200, **query: str) -> str:
        answer = self.browser.client.get(f"/console/{path}", params=query)
        return self._said(answer, status)

    def post(self, path: str, status: int = 200, files: Any = None, **fields: str) -> str:
        """A form of a page of this session."""
        self.browser.open("security-credentials")
        data = {"csrf": self.browser.csrf(), **fields}
        answer = self.browser.client.post(f"/console/{path}", data=data, files=files)
        return self._said(answer, status)

    def _said(self, answer: Any, status: int) -> str:
        assert answer.status_code == status, answer.text
        self.answer = answer
        return str(answer.text)


class AdminBench:
    """A service whose clock stands still, and who visits its console."""

    def __init__(self, service: Service, new_browser: Callable[[], Any]) -> None:
        self.service = service
        self.verifier = service.verifier
        self.clock: Any = service.clock
        self._new_browser = new_browser
        self.root = self.visitor("root")

    def visitor(self, user: str | None, *actions: str) -> Visitor:
        """A user who may do ``actions``; None is a stranger."""
        if user is not None and actions:
            self.allow(user, *actions)
        return Visitor(self._new_browser(), user)

    def allow(self, user: str, *actions: str, effect: str = "Allow", on: str = "*") -> None:
        statement = {"Effect": effect, "Action": actions, "Resource": on}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.verifier.put_user_policy(user, effect, document)

    @property
    def session(self) -> str:
        """Root's, which goes on where it enables a first device."""
        return str(self.root.browser.client.cookies["tokenkit_console"])

    def enabled_token(self, user: str = "root", place: str = "desk") -> Any:
        """A virtual token that is ``user``'s."""
        [serial_number] = self.service.tokens.make(place=place)
        token = self.service.tokens.find(serial_number)
        session = self.session if user == "root" else None
        codes = token.two_codes()
        self.verifier.enable(user, serial_number, *codes, name=f"{user}-token", session=session)
        return token

    def sign_in(self, token: Any, user: str = "root") -> None:
        self.clock.advance(60)
        self.verifier.sign_in(user, token.code(), serial_number=token.serial_number)

    @staticmethod
    def alerts(page: str) -> list[str]:
        """What the page says is wrong."""
        found = re.findall(
            r'<p class="error">([^<]*)<|<div class="alert"[^>]*>\s*<p>([^<]*)<', page
        )
        return [unescape(one or other) for one, other in found]

    @staticmethod
    def statuses(page: str) -> list[str]:
        return [unescape(text) for text in re.findall(r'<p class="message">([^<]*)<', page)]


@pytest.fixture
def bench(service: Service, new_browser: Callable[[], Any]) -> AdminBench:
    return AdminBench(service, new_browser)
