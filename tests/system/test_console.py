"""The console in Chromium: the three kinds of MFA device, signing in, drift, removal; axe-core.

Pictures go to the folder that TOKENKIT_SCREENSHOTS names.
"""

import importlib.util
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tokenkit.service import Service
from tokenkit.verifier import Verifier, WebAuthnPolicy
from tokenkit.virtual import START_S, HardwareToken, SimulatedClock, World
from tokenkit.web.app import console_app

from .browser import FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct horse"
_MISSING = [
    name for name in ("playwright", "axe_playwright_python") if not importlib.util.find_spec(name)
]
pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="apt-get install chromium"),
    pytest.mark.skipif(bool(_MISSING), reason="pip install 'tokenkit[system-tests]'"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def service(serve_app: Callable[..., Any]) -> Iterator[Service]:
    services: list[Service] = []

    def make(port: int) -> Starlette:
        world = World(seed=1, clock=SimulatedClock(START_S))
        verifier = Verifier(
            now=world.clock.now,
            random_bytes=random.Random(1).randbytes,
            webauthn=WebAuthnPolicy(rp_id="localhost", origin=f"http://localhost:{port}"),
        )
        verifier.set_password("root", PASSWORD)
        verifier.create_user("ann")
        verifier.set_password("ann", PASSWORD)
        services.append(Service(verifier, world))
        return Starlette(routes=[Mount("/console", console_app(services[0]))])

    with serve_app(make):
        yield services[0]
    services[0].verifier.close()


class Person:
    """Somebody at the browser, who reads what is there and looks at it by axe-core, too."""

    def __init__(self, page: "Page", service: Service) -> None:
        self.page = page
        self.service = service
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if _is_fault(said) else None)

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.service.verifier.webauthn.origin}/console/{path}")

    def fill(self, **fields: str) -> None:
        for label, text in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).fill(text)

    def choose(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def follow(self, words: str) -> None:
        self.page.get_by_role("link", name=words, exact=True).click()

    def sign_in(self, user: str = "root") -> None:
        self.open("sign-in")
        self.fill(User_name=user, Password=PASSWORD)
        self.choose("Sign in")

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    def said(self) -> str:
        return self.page.locator(".said").all_inner_texts()[0].strip()

    def error(self) -> str:
        return self.page.get_by_role("alert").inner_text().strip()

    def devices(self) -> list[str]:
        return self.page.locator(".devices h3").all_inner_texts()

    def wait(self, seconds: float) -> None:
        self.service.clock.advance(seconds)

    def look(self, name: str) -> None:
        """Axe's judgement in both colour schemes, and a picture of each."""
        from axe_playwright_python.sync_playwright import Axe

        folder = os.environ.get("TOKENKIT_SCREENSHOTS")
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(self.page)
            assert found.violations_count == 0, f"{name}, {scheme}: {found.generate_report()}"
            if folder:
                Path(folder).mkdir(parents=True, exist_ok=True)
                self.page.screenshot(path=f"{folder}/{name}-{scheme}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")


def _is_fault(said: Any) -> bool:
    # Chromium itself says so of each answer that refuses a form
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text


@pytest.fixture
def person(chromium: "Browser", service: Service) -> Iterator[Person]:
    context = chromium.new_context(viewport={"width": 1100, "height": 760})
    context.set_default_timeout(15_000)
    person = Person(context.new_page(), service)
    yield person
    context.close()
    assert person.faults == []


def plug_in_key(person: Person) -> tuple[Any, str]:
    """Chromium's own virtual authenticator, touched at once."""
    session = person.page.context.new_cdp_session(person.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": False,
        "hasUserVerification": False,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def test_a_security_key(person: Person) -> None:
    session, key = plug_in_key(person)
    person.sign_in()
    person.look("credentials-none")
    person.follow("Assign MFA device")
    person.look("assign")
    person.fill(Device_name="my key")
    person.choose("Next")
    assert "without spaces" in person.error()
    person.look("assign-refused")
    person.fill(Device_name="my-key")
    person.choose("Next")
    assert person.heading() == "Security key"
    person.look("assign-security-key")
    person.choose("Register security key")
    person.page.wait_for_url("**/security-credentials")
    assert person.said() == "MFA device my-key is assigned."
    assert person.devices() == ["my-key"]

    person.choose("Sign out")
    person.sign_in()
    assert person.heading() == "Multi-factor authentication"
    person.look("sign-in-key")
    person.choose("Use security key")
    person.page.wait_for_url("**/security-credentials")
    [device] = person.service.verifier.devices("root")
    assert device.last_used_s == person.service.clock.now()

    person.follow("Assign MFA device")
    person.fill(Device_name="again")
    person.choose("Next")
    person.choose("Register security key")
    person.page.get_by_text("This security key is assigned already").wait_for()
    session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})


