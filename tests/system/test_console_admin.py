"""Administrators and virtual tokens in a real browser: with a mouse, by keyboard, read aloud."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tokenkit.service import Service
from tokenkit.verifier import InvalidAuthenticationCode, TotpPolicy, Verifier, WebAuthnPolicy
from tokenkit.virtual import AdvancedClock, World, csv_file
from tokenkit.web.app import console_app

from .browser import FLAGS

CHROMIUM = shutil.which("chromium")
pytest.importorskip("playwright", reason="no Playwright: pip install 'tokenkit[system-tests]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

PASSWORD = "correct horse"
PAGES = {
    "virtual-tokens": "virtual-tokens",
    "virtual-token": "virtual-token?serial=TKTEST00000001",
    "virtual-token-back": "virtual-token?serial=TKTEST00000001&side=back",
    "users": "admin/users",
    "user": "admin/users/ann",
    "delete-user": "admin/users/ann/delete",
    "devices": "admin/devices",
    "clock": "admin/device?serial=TKTEST00000001",
    "seeds": "admin/seeds",
    "audit": "admin/audit",
}


class Console:
    """A service whose clock runs, and a browser at its console."""

    def __init__(self, port: int) -> None:
        world = World(seed=1, clock=AdvancedClock())
        self.url = f"http://localhost:{port}/console/"
        self.verifier = Verifier(
            now=world.clock.now,
            totp=TotpPolicy(drift="rate"),
            webauthn=WebAuthnPolicy(rp_id="localhost", origin=f"http://localhost:{port}"),
        )
        self.service = Service(self.verifier, world)
        self.verifier.set_password("root", PASSWORD)
        self.verifier.create_user("ann")
        self.verifier.set_password("ann", PASSWORD)
        self.page: Any = None
        self.complaints: list[str] = []

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self, user: str) -> None:
        self.open("sign-in")
        self.page.get_by_label("User name").fill(user)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(re.compile("security-credentials|sign-in/mfa"))

    def new_page(self, **options: Any) -> None:
        """Another browser, which knows no cookie."""
        browser = self.page.context.browser
        self.page.context.close()
        self._take(browser.new_context(**options).new_page())

    def _take(self, page: Any) -> None:
        self.page = page
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: Any) -> None:
        # such as what the content security policy forbids; a page with status 403 is none
        if message.type == "error" and "(Forbidden)" not in message.text:
            self.complaints.append(message.text)

    def press(self) -> str:
        """Press the button of the token that is on the screen; the code."""
        self.page.get_by_role("button", name="Press the token’s button").click()
        self.page.wait_for_selector("[data-digits]:not([data-digits=''])")
        return str(self.page.locator("[data-digits]").get_attribute("data-digits"))

    def look(self, name: str) -> None:
        """Take a picture where somebody wants some, and let axe-core look at the page."""
        from axe_playwright_python.sync_playwright import Axe

        folder = os.environ.get("TOKENKIT_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{folder}/admin-{name}.png", full_page=True)
        violations = Axe().run(self.page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == [], name


@pytest.fixture
def console(serve_app: Callable[..., Any]) -> Iterator[Console]:
    from playwright.sync_api import sync_playwright

    made: list[Console] = []

    def make(port: int) -> Starlette:
        made.append(Console(port))
        return Starlette(routes=[Mount("/console", console_app(made[0].service))])

    with sync_playwright() as playwright, serve_app(make):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        made[0]._take(browser.new_page())
        yield made[0]
        browser.close()
    made[0].verifier.close()
    assert made[0].complaints == []


def enabled_token(console: Console) -> None:
    """ann's, which lay in the warehouse for months and is well known."""
    clock, tokens = console.service.clock, console.service.tokens
    [serial_number] = tokens.make(place="warehouse")
    token = tokens.find(serial_number)
    code1 = token.code()
    clock.advance(30)
    console.verifier.enable("ann", serial_number, code1, token.code(), name="ann-token")
    for _ in range(6):
        clock.advance(20 * 86_400)
        console.verifier.sign_in("ann", token.code(), serial_number=serial_number)
    clock.advance(60 * 86_400)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pages_pass_axe(console: Console, scheme: str) -> None:
    enabled_token(console)
    console.new_page(color_scheme=scheme)
    console.sign_in("root")
    for name, path in PAGES.items():
        console.open(path)
        console.look(f"{name}-{scheme}")


