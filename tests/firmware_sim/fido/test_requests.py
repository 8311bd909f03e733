"""Requests that are not even commands, fuzzed ones, and truth in getInfo."""

import pytest
from fido2 import cbor
from fido2.ctap import CtapError
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.world.flash import FlashError

STATUSES = {status.value for status in CtapError.ERR}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x55", "INVALID_COMMAND"),
        (b"\x04\xa0", "INVALID_LENGTH"),
        (b"\x08\x00", "INVALID_LENGTH"),
        (b"\x01", "INVALID_CBOR"),
        (b"\x01\x00", "CBOR_UNEXPECTED_TYPE"),
        (b"\x01\xa1", "INVALID_CBOR"),
        (b"\x01\xa0\x00", "INVALID_CBOR"),
        (b"\x02\xa2\x02\x00\x01\x00", "INVALID_CBOR"),
        (b"\x02\xbf\xff", "INVALID_CBOR"),
        (b"\x02\xa1\x01\xf6", "CBOR_UNEXPECTED_TYPE"),
        (b"\x02\xa1\x18\x01\x00", "INVALID_CBOR"),
    ],
)
def test_malformed_requests(bench, request_, status):
    assert CtapError.ERR(bench.raw(request_)[0]).name == status


def test_a_request_larger_than_the_profile_says(bench, monkeypatch):
    import dataclasses

    authenticator = bench.key._authenticator
    small = dataclasses.replace(bench.key.profile, max_msg_size=1024)
    monkeypatch.setattr(authenticator, "profile", small)
    assert bench.raw(bytes([1]) + bytes(1023))[0] == CtapError.ERR.INVALID_CBOR
    assert bench.raw(bytes([1]) + bytes(1024))[0] == CtapError.ERR.REQUEST_TOO_LARGE


def test_storage_that_fails_is_a_status_not_a_crash(bench, monkeypatch):
    def full(changes):
        raise FlashError("disk full")

    monkeypatch.setattr(bench.key.flash, "write", full)
    assert bench.fails(bench.make) == "OTHER"
    monkeypatch.undo()
    bench.make()


leaves = (
    st.integers(-300, 300)
    | st.binary(max_size=40)
    | st.text(max_size=12)
    | st.booleans()
    | st.sampled_from(["public-key", "example.com", "up", "rk", "uv", bytes(32)])
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(-3, 12) | st.sampled_from(["id", "type", "alg"]), inner)
    ),
    max_leaves=8,
)
structured = st.tuples(
    st.sampled_from([1, 2, 4, 6, 7, 8, 0x0B, 0x0C, 0x40]),
    st.dictionaries(st.integers(0, 12), trees, max_size=6),
).map(lambda parts: bytes([parts[0]]) + cbor.encode(parts[1]))


@settings(max_examples=400)
@given(st.lists(structured | st.binary(min_size=1, max_size=200), min_size=1, max_size=4))
def test_fuzzed_requests_get_a_status_or_canonical_cbor(bench, requests):
    for request in requests:
        answer = bench.raw(request)
        assert answer[0] in STATUSES
        if answer[0] == 0 and len(answer) > 1:
            assert cbor.encode(cbor.decode(answer[1:])) == answer[1:]
        else:
            assert len(answer) == 1
