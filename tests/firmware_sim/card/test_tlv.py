"""Tag, length, value, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.card.apdu import StatusWord, StatusWordError
from firmware_sim.card.tlv import TlvReader, tlv


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=400))))
def test_what_was_written_is_read(members):
    reader = TlvReader(b"".join(tlv(tag, value) for tag, value in members))
    for tag, value in members:
        assert reader.is_next(tag)
        assert reader.take(tag) == value
    reader.end()


@pytest.mark.parametrize("length", [0, 127, 128, 255, 256, 65535])
def test_lengths(length):
    assert TlvReader(tlv(0x71, bytes(length))).take(0x71) == bytes(length)


@given(st.binary(max_size=20))
def test_any_bytes_are_members_or_wrong_data(data):
    reader, status = TlvReader(data), StatusWord.WRONG_DATA
    try:
        while data and (reader.is_next(data[0]) or reader.is_next(0x78)):
            reader.take_byte(0x78) if reader.is_next(0x78) else reader.take(data[0])
        reader.end()
    except StatusWordError as error:
        status = error.status
    assert status == StatusWord.WRONG_DATA
