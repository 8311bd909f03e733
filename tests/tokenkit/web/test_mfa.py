"""MFA at the console: signing in with codes, assigning, setting right, removing."""

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pyotp
import pytest

from tokenkit.verifier import AccountPolicy, StoreError
from tokenkit.web.pending_apps import KEPT_S
from tokenkit.web.sign_in import WRONG_CODE, WRONG_PAIR

DENY_WITHOUT_MFA = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": "iam:DeactivateMFADevice",
                "Resource": "*",
                "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
            },
        ],
    }
)


def wait(browser: Any, seconds: float = 30.0) -> None:
    browser.service.clock.advance(seconds)


def choose_app(browser: Any, name: str = "phone") -> pyotp.TOTP:
    """Go as far as the page with the QR code; what scanned it."""
    browser.open("assign")
    browser.send("assign", name=name, kind="authenticator-app")
    assert browser.page == "assign/authenticator-app", browser.error()
    found = re.search(r'class="secret">(.*?)<', browser.answer.text)
    assert found is not None
    return pyotp.TOTP(found[1].replace(" ", ""))


def code(browser: Any, app: pyotp.TOTP) -> str:
    return app.at(browser.service.clock.now())


def two_codes(browser: Any, app: pyotp.TOTP) -> dict[str, str]:
    wait(browser)
    first = code(browser, app)
    wait(browser)
    return {"code1": first, "code2": code(browser, app)}


def enable_token(browser: Any, user: str) -> None:
    """As a program does, by IAM's API."""
    [serial_number] = browser.service.tokens.make()
    token = browser.service.tokens.find(serial_number)
    first = token.code()
    wait(browser)
    browser.verifier.enable(user, serial_number, first, token.code())


@pytest.fixture
def app(browser: Any) -> pyotp.TOTP:
    """Ann's, with which she signed in; the code that it shows was not used."""
    browser.sign_in("ann")
    app = choose_app(browser)
    browser.send("assign/authenticator-app", **two_codes(browser, app))
    assert browser.message() == "MFA device phone is assigned."
    wait(browser)
    return app


def test_a_device_is_demanded_from_then_on(browser: Any, app: pyotp.TOTP) -> None:
    browser.send("sign-out")
    browser.sign_in("ann")
    assert browser.page == "sign-in/mfa"
    browser.open("security-credentials")
    assert browser.page == "sign-in/mfa"
    browser.send("sign-in/mfa", code=code(browser, app))
    assert browser.page == "security-credentials"


def test_a_first_device_ends_what_a_password_alone_began(
    browser: Any, new_browser: Callable[[], Any]
) -> None:
    thief = new_browser()
    thief.sign_in("ann")
    browser.sign_in("ann")
    app = choose_app(browser)
    browser.send("assign/authenticator-app", **two_codes(browser, app))
    thief.open("security-credentials")
    assert thief.page == "sign-in"
    browser.open("security-credentials")
    assert browser.page == "security-credentials"


def test_so_does_one_that_was_enabled_by_other_means(browser: Any) -> None:
    browser.sign_in("ann")
    enable_token(browser, "ann")
    browser.open("security-credentials")
    assert browser.page == "sign-in"


def test_a_session_that_begins_as_the_first_device_is_enabled(browser: Any) -> None:
    """Whatever was seen before, it is the devices at that moment that count."""
    verifier, begin = browser.verifier, browser.verifier.begin_console_session

    def slow(*given: Any, **more: Any) -> Any:
        verifier.begin_console_session = begin
        enable_token(browser, "ann")
        return begin(*given, **more)

    verifier.begin_console_session = slow
    browser.sign_in("ann")
    assert browser.page == "sign-in/mfa"


def test_a_new_password_ends_who_is_half_way_in(browser: Any, app: pyotp.TOTP) -> None:
    browser.send("sign-out")
    browser.sign_in("ann")
    verifier, sign_in = browser.verifier, browser.verifier.sign_in

    def slow(user: str, given: str) -> None:
        sign_in(user, given)
        verifier.set_password("ann", "another one")

    verifier.sign_in = slow
    answer = browser.send("sign-in/mfa", code=code(browser, app))
    assert answer.status_code == 403
    browser.open("security-credentials")
    assert browser.page == "sign-in"


