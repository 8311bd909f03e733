"""Parsing of command APDUs: the seven cases, and all that is none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.card.apdu import Apdu, StatusWord, StatusWordError, parse_apdu

HEAD = bytes((0x00, 0xA4, 0x04, 0x00))


@pytest.mark.parametrize(
    ("body", "data", "expected", "extended", "room"),
    [
        ("", "", None, False, 256),
        ("00", "", 256, False, 256),
        ("07", "", 7, False, 7),
        ("02aabb", "aabb", None, False, 256),
        ("02aabb00", "aabb", 256, False, 256),
        ("01aa05", "aa", 5, False, 5),
        ("000000", "", 65536, True, 65536),
        ("000102", "", 258, True, 258),
        ("000002aabb", "aabb", None, True, 65536),
        ("000002aabb0000", "aabb", 65536, True, 65536),
        ("000001aa0300", "aa", 768, True, 768),
        ("0000000000", "", 65536, True, 65536),  # old U2F hosts' request for the version
    ],
)
def test_cases(body, data, expected, extended, room):
    apdu = parse_apdu(HEAD + bytes.fromhex(body))
    assert apdu == Apdu(*HEAD, bytes.fromhex(data), expected, extended)
    assert apdu.room == room


@pytest.mark.parametrize("length", [255, 256, 65535])
def test_the_longest(length):
    data = bytes(length)
    if length < 256:
        assert parse_apdu(HEAD + b"\xff" + data).data == data
    assert parse_apdu(HEAD + b"\0" + length.to_bytes(2, "big") + data + b"\0\0").data == data


@pytest.mark.parametrize(
    "message", ["", "00", "00a404", "00a404000000", "00a4040002aa", "00a4040001aa0000",
                "00a40400000002aa", "00a40400000001aa00", "00a40400000001aa000000",
                "00a4040000ffff00"]
)  # fmt: skip
def test_malformed(message):
    with pytest.raises(StatusWordError) as raised:
        parse_apdu(bytes.fromhex(message))
    assert raised.value.status == StatusWord.WRONG_LENGTH


@given(
    head=st.binary(min_size=4, max_size=4),
    data=st.binary(max_size=600),
    expected=st.none() | st.integers(1, 65536),
    extended=st.booleans(),
)
def test_what_was_written_is_read(head, data, expected, extended):
    extended = extended or len(data) > 255 or (expected or 0) > 256
    width = 2 if extended else 1
    body = b""
    if data:
        body += (b"\0" if extended else b"") + len(data).to_bytes(width, "big") + data
    if expected is not None:
        short_of_zero = expected % (1 << 8 * width)
        body += (b"\0" if extended and not data else b"") + short_of_zero.to_bytes(width, "big")
    apdu = parse_apdu(head + body)
    assert apdu == Apdu(*head, data, expected, extended and bool(body))


@given(
    st.binary(max_size=40) | st.binary(min_size=4, max_size=4).map(lambda head: head + b"\0" * 9)
)
def test_any_bytes_are_a_command_or_of_wrong_length(message):
    try:
        apdu = parse_apdu(message)
    except StatusWordError as error:
        status = error.status
    else:
        status = StatusWord.WRONG_LENGTH
        assert bytes((apdu.cla, apdu.ins, apdu.p1, apdu.p2)) == message[:4]
        assert apdu.data in message[4:]
        assert 1 <= apdu.room <= 65536
    assert status == StatusWord.WRONG_LENGTH
