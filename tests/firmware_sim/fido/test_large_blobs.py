"""authenticatorLargeBlobs and largeBlobKey, by python-fido2's LargeBlobs and by hand."""

import dataclasses
import hashlib

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap2 import LargeBlobs, PinProtocolV1, PinProtocolV2
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.world.flash import MemoryFlash, PowerCutError

PIN = "271828"
EMPTY = bytes.fromhex("8076be8b528d0075f7aae98d6fa57a6d3c")
FRAGMENT = 7609 - 64


def checked(data):
    return data + hashlib.sha256(data).digest()[:16]


def read(bench, size=FRAGMENT):
    return bench.ctap.large_blobs(0, get=size)[1]


def write(bench, data, offset=0, length=None, **more):
    return bench.ctap.large_blobs(offset, set=data, length=length, **more)


def test_a_new_key_holds_an_empty_array(bench):
    assert read(bench) == EMPTY
    assert bench.ctap.large_blobs(1, get=3)[1] == EMPTY[1:4]
    assert bench.ctap.large_blobs(17, get=3)[1] == b""


@pytest.mark.parametrize("protocol", [PinProtocolV1, PinProtocolV2])
def test_blobs_by_python_fido2(bench, protocol):
    keys = [
        bench.make(user, options={"rk": True}, extensions={"largeBlobKey": True}).large_blob_key
        for user in (b"one", b"two")
    ]
    assert len({*keys}) == 2
    bench.pin().set_pin(PIN)

    def blobs():
        client = bench.pin(protocol())
        token = client.get_pin_token(PIN, client.PERMISSION.LARGE_BLOB_WRITE)
        return LargeBlobs(bench.ctap, client.protocol, token)

    for key, blob in zip(keys, (b"first", bytes(3000)), strict=True):
        blobs().put_blob(key, blob)
    bench.power_cycle()
    reader = LargeBlobs(bench.ctap)
    assert [reader.get_blob(key) for key in keys] == [b"first", bytes(3000)]
    blobs().delete_blob(keys[0])
    assert LargeBlobs(bench.ctap).get_blob(keys[0]) is None


def test_the_key_comes_with_assertions(bench):
    made = bench.make(options={"rk": True}, extensions={"largeBlobKey": True})
    assert made.auth_data.extensions is None
    assert len(made.large_blob_key) == 32
    bench.power_cycle()
    answer = bench.get(made, extensions={"largeBlobKey": True})
    assert answer.large_blob_key == made.large_blob_key
    assert bench.get(made).large_blob_key is None
    without = bench.make(b"other", options={"rk": True})
    assert without.large_blob_key is None
    assert bench.get(without, extensions={"largeBlobKey": True}).large_blob_key is None


@pytest.mark.parametrize(
    ("rk", "value", "status"),
    [
        (False, True, "INVALID_OPTION"),
        (True, False, "INVALID_OPTION"),
        (True, 1, "CBOR_UNEXPECTED_TYPE"),
    ],
)
def test_wrong_inputs(bench, rk, value, status):
    extensions = {"largeBlobKey": value}
    assert bench.fails(bench.make, options={"rk": rk}, extensions=extensions) == status
    if value is not True:
        made = bench.make(options={"rk": True}, extensions={"largeBlobKey": True})
        assert bench.fails(bench.get, made, extensions=extensions) == status


def test_the_largeblob_extension_as_browsers_ask_for_it(bench):
    bench.pin().set_pin(PIN)

    class User(UserInteraction):
        def request_pin(self, permissions, rp_id):
            return PIN

    client = Fido2Client(
        bench.device,
        client_data_collector=DefaultClientDataCollector(f"https://{bench.rp_id}"),
        user_interaction=User(),
    )
    made = client.make_credential(
        {
            "rp": {"id": bench.rp_id, "name": "Example"},
            "user": {"id": b"user", "name": "user", "displayName": "User"},
            "challenge": bytes(32),
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "authenticatorSelection": {"residentKey": "required"},
            "extensions": {"largeBlob": {"support": "required"}},
        }
    )
    assert made.client_extension_results.large_blob.supported is True

    def ask(inputs):
        selection = client.get_assertion(
            {
                "rpId": bench.rp_id,
                "challenge": bytes(32),
                "allowCredentials": [{"type": "public-key", "id": made.raw_id}],
                "extensions": {"largeBlob": inputs},
            }
        )
        return selection.get_response(0).client_extension_results.large_blob

    assert ask({"write": b"kept"}).written is True
    assert ask({"read": True}).blob == b"kept"


@given(data=st.binary(min_size=1, max_size=3000), sizes=st.lists(st.integers(1, 900), min_size=9))
def test_any_fragments_in_order(make_bench, data, sizes):
    bench = make_bench()
    whole = checked(data)
    offset = 0
    for size in [*sizes, len(whole)]:
        fragment = whole[offset : offset + size]
        if not fragment:
            break
        assert read(bench) == EMPTY
        write(bench, fragment, offset, None if offset else len(whole))
        offset += len(fragment)
    got = b"".join(bench.ctap.large_blobs(at, get=500)[1] for at in range(0, len(whole), 500))
    assert got == whole


