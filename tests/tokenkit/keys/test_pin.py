"""The PIN: set, changed and checked, and its tries counted."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys import (
    DeniedError,
    OpenKey,
    PinError,
    UnreadableKeyError,
    UnsupportedError,
    WrongPinError,
    open_key,
)
from tokenkit.keys.pin import change_pin, has_pin, read_retries, set_pin, verify_pin
from tokenkit.virtual import World, load_profile

PIN = "1234"
MakeKey = Callable[..., OpenKey]
NO_PIN = 'versions = ["FIDO_2_0"]'
CTAP_2_0 = """
versions = ["FIDO_2_0"]
options = ["clientPin"]
pin_uv_protocols = [1]
"""


def power_cycle(key: OpenKey) -> None:
    from tokenkit.virtual import connect

    assert key.security_key is not None
    key.security_key.power_cycle()
    key.device = connect(key.security_key)


def wrong(key: OpenKey, pin: str = "0000") -> str:
    with pytest.raises(WrongPinError) as caught:
        verify_pin(key, pin)
    return str(caught.value)


def test_set_verify_and_change(make_key: MakeKey) -> None:
    key = make_key()
    assert not has_pin(key)
    set_pin(key, PIN)
    assert has_pin(key)
    verify_pin(key, PIN)
    change_pin(key, PIN, "5678")
    verify_pin(key, "5678")
    assert "wrong PIN; 7 tries are left" in wrong(key, PIN)


def test_the_tries_go_down_to_nothing(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    told = []
    for _ in range(3):
        told += [wrong(key), wrong(key), wrong(key, PIN if len(told) == 6 else "0000")]
        power_cycle(key)
    again = "wrong PIN too often; unplug it and plug it in again, then"
    assert [text.partition(": ")[2] for text in told[:6]] == [
        "wrong PIN; 7 tries are left",
        "wrong PIN; 6 tries are left",
        f"{again} 5 tries are left",
        "wrong PIN; 4 tries are left",
        "wrong PIN; 3 tries are left",
        f"{again} 2 tries are left",
    ]
    assert "wrong PIN; 1 try is left" in told[6]
    for text in told[7:]:
        assert "takes no PIN any more; a reset mends that" in text
        assert "tokenkit keys reset hid:/dev/hidraw3" in text
    with pytest.raises(WrongPinError) as caught:
        change_pin(key, PIN, "5678")
    assert caught.value.status == "PIN_BLOCKED"


def test_a_right_pin_restores_the_tries(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    wrong(key)
    assert read_retries(key).pin == 7
    verify_pin(key, PIN)
    assert read_retries(key).pin == 8


def test_retries(make_key: MakeKey) -> None:
    key = make_key()
    left = read_retries(key)
    assert (left.is_set, left.pin, left.needs_power_cycle, left.uv) == (False, None, False, None)
    left = read_retries(make_key('pin_retries_before_set = "counter"'))
    assert (left.is_set, left.pin) == (False, 8)
    set_pin(key, PIN)
    for _ in range(3):
        wrong(key)
    left = read_retries(key)
    assert (left.is_set, left.pin, left.needs_power_cycle) == (True, 5, True)


def test_a_lost_count_hides_no_wrong_pin(make_key: MakeKey, alter: Any) -> None:
    key = make_key(pin=PIN)
    alter(key).answers[b"\x06\xa2\x01\x02\x02\x01"] = b"\x7f"  # getPINRetries
    assert wrong(key).endswith(": wrong PIN")
    wrong(key)
    assert "until it has been unplugged" in wrong(key)


def test_without_a_pin_there_is_nothing_to_check(make_key: MakeKey) -> None:
    for act in (lambda key: verify_pin(key, PIN), lambda key: change_pin(key, PIN, "5678")):
        with pytest.raises(DeniedError, match="tokenkit keys pin set hid:/dev/hidraw3"):
            act(make_key())


def test_a_second_first_pin_is_refused(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    with pytest.raises(PinError, match="tokenkit keys pin change hid:/dev/hidraw3"):
        set_pin(key, "5678")
    verify_pin(key, PIN)


def test_a_key_that_can_have_no_pin(make_key: MakeKey) -> None:
    key = make_key(NO_PIN, base=None)
    for act in (
        lambda: set_pin(key, PIN),
        lambda: change_pin(key, PIN, "5678"),
        lambda: verify_pin(key, PIN),
        lambda: read_retries(key),
    ):
        with pytest.raises(UnsupportedError, match="has no PIN, and no way to get one"):
            act()


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("", "has 0 characters: at least 6 are needed"),
        ("12345", "has 5 characters: at least 6 are needed"),
        ("пинко", "has 5 characters: at least 6 are needed"),  # 10 bytes
        ("e\u0301" * 5, "has 5 characters"),  # 10 before normalisation
        ("1" * 21, "has 21 characters: at most 20 fit"),
        ("😀" * 16, "has 64 bytes in UTF-8: at most 63 fit"),
        ("12345\0", "contains a zero byte"),
        ("12345\ud800", "is not UTF-8"),
    ],
)
def test_a_new_pin_is_checked_before_it_is_sent(make_key: MakeKey, pin: str, reason: str) -> None:
    key = make_key("min_pin_length = 6\nmax_pin_length = 20")
    with pytest.raises(PinError, match=reason):
        set_pin(key, pin)
    assert not has_pin(key)
    set_pin(key, "123456")
    with pytest.raises(PinError, match=reason):
        change_pin(key, "123456", pin)
    assert read_retries(key).pin == 8


@pytest.mark.parametrize("pin", ["", "123", "x" * 64])
def test_what_can_be_no_pin_costs_no_try(make_key: MakeKey, pin: str) -> None:
    key = make_key(pin=PIN)
    with pytest.raises(PinError):
        verify_pin(key, pin)
    with pytest.raises(PinError):
        change_pin(key, pin, "5678")
    assert read_retries(key).pin == 8


def test_the_key_may_want_a_better_one(make_key: MakeKey) -> None:
    with pytest.raises(DeniedError, match="a longer or a less simple one"):
        set_pin(make_key('pin_complexity = "on"'), "1234")


def test_a_pin_that_must_be_changed_is_said_so(make_key: MakeKey) -> None:
    from tokenkit.keys.config import Configuration

    key = make_key(pin=PIN)
    Configuration(key, PIN).force_pin_change()
    with pytest.raises(DeniedError, match="must be changed first: tokenkit keys pin change"):
        verify_pin(key, PIN)
    change_pin(key, PIN, "5678")
    verify_pin(key, "5678")


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4).filter(
        lambda pin: (
            len(unicodedata.normalize("NFC", pin)) >= 4
            and len(unicodedata.normalize("NFC", pin).encode()) <= 63
        )
    )
)
def test_any_normal_form_is_the_same_pin(pin: str) -> None:
    with open_key("virtual:reference", world=World(seed=1)) as key:
        set_pin(key, unicodedata.normalize("NFD", pin))
        verify_pin(key, unicodedata.normalize("NFC", pin))
        verify_pin(key, pin)


def test_a_key_of_ctap_2_0(make_key: MakeKey) -> None:
    key = make_key(CTAP_2_0, base=None, pin=PIN)
    verify_pin(key, PIN)
    assert "7 tries" in wrong(key)
    assert read_retries(key).needs_power_cycle is False


def test_a_key_whose_pin_gives_no_assertions(make_key: MakeKey) -> None:
    options = [*load_profile("reference").options, "noMcGaPermissionsWithClientPin"]
    key = make_key(f"options = {options!r}", pin=PIN)
    verify_pin(key, PIN)
    assert "7 tries" in wrong(key)


def test_pin_protocols_that_nobody_knows(make_key: MakeKey, alter: Any) -> None:
    key = make_key(pin=PIN)
    alter(key).change_info({6: [24, 25]})
    with pytest.raises(UnsupportedError, match="knows no PIN protocol"):
        verify_pin(key, PIN)


def test_a_key_that_goes_away(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    assert key.security_key is not None
    key.security_key.power_off()
    with pytest.raises(UnreadableKeyError, match="unplugged"):
        verify_pin(key, PIN)
