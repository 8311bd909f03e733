import json
from collections.abc import Mapping
from typing import Any

import pytest
from fido2 import cbor
from fido2.ctap import CtapDevice
from fido2.hid import CAPABILITY
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.keys import (
    EchoError,
    OpenKey,
    UnreadableKeyError,
    UnsupportedError,
    open_key,
    ping,
    read_info,
    wink,
)
from tokenkit.keys.info import MEMBERS, algorithm_name


def steps(*seconds: float) -> Any:
    """A timer that shows these times one after another."""
    return iter(seconds).__next__


def test_ping_measures_round_trips() -> None:
    with open_key("virtual:reference?seed=1") as key:
        result = ping(key, count=3, size=100, timer=steps(0, 3, 10, 11, 20, 22))
    assert (result.min_s, result.median_s, result.max_s) == (1, 2, 3)
    assert (result.count, result.size) == (3, 100)


@settings(max_examples=25)
@given(st.integers(0, 7609))
def test_every_size_comes_back(size: int) -> None:
    with open_key("virtual:reference?seed=1") as key:
        assert ping(key, 2, size).max_s >= 0


@pytest.mark.parametrize(("count", "size"), [(0, 1), (1, -1), (1, 7610)])
def test_impossible_pings_are_refused(count: int, size: int) -> None:
    with open_key("virtual:reference") as key, pytest.raises(ValueError, match="cannot send"):
        ping(key, count, size)


def test_a_changed_echo_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_key("virtual:reference") as key:
        monkeypatch.setattr(key.device, "ping", lambda message: b"\xff" + message[1:])
        with pytest.raises(EchoError, match="message 1 of 5 bytes came back changed"):
            ping(key, 3, 5)


def test_wink_reaches_the_key() -> None:
    with open_key("virtual:reference") as key:
        wink(key)
        assert key.security_key is not None
        assert key.security_key.winks == 1
        key.security_key.power_off()
        with pytest.raises(UnreadableKeyError, match="unplugged"):
            wink(key)
        with pytest.raises(UnreadableKeyError, match="unplugged"):
            ping(key)


def test_a_key_that_cannot_wink(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_key("virtual:reference") as key:
        monkeypatch.setattr(key.device, "_capabilities", CAPABILITY.CBOR)
        with pytest.raises(UnsupportedError, match="no WINK"):
            wink(key)


class Card(CtapDevice):
    """A device that is not on HID, and answers getInfo with ``info``."""

    def __init__(self, info: Mapping[int, Any] | None = None) -> None:
        self.info = info

    @property
    def capabilities(self) -> int:
        return 0 if self.info is None else CAPABILITY.CBOR

    def call(self, cmd: int, data: bytes = b"", *args: Any, **options: Any) -> bytes:
        return b"\0" + cbor.encode(self.info)

    @classmethod
    def list_devices(cls) -> Any:
        return iter(())


def card(info: Mapping[int, Any] | None = None) -> OpenKey:
    return OpenKey.of(Card(info), "pcsc:Reader", "Reader")


@pytest.mark.parametrize("act", [ping, wink])
def test_a_card_has_neither_ping_nor_wink(act: Any) -> None:
    with pytest.raises(UnsupportedError, match="over USB HID only"):
        act(card())


def test_info_of_the_reference_key() -> None:
    with open_key("virtual:reference") as key:
        info = read_info(key)
    assert info["versions"] == ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]
    assert info["aaguid"] == "746f6b65-6e6b-4974-8000-726566657265"
    assert info["maxMsgSize"] == 7609
    assert info["pinComplexityPolicyURL"] == "https://tokenkit.example/pin-complexity"
    assert {"alg": -7, "type": "public-key"} in info["algorithms"]


def test_every_member_is_named_and_fits_json() -> None:
    sent: dict[int, Any] = dict.fromkeys(range(1, len(MEMBERS) + 1), 0)
    sent |= {1: ["FIDO_2_3"], 3: bytes(16), 4: {"rk": True}, 0x19: b"\x01\x02", 0x2A: [b"\xff"]}
    info = read_info(card(sent))
    assert list(info) == [*MEMBERS, "0x2a"]
    assert info["encIdentifier"] == "0102"
    assert info["0x2a"] == ["ff"]
    assert json.loads(json.dumps(info)) == info


def test_a_u2f_key_has_no_info() -> None:
    with pytest.raises(UnsupportedError, match="CTAP1"):
        read_info(card())


@pytest.mark.parametrize("answer", [b"", b"\x01", b"\0", b"\0\x80", b"\0\xa1\x01"])
def test_an_answer_that_is_no_info(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    key = card({})
    monkeypatch.setattr(key.device, "call", lambda *args: answer)
    with pytest.raises(UnreadableKeyError, match="pcsc:Reader: "):
        read_info(key)


def test_algorithm_names() -> None:
    assert algorithm_name(-7) == "ES256"
    assert algorithm_name(-9999) == "-9999"
