"""CTAP1/U2F over CTAPHID_MSG, through python-fido2's Ctap1 and Fido2Client."""

import hashlib
import math

import pytest
from fido2.ctap1 import APDU, ApduError, Ctap1
from fido2.ctap2 import Config, Ctap2
from fido2.ctap2.bio import FPBioEnrollment
from fido2.hid import CAPABILITY
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.fido.ca import root_certificate
from firmware_sim.profiles import parse_profile
from firmware_sim.world.finger import Press, ScriptedFinger, TouchAfter, touch_at_once
from firmware_sim.world.flash import FlashError

MSG = 0x03
APP = hashlib.sha256(b"example.com").digest()
CHALLENGE = hashlib.sha256(b"challenge").digest()
KNOWN = {0x9000, 0x6700, 0x6985, 0x6986, 0x6A80, 0x6D00, 0x6E00}


@pytest.fixture
def u2f(bench):
    return Ctap1(bench.device)


def fails(call, *args, **kwargs):
    with pytest.raises(ApduError) as raised:
        call(*args, **kwargs)
    return raised.value.code


def test_version(bench, u2f):
    assert u2f.get_version() == "U2F_V2"
    assert "U2F_V2" in bench.ctap.get_info().versions
    assert not bench.device.capabilities & CAPABILITY.NMSG


def test_register_and_sign_in(bench, u2f):
    registered = u2f.register(CHALLENGE, APP)
    registered.verify(APP, CHALLENGE)
    signed = u2f.authenticate(CHALLENGE, APP, registered.key_handle)
    signed.verify(APP, CHALLENGE, registered.public_key)
    assert signed.user_presence == 1
    bench.power_cycle()
    again = Ctap1(bench.device).authenticate(CHALLENGE, APP, registered.key_handle)
    assert again.counter == signed.counter + 1


def test_the_certificate_is_the_test_cas(u2f):
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(u2f.register(CHALLENGE, APP).certificate)
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(root_certificate()))


def test_check_only_tells_whether_the_handle_is_known(bench, u2f):
    handle = u2f.register(CHALLENGE, APP).key_handle
    bench.key.finger = TouchAfter(math.inf)
    assert fails(u2f.authenticate, CHALLENGE, APP, handle, True) == APDU.USE_NOT_SATISFIED
    for wrong in (bytes(67), handle[:-1] + bytes([handle[-1] ^ 1]), b"\1"):
        assert fails(u2f.authenticate, CHALLENGE, APP, wrong, True) == APDU.WRONG_DATA
        assert fails(u2f.authenticate, CHALLENGE, APP, wrong) == APDU.WRONG_DATA
    stranger = hashlib.sha256(b"stranger").digest()
    assert fails(u2f.authenticate, CHALLENGE, stranger, handle, True) == APDU.WRONG_DATA


def test_without_enforcing_presence(bench, u2f):
    registered = u2f.register(CHALLENGE, APP)
    bench.key.finger = TouchAfter(math.inf)
    data = CHALLENGE + APP + bytes([len(registered.key_handle)]) + registered.key_handle
    response = u2f.send_apdu(ins=2, p1=8, data=data)
    assert response[0] == 0
    assert fails(u2f.send_apdu, ins=2, p1=9, data=data) == APDU.WRONG_DATA


def test_the_host_asks_until_there_was_a_touch(bench, u2f):
    """Between two messages the simulated clock moves on to the touch."""
    bench.key.finger = TouchAfter(5)
    start_s = bench.clock.now()
    assert fails(u2f.register, CHALLENGE, APP) == APDU.USE_NOT_SATISFIED
    assert bench.clock.now() == start_s
    handle = u2f.register(CHALLENGE, APP).key_handle
    assert bench.clock.now() == start_s + 5
    # the touch was for that one
    assert fails(u2f.authenticate, CHALLENGE, APP, handle) == APDU.USE_NOT_SATISFIED
    assert u2f.authenticate(CHALLENGE, APP, handle).user_presence == 1


def test_a_request_for_a_touch_is_forgotten_after_a_while(bench, u2f):
    bench.key.finger = ScriptedFinger([5, 5])
    assert fails(u2f.register, CHALLENGE, APP) == APDU.USE_NOT_SATISFIED
    bench.clock.advance(31)
    assert fails(u2f.register, CHALLENGE, APP) == APDU.USE_NOT_SATISFIED
    assert u2f.register(CHALLENGE, APP).key_handle


def test_a_refused_touch_is_asked_for_anew(bench, u2f):
    bench.key.finger = ScriptedFinger([None, 0])
    assert fails(u2f.register, CHALLENGE, APP) == APDU.USE_NOT_SATISFIED
    assert u2f.register(CHALLENGE, APP).key_handle


def test_credentials_serve_both_protocols(bench, u2f):
    registered = u2f.register(CHALLENGE, APP)
    listed = [{"type": "public-key", "id": registered.key_handle}]
    answer = bench.get(allow_list=listed)
    assert answer.auth_data.rp_id_hash == APP
    made = bench.make()
    credential = made.auth_data.credential_data
    signed = u2f.authenticate(CHALLENGE, APP, credential.credential_id)
    public = credential.public_key
    signed.verify(APP, CHALLENGE, b"\x04" + public[-2] + public[-3])
    assert signed.counter == answer.auth_data.counter + 2