def test_one_text_for_all_codes_that_fail_and_a_way_out(browser: Any, app: pyotp.TOTP) -> None:
    used = code(browser, app)
    browser.send("sign-out")
    browser.sign_in("ann")
    browser.send("sign-in/mfa", code=used)
    browser.send("sign-out")
    browser.sign_in("ann")
    for wrong in (used, "000000", "soon", ""):
        answer = browser.send("sign-in/mfa", code=wrong)
        assert answer.status_code == 403
        assert browser.error().startswith(WRONG_CODE)
        assert 'href="/console/sign-in/resync"' in answer.text
        assert 'value="000000"' not in answer.text


def test_a_device_out_of_step_is_set_right_at_sign_in(browser: Any, app: pyotp.TOTP) -> None:
    browser.send("sign-out")
    browser.sign_in("ann")
    ahead_s = 600.0

    def shown() -> str:
        return app.at(browser.service.clock.now() + ahead_s)

    browser.send("sign-in/mfa", code=shown())
    assert browser.error().startswith(WRONG_CODE)
    browser.open("sign-in/resync")
    serial_number = browser.verifier.devices("ann")[0].serial_number
    browser.send("sign-in/resync", serial=serial_number, code1=shown(), code2=shown())
    assert browser.error().startswith(WRONG_PAIR)
    wait(browser, 60)
    first = shown()
    wait(browser)
    browser.send("sign-in/resync", serial=serial_number, code1=first, code2=shown())
    assert browser.page == "sign-in/mfa"
    assert "synchronised" in browser.message()
    browser.send("sign-in/mfa", code=shown())
    assert browser.error().startswith(WRONG_CODE)  # two codes set it right, a third signs in
    wait(browser, 60)
    browser.send("sign-in/mfa", code=shown())
    assert browser.page == "security-credentials"


def test_nobody_sets_another_users_device_right(
    browser: Any, app: pyotp.TOTP, new_browser: Callable[[], Any]
) -> None:
    root = new_browser()
    root.sign_in("root")
    [device] = browser.verifier.devices("ann")
    root.open("assign")
    for path in ("resync", "remove"):
        answer = root.send(path, serial=device.serial_number, **two_codes(browser, app))
        assert answer.status_code == 404
        assert "There is no MFA device" in root.error()
        root.open("assign")
    assert browser.verifier.devices("ann") == [device]


def test_after_wrong_codes_the_qr_code_is_there_still(browser: Any) -> None:
    browser.sign_in("ann")
    choose_app(browser)
    folded = r"<details>\s*<summary>Show QR code"
    assert re.search(folded, browser.answer.text)
    for code1 in ("000000", "000001", "no code"):  # wrong, too soon, and not even one
        browser.send("assign/authenticator-app", code1=code1, code2="000000")
        assert browser.error()
        assert re.search(r"<details open>\s*<summary>Show QR code", browser.answer.text)


def test_whose_token_is_a_virtual_one_is_shown_the_way(browser: Any, app: pyotp.TOTP) -> None:
    link = '<a href="/console/virtual-tokens">Virtual tokens</a>'
    browser.send("sign-out")
    browser.sign_in("ann")
    assert link not in browser.answer.text
    browser.service.tokens.make()
    assert link in browser.open("sign-in/mfa").text


def test_codes_may_be_typed_in_groups(browser: Any) -> None:
    browser.sign_in("ann")
    app = choose_app(browser)
    codes = two_codes(browser, app)
    grouped = {name: f" {each[:3]} {each[3:]}" for name, each in codes.items()}
    browser.send("assign/authenticator-app", **grouped)
    assert browser.page == "security-credentials"


def test_a_seed_is_shown_to_the_session_that_began_it_alone(
    browser: Any, new_browser: Callable[[], Any]
) -> None:
    thief = new_browser()
    thief.sign_in("ann")
    browser.sign_in("ann")
    app = choose_app(browser)
    for path in ("assign/authenticator-app", "assign"):
        thief.open(path)
        assert thief.page == "assign"
    thief.send("assign/authenticator-app", **two_codes(browser, app))
    assert "Begin anew" in thief.message()
    other = choose_app(thief, "other")
    assert other.secret != app.secret
    browser.open("assign")  # looking at a page changes nothing
    browser.open("assign/authenticator-app")
    assert browser.page == "assign/authenticator-app"
    browser.send("assign/authenticator-app", **two_codes(browser, app))
    assert browser.message() == "MFA device phone is assigned."


