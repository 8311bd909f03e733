"""Sessions: who is in, for how long, and what a browser is told."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Mount

from tokenkit.service import Service
from tokenkit.service.clock import ServiceClock
from tokenkit.verifier import Verifier, WebAuthnPolicy
from tokenkit.verifier.store import console_sessions
from tokenkit.virtual import World
from tokenkit.web.app import console_app
from tokenkit.web.sign_in import WRONG_PASSWORD

COOKIE = "tokenkit_console"
MINUTE_S, HOUR_S = 60.0, 3600.0


def test_a_password_opens_the_credentials(browser: Any) -> None:
    browser.open("")
    assert browser.page == "sign-in"
    browser.sign_in("ann")
    assert browser.page == "security-credentials"
    assert "Signed in as <b>ann</b>" in browser.answer.text


def test_the_database_has_the_hash_of_the_cookie_and_not_the_cookie(browser: Any) -> None:
    browser.sign_in()
    value = browser.client.cookies[COOKIE]
    with browser.verifier._store.transaction() as connection:
        [row] = connection.execute(select(console_sessions)).all()
    assert row.id_hash == hashlib.sha256(value.encode()).digest()
    assert value not in str(row)


def test_the_cookie_is_another_after_sign_in_and_no_scripts_business(browser: Any) -> None:
    browser.open("sign-in")
    before = browser.client.cookies[COOKIE]
    browser.sign_in()
    [set_cookie] = browser.answer.history[0].headers.get_list("set-cookie")
    assert browser.client.cookies[COOKIE] != before
    _, *attributes = set_cookie.split("; ")
    assert sorted(each.lower() for each in attributes) == [
        "httponly",
        "path=/console",
        "samesite=strict",
    ]


def test_under_https_the_cookie_is_secure(
    serve_app: Callable[..., Any], make_service: Callable[..., Any]
) -> None:
    verifier = Verifier(webauthn=WebAuthnPolicy(rp_id="mfa.test", origin="https://mfa.test"))
    service = make_service(verifier)
    with (
        verifier,
        serve_app(lambda _: Starlette(routes=[Mount("/console", console_app(service))])) as port,
    ):
        answer = httpx.get(f"http://localhost:{port}/console/sign-in", trust_env=False)
    assert "Secure" in answer.headers["set-cookie"].split("; ")


@pytest.mark.parametrize(
    ("step_s", "steps"), [(31 * MINUTE_S, 1), (29 * MINUTE_S, 25)], ids=["idle", "absolute"]
)
def test_a_session_ends(browser: Any, step_s: float, steps: int) -> None:
    browser.sign_in()
    for _ in range(steps - 1):
        browser.service.clock.advance(step_s)
        browser.open("security-credentials")
        if browser.service.clock.now() % HOUR_S == 0:
            assert browser.page == "security-credentials"
    browser.service.clock.advance(step_s)
    browser.open("security-credentials")
    assert browser.page == "sign-in"


def test_who_comes_back_in_time_stays(browser: Any) -> None:
    browser.sign_in()
    for _ in range(20):  # of 29 minutes: 9 hours and 40 minutes
        browser.service.clock.advance(29 * MINUTE_S)
        browser.open("security-credentials")
        assert browser.page == "security-credentials"


@pytest.mark.parametrize("how", ["signed out", "new password", "no password", "ended"])
def test_what_ends_a_session_at_once(browser: Any, how: str) -> None:
    browser.sign_in("ann")
    kept = browser.client.cookies[COOKIE]
    if how == "signed out":
        browser.send("sign-out")
        assert browser.page == "sign-in"
    elif how == "new password":
        browser.verifier.set_password("ann", "another one")
    elif how == "no password":
        browser.verifier.remove_password("ann")
    else:
        browser.verifier.end_console_sessions("ann")
    browser.client.cookies.clear()
    browser.client.cookies.set(COOKIE, kept, domain="localhost.local", path="/console")
    browser.open("security-credentials")
    assert browser.page == "sign-in"


def test_one_text_whatever_is_wrong(browser: Any) -> None:
    for user, password in [
        ("ann", "wrong password"),
        ("ann", "too soon after it"),
        ("nobody", "wrong password"),
        ("not a name!", ""),
    ]:
        answer = browser.sign_in(user, password)
        assert answer.status_code == 403
        assert WRONG_PASSWORD in answer.text
        assert f'value="{user}"' in answer.text  # what was typed is there, but no password
        assert "too soon after it" not in answer.text


def test_how_long_to_wait_is_told_whoever_asks(browser: Any) -> None:
    """Whether there is such a user or not: it tells no stranger."""
    texts = {browser.sign_in(user, "wrong password") and browser.error() for user in ("ann", "ben")}
    browser.sign_in("ann", "too soon after it")
    assert texts == {browser.error()}
    assert "wait 5 s, after each further one 5 s more, up to 15 minutes." in browser.error()
    assert "clock stands still: it has to be moved on" in browser.error()


def test_a_clock_that_runs_is_waited_for(serve_app: Callable[..., Any]) -> None:
    clock = ServiceClock()
    webauthn = WebAuthnPolicy(rp_id="localhost", origin="http://localhost")
    with Verifier(now=clock.now, webauthn=webauthn) as verifier:
        console = console_app(Service(verifier, World(clock=clock)))
        with (
            serve_app(lambda _: Starlette(routes=[Mount("/console", console)])) as port,
            httpx.Client(base_url=f"http://localhost:{port}/console/", trust_env=False) as client,
        ):
            [csrf] = re.findall(r'name="csrf" value="(\w+)"', client.get("sign-in").text)
            fields = {"csrf": csrf, "user": "ann", "password": "wrong password"}
            answer = client.post("sign-in", data=fields)
    assert "up to 15 minutes.</p>" in answer.text


def test_guesses_are_slowed_down(browser: Any) -> None:
    browser.sign_in("ann", "wrong password")
    assert browser.sign_in("ann").status_code == 403
    browser.service.clock.advance(6)
    assert browser.sign_in("ann").status_code == 200


@pytest.mark.parametrize("csrf", ["", "0" * 64, "ä", "another session's"])
def test_a_form_that_is_not_of_this_session_is_refused(
    browser: Any, new_browser: Callable[[], Any], csrf: str
) -> None:
    browser.sign_in("ann")
    if csrf == "another session's":
        other = new_browser()
        other.sign_in("root")
        csrf = other.csrf()
    answer = browser.send("sign-out", csrf=csrf)
    assert answer.status_code == 403
    assert "too old" in answer.text
    browser.open("security-credentials")
    assert browser.page == "security-credentials"


def test_nobody_is_signed_in_by_another_sites_form(browser: Any) -> None:
    fields = {"user": "ann", "password": "correct horse"}
    answer = browser.client.post("/console/sign-in", data=fields)
    assert answer.status_code == 403


def test_every_answer_has_the_headers(browser: Any) -> None:
    for path in ("sign-in", "nothing", "static/console.css"):
        headers = browser.open(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert ("no-store" in headers["cache-control"]) == (path != "static/console.css")


def test_pages_have_no_inline_script_or_style(browser: Any) -> None:
    for path in ("security-credentials", "assign", "assign/security-key?name=a"):
        browser.sign_in()
        text = browser.open(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert "<script>" not in text
        assert " onclick" not in text