def test_on_a_telephone_nothing_is_cut_off(console: Console) -> None:
    """What is wide scrolls within itself."""
    enabled_token(console)
    console.new_page(viewport={"width": 360, "height": 720})
    console.sign_in("root")
    for name, path in PAGES.items():
        console.open(path)
        width = console.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, name
        console.look(f"{name}-telephone")


def enabled_app(console: Console, name: str) -> None:
    """ann's, locked by wrong codes."""
    import pyotp

    verifier, clock = console.verifier, console.service.clock
    app = verifier.create_authenticator_app(name)
    totp, now_s = pyotp.TOTP(app.secret), int(clock.now())
    verifier.enable("ann", app.serial_number, totp.at(now_s - 30), totp.at(now_s), name=name)
    for _ in range(verifier.totp.lock_after):
        clock.advance(600)
        code = f"{(int(totp.at(int(clock.now()))) + 1) % 1_000_000:06d}"
        with pytest.raises(InvalidAuthenticationCode):
            verifier.sign_in("ann", code, serial_number=app.serial_number)


def cut_off(console: Console) -> list[str]:
    """The elements that are wider than there is room."""
    wide: list[str] = console.page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter(each =>
            !each.closest("thead, .visually-hidden, svg")
            && (each.getBoundingClientRect().right > document.documentElement.clientWidth
                || each.clientWidth && each.scrollWidth > each.clientWidth + 1)
        ).map(each => each.outerHTML)"""
    )
    return wide


@pytest.mark.parametrize("width", [1280, 1100, 820, 360])
@pytest.mark.parametrize("name", ["anns-telephone", "w" * 128])
def test_of_devices_nothing_is_cut_off(console: Console, width: int, name: str) -> None:
    """The Devices page, and what it finds amiss, at once and whole: nothing to scroll sideways."""
    enabled_app(console, name)
    enabled_token(console)
    console.new_page(viewport={"width": width, "height": 900})
    console.sign_in("root")
    for path in ("admin/devices", "admin/users/ann"):
        console.open(path)
        assert cut_off(console) == []
        table = console.page.get_by_role("table", name="MFA devices")
        assert table.get_by_role("row").count() == 3
        assert table.get_by_role("link", name="Clock error of TKTEST00000001").is_visible()
        assert table.get_by_role("button", name=re.compile("^Unlock")).is_visible()
        console.look(f"{path.split('/')[1]}-{width}-{name[:4]}")


def test_a_long_serial_number_leaves_room_for_the_log(console: Console) -> None:
    enabled_app(console, "w" * 128)
    console.new_page(viewport={"width": 1100, "height": 900})
    console.sign_in("root")
    console.open("admin/audit")
    assert cut_off(console) == []
    console.look("audit-1100")


def test_the_walk_with_no_hardware(console: Console) -> None:
    """Assign a token, sign in, lose it in the warehouse for years, fall out of sync, resync."""
    page = console.page
    console.sign_in("root")
    console.open("virtual-tokens")
    page.get_by_role("button", name="Make tokens").click()
    page.get_by_role("link", name="TKTEST").click()
    page.get_by_role("button", name="Turn it over").click()
    serial_number = page.locator("[data-side=back] svg text").nth(1).text_content()
    assert page.locator("#token-said").text_content() == f"Serial number {serial_number}"
    page.get_by_role("button", name="Turn it face up").click()
    address = page.url

    def two_codes() -> tuple[str, str]:
        page.goto(address)
        code1 = console.press()
        page.get_by_role("button", name="Half a minute later").click()
        return code1, console.press()

    code1, code2 = two_codes()
    console.open("assign?name=my-token&kind=hardware-token")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("textbox", name="Serial number").fill(serial_number)
    fill_codes(page, code1, code2)
    page.get_by_role("button", name="Add MFA").click()
    page.wait_for_url("**/security-credentials")
    assert serial_number in page.content()

    page.goto(address)
    page.get_by_label("Place").select_option("warehouse")
    page.get_by_role("button", name="Lay it there").click()
    for _ in range(2):
        page.get_by_role("button", name="Eight months later").click()
    assert re.search(r"True clock error</dt><dd>\d+ min( \d+ s)? behind", page.content())

    page.get_by_role("button", name="Sign out").click()
    console.sign_in("root")
    page.goto(address)  # who knows the password may look into the drawer
    code = console.press()
    console.open("sign-in/mfa")
    page.get_by_label("Code from your token or app").fill(code)
    page.get_by_role("button", name="Submit code").click()
    assert "MFA failed" in page.get_by_role("alert").text_content()
    console.service.clock.advance(30)  # as one waits who gave a wrong code
    page.goto(address)
    code1 = console.press()
    console.service.clock.advance(30)
    page.goto(address)
    code2 = console.press()
    console.open("sign-in/resync")
    fill_codes(page, code1, code2)
    page.get_by_role("button", name="Resynchronise").click()
    page.wait_for_url("**/sign-in/mfa")
    console.service.clock.advance(30)
    page.goto(address)
    code = console.press()
    console.open("sign-in/mfa")
    page.get_by_label("Code from your token or app").fill(code)
    page.get_by_role("button", name="Submit code").click()
    page.wait_for_url("**/security-credentials")

    console.open(f"admin/device?serial={serial_number}")
    console.look("clock-after-the-walk")
    assert page.locator("svg.drift .proof title").count() == 2  # enabled, resynchronised


def fill_codes(page: Any, code1: str, code2: str) -> None:
    for name, code in (("code1", code1), ("code2", code2)):
        page.locator(f"input[name={name}]").fill(code)


def test_the_token_is_pressed_by_keyboard_and_read_aloud(console: Console) -> None:
    page = console.page
    [serial_number] = console.service.tokens.make()
    console.sign_in("root")
    console.open(f"virtual-token?serial={serial_number}")
    button = page.get_by_role("button", name="Press the token’s button")
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-digits]:not([data-digits=''])")
    digits = page.locator("[data-digits]").get_attribute("data-digits")
    said = page.locator("#token-said")
    assert said.text_content() == f"The display shows {' '.join(digits)}"
    assert said.get_attribute("role") == "status"
    assert button.evaluate("element => element === document.activeElement")
    assert digits == console.service.tokens.find(serial_number).display().digits


def test_the_display_ticks_and_goes_dark_by_itself(console: Console) -> None:
    page = console.page
    [serial_number] = console.service.tokens.make()
    console.sign_in("root")
    console.open(f"virtual-token?serial={serial_number}")
    console.press()
    before = page.locator("#token-now dd").nth(1).text_content()
    page.wait_for_function(
        "before => document.querySelectorAll('#token-now dd')[1].textContent !== before", arg=before
    )
    console.service.clock.advance(31)
    page.wait_for_selector("[data-digits='']")
    assert page.locator("#token-said").text_content() == "The display is dark"


def test_without_javascript_the_token_works_by_forms(console: Console) -> None:
    [serial_number] = console.service.tokens.make()
    console.new_page(java_script_enabled=False)
    console.sign_in("root")
    console.open(f"virtual-token?serial={serial_number}")
    digits = console.press()
    assert digits == console.service.tokens.find(serial_number).display().digits
    console.page.get_by_role("button", name="Turn it over").click()
    assert console.page.locator("[data-side=back]").is_visible()


def test_a_seed_file_is_mended_and_imported(console: Console) -> None:
    page = console.page
    contents = csv_file(World(seed=9).make_batch("BATCH", 3).tokens)
    faulty = contents.replace(b"BATCH00000002", b"short")
    console.sign_in("root")

    def upload(data: bytes) -> None:
        console.open("admin/seeds")
        file = {"name": "seeds.csv", "mimeType": "text/csv", "buffer": data}
        page.get_by_label("Seed file").set_input_files(file)
        page.get_by_role("button", name="Look into it").click()
        page.wait_for_selector("text=What is in seeds.csv")

    upload(faulty)
    assert page.get_by_role("row", name=re.compile("line 3 serial number 'short'")).is_visible()
    assert page.get_by_role("button", name=re.compile("Import")).count() == 0
    console.look("seeds-faults")
    upload(contents)
    console.look("seeds-preview")
    page.get_by_role("button", name="Import 3 tokens").click()
    assert "3 tokens imported from seeds.csv." in page.get_by_role("status").first.text_content()


def test_the_log_is_exported(console: Console) -> None:
    console.sign_in("root")
    console.open("admin/audit")
    with console.page.expect_download() as download:
        console.page.get_by_role("link", name=re.compile("Export")).click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "begin-session"