def test_an_app_that_is_begun_takes_no_name(browser: Any, new_browser: Callable[[], Any]) -> None:
    root = new_browser()
    for each, name in ((browser, "ann"), (root, "root")):
        each.sign_in(name)
    first, second = choose_app(browser), choose_app(root)
    assert browser.verifier.virtual_devices() == []
    browser.send("assign/authenticator-app", **two_codes(browser, first))
    root.send("assign/authenticator-app", **two_codes(root, second))
    assert root.page == "assign/authenticator-app"
    assert "exists in this account" in root.error()
    assert [device.user for device in browser.verifier.devices()] == ["ann"]


def test_an_app_that_is_given_up_leaves_its_name(browser: Any) -> None:
    browser.sign_in("ann")
    first = choose_app(browser)
    second = choose_app(browser)
    assert first.secret != second.secret
    wait(browser, KEPT_S)
    browser.open("assign/authenticator-app")
    assert browser.page == "assign"
    assert "Begin anew" in browser.message()
    third = choose_app(browser)
    browser.send("assign/authenticator-app", **two_codes(browser, third))
    assert browser.message() == "MFA device phone is assigned."


def test_names_that_are_taken(
    browser: Any, app: pyotp.TOTP, new_browser: Callable[[], Any]
) -> None:
    browser.open("assign")
    browser.send("assign", name="phone", kind="security-key")
    assert "You have a device of that name" in browser.error()
    root = new_browser()
    root.sign_in("root")
    root.open("assign")
    root.send("assign", name="phone", kind="authenticator-app")
    assert "exists in this account" in root.error()
    assert 'value="phone"' in root.answer.text
    assert re.search(r'value="authenticator-app" checked', root.answer.text)


@pytest.mark.parametrize("kind", ["security-key", "hardware-token", "authenticator-app"])
def test_bad_names_stay_in_their_field(browser: Any, kind: str) -> None:
    browser.sign_in("ann")
    browser.open("assign")
    for name in ("", "two words", "ä", "a" * 129, "<b>"):
        assert browser.send("assign", name=name, kind=kind).status_code == 400
        assert f'value="{html.escape(name)}"' in browser.answer.text
        assert "without spaces" in browser.error()
    assert browser.verifier.devices("ann") == []


def test_a_hardware_token_by_its_serial_number(browser: Any) -> None:
    [serial_number] = browser.service.tokens.make()
    token = browser.service.tokens.find(serial_number)
    first = token.code()
    wait(browser)
    codes = {"code1": first, "code2": token.code()}
    browser.sign_in("ann")
    browser.open("assign/hardware-token?name=blue")
    browser.send("assign/hardware-token", name="blue", serial=serial_number, code1="1", code2="2")
    assert browser.answer.status_code == 400
    assert f'value="{serial_number}"' in browser.answer.text
    assert 'name="name" value="blue"' in browser.answer.text
    browser.send("assign/hardware-token", name="blue", serial=f" {serial_number} ", **codes)
    [device] = browser.verifier.devices("ann")
    assert (device.name, device.serial_number) == ("blue", serial_number)
    browser.open(f"remove?serial={quote(serial_number)}")
    assert "It is your only one" in browser.answer.text
    browser.send("remove", serial=serial_number)
    assert browser.verifier.devices("ann") == []


def test_policies_are_asked(browser: Any, app: pyotp.TOTP) -> None:
    browser.verifier.put_user_policy("ann", "read", DENY_WITHOUT_MFA.replace("iam:*", "iam:Get*"))
    [device] = browser.verifier.devices("ann")
    assert 'href="/console/assign"' not in browser.open("security-credentials").text
    browser.open("assign")
    answer = browser.send("assign", name="more", kind="hardware-token")
    assert answer.status_code == 403
    assert browser.error().startswith("You are not authorized to perform iam:EnableMFADevice on ")
    browser.verifier.put_user_policy("ann", "read", DENY_WITHOUT_MFA)
    browser.open("assign")
    browser.send("remove", serial=device.serial_number)  # with MFA, which the policy asks for
    assert browser.verifier.devices("ann") == []


