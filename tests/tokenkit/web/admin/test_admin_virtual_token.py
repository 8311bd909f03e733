"""Virtual tokens on the screen: made, pressed, turned over, laid elsewhere, and time passes."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest


def shown(page: str) -> str:
    [digits] = re.findall(r'data-digits="(\d*)"', page)
    return str(digits)


def facts(page: str) -> dict[str, str]:
    found = re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", page)
    return {name: re.sub("<[^>]+>", "", value) for name, value in found}


@pytest.fixture
def serial_number(bench: Any) -> str:
    [made] = bench.service.tokens.make()
    return str(made)


class TestDrawer:
    def test_tokens_are_made(self, bench: Any) -> None:
        page = bench.root.post("virtual-tokens", count="3", place="car")
        assert bench.statuses(page) == ["3 tokens made."]
        assert [token.serial_number for token in bench.service.tokens.all()] == re.findall(
            r"<code>(\w+)</code>", page
        )
        assert page.count("car; nobody’s yet") == 3

    def test_owners_are_told(self, bench: Any) -> None:
        bench.enabled_token()
        assert "desk; of root" in bench.root.get("virtual-tokens")

    @pytest.mark.parametrize(
        ("count", "place"), [("0", "desk"), ("51", "desk"), ("x", "desk"), ("1", "moon")]
    )
    def test_what_cannot_be_made(self, bench: Any, count: str, place: str) -> None:
        page = bench.root.post("virtual-tokens", 400, count=count, place=place)
        assert bench.alerts(page)
        assert bench.service.tokens.all() == []

    def test_users_may_look_but_not_make(self, bench: Any) -> None:
        ann = bench.visitor("ann")
        assert "an administrator can make some" in ann.get("virtual-tokens")
        ann.post("virtual-tokens", 403, count="1", place="desk")

    def test_who_is_not_signed_in_sees_none(self, bench: Any, serial_number: str) -> None:
        stranger = bench.visitor(None)
        for path in ("virtual-tokens", "virtual-token", "virtual-token/now"):
            stranger.get(path, serial=serial_number)
            assert stranger.answer.url.path == "/console/sign-in"


class TestToken:
    def test_a_press_lights_it_and_the_code_signs_in(self, bench: Any) -> None:
        token = bench.enabled_token()
        bench.clock.advance(60)
        ann = bench.visitor("ann")
        assert shown(ann.get("virtual-token", serial=token.serial_number)) == ""
        code = shown(ann.post("virtual-token/press", serial=token.serial_number))
        assert bench.verifier.sign_in("root", code).device.serial_number == token.serial_number
        bench.clock.advance(31)
        now = ann.get("virtual-token/now", serial=token.serial_number)
        assert shown(now) == ""
        assert "<html" not in now

    def test_its_serial_number_is_on_its_back_alone(self, bench: Any, serial_number: str) -> None:
        page = bench.root.get("virtual-token", serial=serial_number)
        front, back = page.split('data-side="back"')
        assert f">{serial_number}</text>" not in front
        assert f">{serial_number}</text>" in back
        assert back.startswith(" hidden>")
        turned = bench.root.get("virtual-token", serial=serial_number, side="back")
        assert 'data-side="front" hidden' in turned

    def test_time_passes_where_it_lies_and_its_clock_errs(
        self, bench: Any, serial_number: str
    ) -> None:
        page = bench.root.post("virtual-token/move", serial=serial_number, place="warehouse")
        assert bench.statuses(page) == ["It lies here now: warehouse."]
        assert '<option value="warehouse" selected>' in page
        before_s = bench.clock.now()
        page = bench.root.post("virtual-token/advance", serial=serial_number, by="eight-months")
        assert bench.clock.now() - before_s == pytest.approx(8 * 30.436875 * 86_400)
        assert re.fullmatch(r"\d+ min( \d+ s)? behind", facts(page)["True clock error"])
        assert facts(page)["Temperature"].startswith(("4.", "5."))

    def test_where_no_named_place_is_it_stays_until_one_is_chosen(self, bench: Any) -> None:
        [serial_number] = bench.service.tokens.make(place="5 °C")
        page = bench.root.get("virtual-token", serial=serial_number)
        assert re.findall(r"<option ([^>]*)>(5 °C[^<]*)<", page) == [
            ('value="" selected disabled', "5 °C, where it lies now")
        ]
        assert page.count(" selected") == 1
        assert '<select id="place" name="place" required>' in page
        assert bench.alerts(bench.root.post("virtual-token/move", 400, serial=serial_number))
        assert bench.service.tokens.place(serial_number) == "5 °C"

    def test_its_titles_say_which_it_is(self, bench: Any, serial_number: str) -> None:
        page = bench.root.get("virtual-token", serial=serial_number)
        assert f"<title>Virtual token {serial_number} – tokenkit</title>" in page
        assert f"<h1>Virtual token {serial_number}</h1>" in page

    def test_only_administrators_move_the_clock(self, bench: Any, serial_number: str) -> None:
        ann, before_s = bench.visitor("ann"), bench.clock.now()
        assert "Eight months" not in ann.get("virtual-token", serial=serial_number)
        ann.post("virtual-token/advance", 403, serial=serial_number, by="hour")
        assert bench.clock.now() == before_s

    def test_but_everybody_waits_a_step_where_it_stands_still(
        self, bench: Any, serial_number: str
    ) -> None:
        """Also who is no further than the password: two codes are needed to resynchronise."""
        bench.enabled_token("ann")
        browser = bench.visitor(None).browser
        browser.sign_in("ann")
        assert browser.page == "sign-in/mfa"
        browser.open(f"virtual-token?serial={serial_number}")
        before_s = bench.clock.now()
        browser.send("virtual-token/advance", serial=serial_number, by="step")
        assert bench.clock.now() == before_s + 30
        assert "Half a minute later." in browser.answer.text
        assert browser.open("sign-in/mfa").url.path == "/console/sign-in/mfa"

    @pytest.mark.parametrize(
        ("path", "fields"),
        [("virtual-token/advance", {"by": "-1"}), ("virtual-token/move", {"place": "moon"})],
    )
    def test_what_cannot_be(
        self, bench: Any, serial_number: str, path: str, fields: dict[str, str]
    ) -> None:
        before_s = bench.clock.now()
        assert bench.alerts(bench.root.post(path, 400, serial=serial_number, **fields))
        assert bench.clock.now() == before_s

    def test_time_ends(self, bench: Any, serial_number: str) -> None:
        bench.clock.set(datetime(9998, 12, 1, tzinfo=UTC).timestamp())
        root = bench.visitor("root")
        page = root.post("virtual-token/advance", 400, serial=serial_number, by="eight-months")
        assert "year 9998" in bench.alerts(page)[0]
        root.get("security-credentials")

    def test_looking_at_it_keeps_nobody_signed_in(self, bench: Any, serial_number: str) -> None:
        """Its page does so each second, as long as it is open."""
        ann = bench.visitor("ann")
        for _ in range(29):
            bench.clock.advance(60)
            ann.get("virtual-token/now", serial=serial_number)
        assert ann.answer.url.path == "/console/virtual-token/now"
        bench.clock.advance(60)
        ann.get("virtual-token/now", serial=serial_number)
        assert ann.answer.url.path == "/console/sign-in"

    def test_an_unknown_token(self, bench: Any) -> None:
        for path in ("virtual-token", "virtual-token/now"):
            page = bench.root.get(path, 404, serial="TKTEST99999999")
            assert bench.alerts(page) == ["There is no virtual token TKTEST99999999."]

    def test_a_battery_that_is_empty(self, bench: Any, serial_number: str) -> None:
        for _ in range(7):
            bench.root.post("virtual-token/advance", serial=serial_number, by="eight-months")
        page = bench.root.post("virtual-token/press", serial=serial_number)
        assert shown(page) == ""
        assert facts(page)["Display"] == "dark: its battery is empty"

    def test_no_inline_style_or_script(self, bench: Any, serial_number: str) -> None:
        page = bench.root.get("virtual-token", serial=serial_number)
        assert not re.search(r" style=|<style|<script>| on\w+=", page)
