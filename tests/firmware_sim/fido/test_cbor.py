"""The strict CBOR codec against python-fido2's and cbor2's."""

import cbor2
import pytest
from fido2 import cbor as fido2_cbor
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.fido import cbor

integers = st.integers(-(2**64), 2**64 - 1)
keys = integers | st.text(max_size=20) | st.binary(max_size=20)
leaves = keys | st.booleans()


def nested(depth):
    if depth == 0:
        return leaves
    inner = nested(depth - 1)
    return leaves | st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)


values = nested(cbor.MAX_DEPTH)


def typed(value):
    """Tells True from 1, which compare equal."""
    if isinstance(value, dict):
        return {k: typed(v) for k, v in value.items()}
    return [typed(v) for v in value] if isinstance(value, list) else (type(value), value)


@given(values)
def test_what_is_encoded_decodes_and_matches_the_peers(value):
    encoded = cbor.encode(value)
    assert encoded == fido2_cbor.encode(value)
    assert typed(cbor.decode(encoded)) == typed(value)
    assert cbor2.loads(encoded) == value


@given(
    st.binary(max_size=40)
    | values.map(cbor.encode).flatmap(
        lambda e: st.tuples(st.integers(0, len(e) - 1), st.integers(0, 255)).map(
            lambda p: e[: p[0]] + bytes([p[1]]) + e[p[0] + 1 :]
        )
    )
)
def test_bytes_are_refused_or_are_the_one_encoding_of_their_value(data):
    try:
        value = cbor.decode(data)
    except cbor.CborError:
        return
    assert cbor.encode(value) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "truncated"),
        ("1817", "shortest"),
        ("1900ff", "shortest"),
        ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"),
        ("1901", "truncated"),
        ("4201", "truncated"),
        ("62c328", "UTF-8"),
        ("5f4101ff", "indefinite"),
        ("1c", "reserved"),
        ("f81f", "shortest"),
        ("f8", "truncated"),
        ("fb3ff00000", "truncated"),
        ("fc", "reserved"),
        ("c001", "tags"),
        ("0000", "after the item"),
        ("a201000100", "repeated"),
        ("a202000100", "out of order"),
        ("a2616200616100", "out of order"),
        ("a220000100", "out of order"),
        ("a1800000", "map key"),
        ("a1f50000", "map key"),
        ("8181818181" + "00", "deeply"),
        ("9bffffffffffffffff", "truncated"),
    ],
)
def test_bad_input_is_named(data, reason):
    with pytest.raises(cbor.CborError, match=reason):
        cbor.decode(bytes.fromhex(data))


@pytest.mark.parametrize("value", [None, 1.5, {1: None}, [(1,)], 2**64, -(2**64) - 1])
def test_values_without_a_place_in_ctap2_are_refused(value):
    with pytest.raises(cbor.CborError):
        cbor.encode(value)