def test_an_authenticator_app(person: Person) -> None:
    person.sign_in("ann")
    person.follow("Assign MFA device")
    person.fill(Device_name="phone")
    person.page.get_by_text("Authenticator app").check()
    person.choose("Next")
    secret_key = person.page.locator(".secret")
    assert not secret_key.is_visible()
    person.look("assign-app")
    person.page.get_by_text("Show QR code").click()
    person.page.get_by_text("Show secret key").click()
    app = pyotp.TOTP(secret_key.inner_text().replace(" ", ""))
    person.look("assign-app-open")
    assert read_qr(person.page.locator(".qr").screenshot()).count(app.secret) == 1

    now_s = person.service.clock.now()
    person.fill(MFA_code_1=app.at(now_s), MFA_code_2=app.at(now_s))
    person.choose("Add MFA")
    assert "Authentication code for device is not valid" in person.error()
    person.wait(60)
    now_s = person.service.clock.now()
    first, second = app.at(now_s - 30), app.at(now_s)
    person.fill(MFA_code_1=f"{first[:3]} {first[3:]}", MFA_code_2=second)
    person.choose("Add MFA")
    assert person.devices() == ["phone"]
    person.look("credentials-one")

    person.choose("Sign out")
    person.sign_in("ann")
    person.wait(30)
    person.fill(Code_from_your_token_or_app=app.at(person.service.clock.now()))
    person.look("sign-in-code")
    person.choose("Submit code")
    assert person.heading() == "Security credentials"


def read_qr(png: bytes) -> str:
    import io

    import zxingcpp
    from PIL import Image

    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    return str(found.text)


def two_codes(person: Person, token: HardwareToken) -> tuple[str, str]:
    """As a person reads them off the display, half a minute apart."""
    first = token.code()
    person.wait(30)
    return first, token.code()


def test_a_hardware_token_drifts_and_is_set_right(person: Person) -> None:
    [serial_number] = person.service.tokens.make(place="warehouse")
    token = person.service.tokens.find(serial_number)
    person.sign_in()
    person.follow("Assign MFA device")
    person.fill(Device_name="token")
    person.page.get_by_text("Hardware TOTP token").check()
    person.choose("Next")
    codes = two_codes(person, token)
    person.fill(Serial_number="TKTEST-none", MFA_code_1=codes[0], MFA_code_2=codes[1])
    person.choose("Add MFA")
    assert "There is no token TKTEST-none" in person.error()
    assert person.page.get_by_label("Serial number").input_value() == "TKTEST-none"
    person.look("assign-token")
    person.fill(Serial_number=serial_number, MFA_code_1=codes[0], MFA_code_2=codes[1])
    person.choose("Add MFA")
    assert person.devices() == ["token"]
    person.choose("Sign out")

    person.wait(8 * 30 * 86_400)
    person.sign_in()
    person.fill(Code_from_your_token_or_app=token.code())
    person.choose("Submit code")
    assert "MFA failed" in person.error()
    person.look("sign-in-refused")
    person.follow("Resynchronise the device")
    person.look("sign-in-resync")
    person.wait(30)
    codes = two_codes(person, token)
    person.fill(MFA_code_1=codes[0], MFA_code_2=codes[1])
    person.choose("Resynchronise")
    assert "is synchronised" in person.said()
    person.wait(30)
    person.fill(Code_from_your_token_or_app=token.code())
    person.choose("Submit code")
    assert person.heading() == "Security credentials"

    person.follow("Resync token")
    person.look("resync")
    person.fill(MFA_code_1=codes[0], MFA_code_2=codes[1])
    person.choose("Resync")
    assert "not valid" in person.error()
    person.wait(60)
    codes = two_codes(person, token)
    person.fill(MFA_code_1=codes[0], MFA_code_2=codes[1])
    person.choose("Resync")
    assert person.said() == "MFA device token is synchronised."

    person.follow("Remove token")
    assert "It is your only one" in person.page.locator("main").inner_text()
    person.look("remove")
    person.follow("Cancel")
    person.follow("Remove token")
    person.choose("Remove")
    assert person.said() == "MFA device token was removed."
    assert person.devices() == []