def test_a_wrong_check_changes_nothing(bench):
    wrong = checked(b"\x81\x00")[:-1] + b"\0"
    assert bench.fails(write, bench, wrong, length=len(wrong)) == "INTEGRITY_FAILURE"
    assert read(bench) == EMPTY


def test_an_interrupted_write_is_forgotten(bench):
    whole = checked(bytes(100))
    write(bench, whole[:50], length=len(whole))
    bench.ctap.get_info()
    assert bench.fails(write, bench, whole[50:], 50) == "INVALID_SEQ"
    write(bench, whole[:50], length=len(whole))
    bench.power_cycle()
    assert bench.fails(write, bench, whole[50:], 50) == "INVALID_SEQ"
    assert read(bench) == EMPTY


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"get": 1, "set": b"x"}, "INVALID_PARAMETER"),
        ({}, "INVALID_PARAMETER"),
        ({"get": 1, "length": 1}, "INVALID_PARAMETER"),
        ({"get": 1, "pin_uv_param": bytes(16)}, "INVALID_PARAMETER"),
        ({"get": 1, "pin_uv_protocol": 1}, "INVALID_PARAMETER"),
        ({"get": FRAGMENT + 1}, "INVALID_LENGTH"),
        ({"get": -1}, "INVALID_PARAMETER"),
        ({"offset": 18, "get": 1}, "INVALID_PARAMETER"),
        ({"offset": -1, "get": 1}, "INVALID_PARAMETER"),
        ({"get": "1"}, "CBOR_UNEXPECTED_TYPE"),
        ({"set": bytes(20)}, "INVALID_PARAMETER"),
        ({"set": bytes(16), "length": 16}, "INVALID_PARAMETER"),
        ({"set": bytes(20), "length": 4097}, "LARGE_BLOB_STORAGE_FULL"),
        ({"set": bytes(20), "length": 19}, "INVALID_PARAMETER"),
        ({"set": bytes(20), "offset": 20}, "INVALID_SEQ"),
        ({"set": bytes(20), "offset": 20, "length": 40}, "INVALID_PARAMETER"),
    ],
)
def test_wrong_requests(bench, arguments, status):
    call = {"offset": 0, **arguments}
    assert bench.fails(bench.ctap.large_blobs, **call) == status
    assert read(bench) == EMPTY


def test_a_fragment_as_large_as_a_message(make_bench, monkeypatch):
    bench = make_bench()
    authenticator = bench.key._authenticator
    profile = dataclasses.replace(bench.key.profile, max_msg_size=1024)
    monkeypatch.setattr(authenticator, "profile", profile)
    whole = checked(bytes(1500))
    assert bench.fails(write, bench, whole[:961], length=len(whole)) == "INVALID_LENGTH"
    write(bench, whole[:960], length=len(whole))
    write(bench, whole[960:], 960)
    assert bench.ctap.large_blobs(0, get=960)[1] == whole[:960]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({}, "PUAT_REQUIRED"),
        ({"pin_uv_param": bytes(16)}, "MISSING_PARAMETER"),
        ({"pin_uv_param": bytes(16), "pin_uv_protocol": 1}, "PIN_AUTH_INVALID"),
    ],
)
def test_with_a_pin_writing_needs_it_and_reading_does_not(bench, arguments, status):
    bench.pin().set_pin(PIN)
    whole = checked(b"\x80")
    assert bench.fails(write, bench, whole, length=len(whole), **arguments) == status
    client = bench.pin()
    token = client.get_pin_token(PIN, client.PERMISSION.CREDENTIAL_MGMT)
    failed = bench.fails(LargeBlobs(bench.ctap, client.protocol, token).write_blob_array, [])
    assert failed == "PIN_AUTH_INVALID"
    assert read(bench) == EMPTY


def test_a_reset_empties_the_array(bench):
    whole = checked(b"\x81\x00")
    write(bench, whole, length=len(whole))
    assert read(bench) == whole
    bench.power_cycle()
    bench.ctap.reset()
    assert read(bench) == EMPTY


class CutFlash(MemoryFlash):
    cut = False

    def write(self, changes):
        if self.cut:
            raise PowerCutError
        super().write(changes)


def test_a_cut_leaves_the_old_array(make_bench):
    flash = CutFlash()
    bench = make_bench(flash=flash)
    whole = checked(bytes(100))
    write(bench, whole[:50], length=len(whole))
    flash.cut = True
    with pytest.raises(OSError, match="unplugged"):
        write(bench, whole[50:], 50)
    flash.cut = False
    bench.power_cycle()
    assert read(bench) == EMPTY
