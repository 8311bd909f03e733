"""Requests that are not even commands, and truth in getInfo."""

import pytest
from fido2.ctap import CtapError

from firmware_sim.world.flash import FlashError


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


def test_storage_that_fails_is_a_status_and_a_log_line(bench, monkeypatch, caplog):
    def full(changes):
        raise FlashError("disk full")

    monkeypatch.setattr(bench.key.flash, "write", full)
    assert bench.fails(bench.make) == "OTHER"
    assert caplog.messages == ["disk full"]
    monkeypatch.undo()
    bench.make()
