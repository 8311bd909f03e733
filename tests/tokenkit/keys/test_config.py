"""Settings: read, changed, and refused where the key does not offer them."""

from collections.abc import Callable
from typing import Any

import pytest
from fido2 import cbor

from tokenkit.keys import (
    DeniedError,
    OpenKey,
    PinError,
    UnreadableKeyError,
    UnsupportedError,
    WrongPinError,
    open_key,
)
from tokenkit.keys.config import Configuration, Setting, read_settings, require_setting
from tokenkit.virtual import World

PIN = "1379"  # not a simple one
ALL = tuple(Setting)
MakeKey = Callable[..., OpenKey]
MIN_LENGTH_ONLY = """
versions = ["FIDO_2_0"]
options = ["authnrCfg", "clientPin", "pinUvAuthToken", "setMinPINLength"]
pin_uv_protocols = [2]
extensions = ["minPinLength"]
"""


@pytest.fixture(params=[None, PIN], ids=["without a PIN", "with a PIN"])
def pin(request: pytest.FixtureRequest) -> str | None:
    value: str | None = request.param
    return value


def test_what_the_reference_key_says(make_key: MakeKey) -> None:
    settings = read_settings(make_key())
    assert settings.changeable == ALL
    assert settings.min_pin_length == 4
    assert settings.max_rp_ids == 8
    off = (
        settings.always_uv,
        settings.force_pin_change,
        settings.pin_complexity,
        settings.enterprise_attestation,
        settings.long_touch_for_reset,
        settings.has_pin,
    )
    assert off == (False,) * 6


def test_always_uv(make_key: MakeKey, pin: str | None) -> None:
    key = make_key(pin=pin)
    assert Configuration(key, pin).set_always_uv(True)
    assert read_settings(key).always_uv
    assert not Configuration(key, pin).set_always_uv(True)
    assert read_settings(key).always_uv
    assert Configuration(key, pin).set_always_uv(False)
    assert read_settings(key).always_uv is False


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (Configuration.enable_enterprise_attestation, "enterprise_attestation"),
        (Configuration.enable_long_touch_for_reset, "long_touch_for_reset"),
        (Configuration.enable_pin_complexity, "pin_complexity"),
    ],
)
def test_what_can_be_switched_on(
    make_key: MakeKey, pin: str | None, change: Callable[[Configuration], None], name: str
) -> None:
    key = make_key(pin=pin)
    change(Configuration(key, pin))
    assert getattr(read_settings(key), name) is True
    change(Configuration(key, pin))
    assert getattr(read_settings(key), name) is True


def test_the_minimum_grows_and_forces_a_longer_pin(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    Configuration(key, PIN).set_min_pin_length(6, ["a.example", "b.example"])
    settings = read_settings(key)
    assert (settings.min_pin_length, settings.force_pin_change) == (6, True)
    with pytest.raises(PinError, match="is 6, and can only grow, to 63 at most: 5 cannot be"):
        Configuration(make_key("min_pin_length = 6"), None).set_min_pin_length(5)


def test_a_forced_change(make_key: MakeKey) -> None:
    key = make_key(pin=PIN)
    Configuration(key, PIN).force_pin_change()
    settings = read_settings(key)
    assert (settings.min_pin_length, settings.force_pin_change) == (4, True)
    with pytest.raises(DeniedError, match="has no PIN"):
        Configuration(make_key(), None).force_pin_change()


def test_more_rp_ids_than_fit(make_key: MakeKey) -> None:
    with pytest.raises(UnsupportedError, match=r"8 RP IDs at most .* not 9"):
        Configuration(make_key(), None).set_min_pin_length(4, [f"{n}.example" for n in range(9)])


@pytest.mark.parametrize(
    "setting", [each for each in Setting if each not in ("min-pin-length", "force-pin-change")]
)
def test_what_a_key_does_not_offer(make_key: MakeKey, setting: Setting) -> None:
    key = make_key(MIN_LENGTH_ONLY, base=None)
    with pytest.raises(UnsupportedError) as caught:
        require_setting(key, setting)
    assert f"does not offer {setting}; it offers: min-pin-length, force-pin-change" in str(
        caught.value
    )
    changes: dict[str, Callable[[Configuration], Any]] = {
        "always-uv": lambda c: c.set_always_uv(True),
        "enterprise-attestation": Configuration.enable_enterprise_attestation,
        "long-touch-for-reset": Configuration.enable_long_touch_for_reset,
        "pin-complexity": Configuration.enable_pin_complexity,
    }
    with pytest.raises(UnsupportedError, match="does not offer"):
        changes[setting](Configuration(key, None))


def test_a_key_without_settings(make_key: MakeKey) -> None:
    key = make_key('versions = ["FIDO_2_0"]', base=None)
    assert read_settings(key).changeable == ()
    for act in (lambda: Configuration(key, None), lambda: require_setting(key, Setting.ALWAYS_UV)):
        with pytest.raises(UnsupportedError, match="no settings that can be changed"):
            act()


def test_an_older_key_shows_what_it_offers_by_its_options(make_key: MakeKey, alter: Any) -> None:
    key = make_key("long_touch_for_reset = 'absent'")
    alter(key).change_info({0x1F: None})
    assert read_settings(key).changeable == ALL[:-1]


def test_a_key_may_refuse(make_key: MakeKey, alter: Any) -> None:
    key = make_key()
    alter(key).answers[b"\x0d"] = b"\x27"
    with pytest.raises(DeniedError, match="does not let always-uv be changed"):
        Configuration(key, None).set_always_uv(True)


def test_the_pin_is_checked(make_key: MakeKey) -> None:
    with pytest.raises(WrongPinError):
        Configuration(make_key(pin=PIN), "0000")


@pytest.mark.parametrize(
    ("number", "nonsense"),
    [(4, []), (4, {"alwaysUv": b"no"}), (4, {"ep": 1}), (0x0D, "4"), (0x10, []), (0x1F, 2)],
)
def test_a_key_that_talks_nonsense(
    number: int, nonsense: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = {1: ["FIDO_2_1"], 3: bytes(16), 4: {"authnrCfg": True}, number: nonsense}
    with open_key("virtual:reference", world=World(seed=1)) as key:
        monkeypatch.setattr(key.device, "call", lambda *_: b"\0" + cbor.encode(info))
        with pytest.raises(UnreadableKeyError, match=r"its answer is not as CTAP says: .* is "):
            read_settings(key)