def test_all_three_kinds(person: Person) -> None:
    """Any of them signs in."""
    verifier = person.service.verifier
    session, key = plug_in_key(person)
    app = verifier.create_authenticator_app("phone")
    phone = pyotp.TOTP(app.secret)
    [serial_number] = person.service.tokens.make("TK26")
    token = person.service.tokens.find(serial_number)
    first, now_s = token.code(), person.service.clock.now()
    person.wait(30)
    verifier.enable("root", serial_number, first, token.code(), name="key-ring")
    codes = phone.at(now_s), phone.at(now_s + 30)
    verifier.enable("root", app.serial_number, *codes, name="phone")
    person.wait(30)
    person.sign_in()
    person.fill(Code_from_your_token_or_app=phone.at(person.service.clock.now()))
    person.choose("Submit code")
    person.follow("Assign MFA device")
    person.fill(Device_name="security-key")
    person.choose("Next")
    person.choose("Register security key")
    person.page.wait_for_url("**/security-credentials")
    person.wait(3 * 86_400)
    person.open("security-credentials")
    person.sign_in()
    person.look("sign-in-three")
    person.choose("Use security key")
    person.page.wait_for_url("**/security-credentials")
    assert person.devices() == ["key-ring", "phone", "security-key"]
    person.look("credentials-three")
    person.choose("Sign out")
    person.sign_in()
    person.fill(Code_from_your_token_or_app=token.code())
    person.choose("Submit code")
    assert person.heading() == "Security credentials"

    person.choose("Sign out")
    person.sign_in()
    session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})
    plug_in_key(person)
    person.choose("Use security key")
    person.page.get_by_text("gave no answer").wait_for()
    person.look("sign-in-wrong-key")


def test_by_keyboard_alone(person: Person) -> None:
    person.open("sign-in")
    person.look("sign-in")
    person.page.keyboard.type("root")
    person.page.keyboard.press("Tab")
    person.page.keyboard.type(PASSWORD)
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/security-credentials")
    person.page.keyboard.press("Tab")
    assert focused(person) == "Skip to content"
    person.page.keyboard.press("Enter")
    person.page.keyboard.press("Tab")
    assert focused(person) == "Assign MFA device"
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/assign")
    person.page.get_by_label("Device name").focus()
    person.page.keyboard.type("phone")
    person.page.keyboard.press("Tab")
    person.page.keyboard.press("ArrowDown")
    person.page.keyboard.press("Enter")
    person.page.wait_for_url(re.compile("authenticator-app"))
    assert person.heading() == "Authenticator app"


def focused(person: Person) -> str:
    return str(person.page.evaluate("document.activeElement.textContent")).strip()


@pytest.mark.parametrize("path", ["sign-in", "nothing-there"])
def test_a_narrow_screen_scrolls_one_way(person: Person, path: str) -> None:
    person.page.set_viewport_size({"width": 320, "height": 640})
    person.open(path)
    person.look(f"narrow-{path}")
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_eight_devices(person: Person) -> None:
    serial_numbers = person.service.tokens.make(count=8)
    tokens = [person.service.tokens.find(each) for each in serial_numbers]
    firsts = [token.code() for token in tokens]
    person.wait(30)
    for number, (token, first) in enumerate(zip(tokens, firsts, strict=True), 1):
        person.service.verifier.enable(
            "root", token.serial_number, first, token.code(), name=f"token-{number}"
        )
    person.wait(30)
    person.sign_in()
    person.fill(Code_from_your_token_or_app=tokens[4].code())
    person.choose("Submit code")
    assert len(person.devices()) == 8
    assert person.page.get_by_role("link", name="Assign MFA device").count() == 0
    person.look("credentials-eight")
    person.page.set_viewport_size({"width": 320, "height": 640})
    person.look("narrow-credentials")
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 320