def test_a_policy_that_denies_apps(browser: Any) -> None:
    deny = DENY_WITHOUT_MFA.replace("iam:DeactivateMFADevice", "iam:CreateVirtualMFADevice")
    browser.sign_in("ann")
    choose_app(browser)
    browser.verifier.put_user_policy("ann", "deny", deny)
    for path, fields in (
        ("assign", {"name": "phone", "kind": "authenticator-app"}),
        ("assign/authenticator-app", {"code1": "1", "code2": "2"}),
    ):
        browser.open("assign")
        assert browser.send(path, **fields).status_code == 403
        assert (
            "iam:CreateVirtualMFADevice on arn:aws:iam::123456789012:mfa/phone" in browser.error()
        )
    browser.open("assign")
    browser.send("assign", name="blue", kind="hardware-token")
    assert browser.page == "assign/hardware-token"


class TestWhereMfaIsRequired:
    @pytest.fixture
    def account(self) -> AccountPolicy:
        return AccountPolicy(mfa_required_for_users=True)

    def test_nothing_but_assigning(self, browser: Any) -> None:
        browser.sign_in("ann")
        assert browser.page == "assign"
        assert "This account demands MFA" in browser.answer.text
        for path in ("", "security-credentials", "resync?serial=TKTEST00000001", "sign-in"):
            browser.open(path)
            assert browser.page == "assign"
        app = choose_app(browser)
        browser.send("assign/authenticator-app", **two_codes(browser, app))
        assert browser.page == "security-credentials"
        [device] = browser.verifier.devices("ann")
        browser.open("assign")
        browser.send("remove", serial=device.serial_number)
        assert browser.page == "assign"

    def test_who_began_before_the_device_was_there_must_show_it(
        self, browser: Any, new_browser: Callable[[], Any]
    ) -> None:
        thief = new_browser()
        thief.sign_in("ann")
        enable_token(browser, "ann")
        thief.send("assign", name="mine", kind="authenticator-app")
        assert thief.page == "sign-in"

    def test_nor_is_a_seed_shown_to_another_session(
        self, browser: Any, new_browser: Callable[[], Any]
    ) -> None:
        thief = new_browser()
        for each in (thief, browser):
            each.sign_in("ann")
        app = choose_app(browser)
        assert app.secret not in thief.open("assign/authenticator-app").text.replace(" ", "")
        assert thief.page == "assign"

    def test_root_is_not_asked_by_a_rule_for_users(self, browser: Any) -> None:
        browser.sign_in("root")
        assert browser.page == "security-credentials"


@pytest.mark.parametrize(
    "body",
    ["", "[]", "null", "{", "[" * 100_000, '{"id": 1}', '{"id": "x", "answer": {}}', '"\\ud800"'],
)
def test_a_security_keys_answer_that_is_none(browser: Any, body: str) -> None:
    browser.sign_in("ann")
    browser.open("assign")
    answer = browser.client.post(
        "/console/assign/security-key/complete",
        content=body,
        headers={"content-type": "application/json", "x-csrf-token": browser.csrf()},
    )
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]


def test_scripts_of_who_is_not_signed_in_are_told(browser: Any) -> None:
    browser.open("sign-in")
    headers = {"content-type": "application/json", "x-csrf-token": browser.csrf()}
    answer = browser.client.post(
        "/console/assign/security-key/begin", content="{}", headers=headers
    )
    assert answer.status_code == 403
    assert answer.json()["go"] == "/console/sign-in"


@pytest.mark.parametrize("path", ["begin", "complete"])
def test_scripts_are_told_by_status_what_failed(browser: Any, path: str) -> None:
    def fail(*given: Any, **more: Any) -> None:
        raise StoreError("The disk is full.")

    browser.sign_in("ann")
    browser.open("assign")
    browser.verifier.begin_registration = browser.verifier.complete_registration = fail
    answer = browser.client.post(
        f"/console/assign/security-key/{path}",
        json={"id": "0", "answer": {}, "name": "key"},
        headers={"x-csrf-token": browser.csrf()},
    )
    assert (answer.status_code, answer.json()) == (503, {"error": "The database failed."})


@pytest.mark.parametrize("kind", ["authenticator-app", "hardware-token"])
def test_a_database_that_fails_is_not_described(
    browser: Any, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    browser.sign_in("ann")
    browser.open(f"assign/{kind}")
    with browser.verifier._store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE mfa_device RENAME TO mfa_gone")
    answer = browser.send("assign", name="phone", kind=kind)
    assert answer.status_code == 503
    assert browser.error() == "The database failed."
    assert "no such table: mfa_device" in caplog.text
    with browser.verifier._store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE mfa_console_session RENAME TO mfa_gone_too")
    answer = browser.open("assign")  # not even the session is found
    assert answer.status_code == 503
    assert browser.error() == "The database failed."