@pytest.mark.parametrize(("level", "found"), [(1, True), (2, True), (3, False)])
def test_protected_credentials(bench, u2f, level, found):
    made = bench.make(extensions={"credProtect": level})
    handle = made.auth_data.credential_data.credential_id
    if found:
        assert u2f.authenticate(CHALLENGE, APP, handle).user_presence == 1
    else:
        assert fails(u2f.authenticate, CHALLENGE, APP, handle) == APDU.WRONG_DATA


def test_another_algorithm_is_none_of_u2fs(bench, u2f):
    made = bench.make(key_params=[{"type": "public-key", "alg": -8}])
    handle = made.auth_data.credential_data.credential_id
    assert fails(u2f.authenticate, CHALLENGE, APP, handle) == APDU.WRONG_DATA


def test_always_uv_ends_u2f(bench, u2f):
    handle = u2f.register(CHALLENGE, APP).key_handle
    Config(bench.ctap).toggle_always_uv()
    assert bench.ctap.get_info().versions == ["FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]
    assert fails(u2f.register, CHALLENGE, APP) == 0x6986
    assert fails(u2f.authenticate, CHALLENGE, APP, handle) == 0x6986
    assert u2f.get_version() == "U2F_V2"


def test_always_uv_leaves_u2f_to_a_known_finger(make_bench):
    """§7.2.4; a key that came with always-UV switched on has no U2F before that."""
    profile = parse_profile("strict", 'base = "reference"\nalways_uv = true\n')
    bench = make_bench(profile, finger=ScriptedFinger([]))
    u2f = Ctap1(bench.device)
    assert "U2F_V2" not in bench.ctap.get_info().versions
    assert fails(u2f.register, CHALLENGE, APP) == 0x6986
    bench.pin().set_pin("1234")
    client = bench.pin()
    token = client.get_pin_token("1234", client.PERMISSION.BIO_ENROLL)
    bench.key.finger = touch_at_once()
    enrolment = FPBioEnrollment(Ctap2(bench.device), client.protocol, token).enroll()
    while enrolment.capture() is None:
        pass
    assert "U2F_V2" in bench.ctap.get_info().versions
    bench.key.finger = ScriptedFinger([Press(finger="left thumb"), Press(), Press()])
    assert fails(u2f.register, CHALLENGE, APP) == APDU.USE_NOT_SATISFIED
    assert bench.pin().get_uv_retries() == 7
    handle = u2f.register(CHALLENGE, APP).key_handle
    assert bench.pin().get_uv_retries() == 8
    assert u2f.authenticate(CHALLENGE, APP, handle).user_presence == 1
    client = bench.pin()
    acfg = client.get_pin_token("1234", client.PERMISSION.AUTHENTICATOR_CFG)
    Config(bench.ctap, client.protocol, acfg).toggle_always_uv()
    bench.power_cycle()
    assert bench.ctap.get_info().options["alwaysUv"] is False


def test_a_profile_without_u2f(make_bench):
    bench = make_bench("self-attested")
    assert bench.device.capabilities & CAPABILITY.NMSG
    assert bench.ctap.get_info().versions == ["FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]
    assert bench.fails(Ctap1(bench.device).get_version) == "INVALID_COMMAND"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"\x00", 0x6700),
        (b"\x00\x03\x00", 0x6700),
        (b"\x01\x03\x00\x00", 0x6E00),
        (b"\x00\x04\x00\x00", 0x6D00),
        (b"\x00\x03\x00\x00", 0x9000),
        (b"\x00\x03\x00\x00\x00", 0x9000),
        (b"\x00\x03\x00\x00\x00\x00\x00", 0x9000),
        (b"\x00\x03\x00\x00\x01\x00", 0x6700),
        (b"\x00\x01\x00\x00\x40" + bytes(64), 0x9000),
        (b"\x00\x01\x00\x00\x40" + bytes(65), 0x9000),
        (b"\x00\x01\x00\x00\x40" + bytes(63), 0x6700),
        (b"\x00\x01\x00\x00\x00\x00\x40" + bytes(66), 0x9000),
        (b"\x00\x01\x00\x00\x00\x00\x41" + bytes(65), 0x6700),
        (b"\x00\x02\x03\x00\x00\x00\x40" + bytes(64), 0x6700),
        (b"\x00\x02\x03\x00\x00\x00\x42" + bytes(64) + b"\x02\x00", 0x6700),
    ],
)
def test_apdus(bench, message, status):
    assert int.from_bytes(bench.device.call(MSG, message)[-2:], "big") == status


def test_an_empty_message(bench):
    assert bench.fails(bench.device.call, MSG, b"") == "INVALID_LENGTH"


@given(st.binary(min_size=1, max_size=200))
def test_any_message_has_a_status_word(make_bench, message):
    bench = make_bench()
    assert int.from_bytes(bench.device.call(MSG, message)[-2:], "big") in KNOWN


def test_storage_that_fails(bench, u2f, monkeypatch):
    handle = u2f.register(CHALLENGE, APP).key_handle

    def full(changes):
        raise FlashError("disk full")

    monkeypatch.setattr(bench.key.flash, "write", full)
    assert fails(u2f.authenticate, CHALLENGE, APP, handle) == 0x6F00


def test_a_message_ends_what_other_commands_left(bench, u2f):
    for user in (b"one", b"two"):
        bench.make(user, options={"rk": True})
    assert bench.get().number_of_credentials == 2
    u2f.get_version()
    assert bench.fails(bench.ctap.get_next_assertion) == "NOT_ALLOWED"
