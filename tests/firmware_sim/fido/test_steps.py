"""Numbered steps of CTAP 2.3 that are easy to get wrong: order of checks, and what ends what."""

import hashlib

import pytest
from fido2.ctap1 import APDU, ApduError, Ctap1
from fido2.ctap2 import ClientPin, Config, CredentialManagement, Ctap2
from fido2.ctap2.bio import FPBioEnrollment
from fido2.ctap2.pin import PinProtocolV2

from firmware_sim.profiles import load_profile, parse_profile
from firmware_sim.world.finger import Press, ScriptedFinger, never_touch, touch_at_once

P = ClientPin.PERMISSION
STRANGE = [{"type": "strange", "id": b"id"}]
UNKNOWN = [{"type": "public-key", "alg": -65535}]


def enrol(bench):
    bench.pin().set_pin("1234")
    client = bench.pin()
    token = client.get_pin_token("1234", P.BIO_ENROLL)
    context = FPBioEnrollment(Ctap2(bench.device), client.protocol, token).enroll()
    while context.capture() is None:
        pass


def proof(bench, permission, token=None):
    client = bench.pin()
    token = token or client.get_pin_token("1234", permission, bench.rp_id)
    tag = client.protocol.authenticate(token, bench.client_data_hash)
    return {"pin_uv_param": tag, "pin_uv_protocol": client.protocol.VERSION}


def test_a_blocked_pin_blocks_the_finger(bench):
    """§6.5.2.3, §6.5.3.1 step 3."""
    enrol(bench)
    for _ in range(8):
        if bench.pin().get_pin_retries()[1]:
            bench.power_cycle()
        bench.fails(bench.pin().get_pin_token, "0000", P.GET_ASSERTION, "x")
    bench.power_cycle()
    assert bench.pin().get_uv_retries() == 0
    assert bench.fails(bench.pin().get_uv_token, P.GET_ASSERTION, "x") == "UV_BLOCKED"
    assert bench.fails(bench.make, options={"uv": True}) == "PUAT_REQUIRED"


def test_a_list_of_strange_types_denotes_nothing(bench):
    """§6.2.2 step 7; an empty one counts as none."""
    bench.make(options={"rk": True})
    assert bench.fails(bench.get, allow_list=STRANGE) == "NO_CREDENTIALS"
    assert bench.get(allow_list=[]).user["id"] == b"user"
    bench.make(exclude_list=STRANGE)


def test_a_finger_is_presence_even_where_none_was_asked(bench):
    """§6.2.2 step 8."""
    enrol(bench)
    made = bench.make()
    assert bench.get(made, options={"uv": True, "up": False}).auth_data.flags == 0x05
    token = proof(bench, P.GET_ASSERTION)
    assert bench.get(made, options={"up": False}, **token).auth_data.flags == 0x04


def test_a_finger_spends_no_token(bench):
    """§6.1.2 step 13: steps after built-in verification go on at 15."""
    enrol(bench)
    token = proof(bench, P.MAKE_CREDENTIAL)
    bench.make(options={"uv": True})
    bench.make(**token)
    assert bench.fails(bench.make, **token) == "PIN_AUTH_INVALID"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pin_uv_protocol": 9}, None),  # read only with a pinUvAuthParam (step 2)
        ({"pin_uv_param": b"", "pin_uv_protocol": 9}, "PIN_NOT_SET"),  # step 1
        ({"pin_uv_param": bytes(32)}, "MISSING_PARAMETER"),
        ({"options": {"uv": True}, "key_params": UNKNOWN}, "UNSUPPORTED_ALGORITHM"),  # 3 before 5
        ({"options": {"uv": True}}, "INVALID_OPTION"),
        ({"extensions": {"unknown": None}}, None),
        ({"extensions": {"unknown": 1.5}}, None),
    ],
)
def test_order_of_checks(bench, options, expected):
    if "unknown" in options.get("extensions", {}):
        value = b"\xf6" if options["extensions"]["unknown"] is None else b"\xf9\x3e\x00"
        request = raw_registration(value)
        assert bench.raw(request)[0] == 0
    elif expected is None:
        bench.make(**options)
    else:
        assert bench.fails(bench.make, **options) == expected


def raw_registration(value):
    """A makeCredential with an encoded ``value`` as an unknown extension's input."""
    from fido2 import cbor

    members = {
        1: bytes(32),
        2: {"id": "example.com"},
        3: {"id": b"user"},
        4: [{"alg": -7, "type": "public-key"}],
    }
    head = cbor.encode(members)
    extensions = b"\x06\xa1\x67unknown" + value
    return b"\x01" + bytes([head[0] + 1]) + head[1:] + extensions


def test_options_of_a_key_without_discoverable_credentials(make_bench):
    profile = parse_profile(
        "server-side",
        """
        summary = "no rk"
        source = "a test"
        manufacturer = "x"
        product_name = "x"
        vendor_id = 1
        product_id = 1
        device_version = [1, 0, 0]
        versions = ["FIDO_2_0"]
        options = ["up"]
        touch_timeout_s = 30.0
        """,
    )
    bench = make_bench(profile)
    assert bench.fails(bench.make, options={"rk": False}) == "UNSUPPORTED_OPTION"
    assert bench.fails(bench.make, options={"rk": True, "up": False}) == "UNSUPPORTED_OPTION"
    # no PIN, no tokens: an empty pinUvAuthParam asks nothing
    assert bench.fails(bench.make, pin_uv_param=b"") == "MISSING_PARAMETER"
    bench.make()
    info = bench.ctap.get_info()
    assert (info.pin_uv_protocols, info.options) == ([], {"up": True})


def test_management_without_a_param_wants_one(bench):
    bench.pin().set_pin("1234")
    for command in (0x0A, 0x0D):
        failed = bench.fails(bench.ctap.send_cbor, command, {1: 2, 3: 9})
        assert failed == "PUAT_REQUIRED"


# -- what a GetNext goes on from ----------------------------------------------------------------


def two_rps(bench):
    bench.pin().set_pin("1234")
    for rp_id in ("a.example", "b.example"):
        client = bench.pin()
        token = client.get_pin_token("1234", P.MAKE_CREDENTIAL, rp_id)
        tag = client.protocol.authenticate(token, bench.client_data_hash)
        bench.make(
            rp={"id": rp_id},
            options={"rk": True},
            pin_uv_param=tag,
            pin_uv_protocol=client.protocol.VERSION,
        )


def begin_rps(bench, permission):
    client = bench.pin()
    token = client.get_pin_token("1234", permission)
    manage = CredentialManagement(bench.ctap, client.protocol, token)
    manage.get_metadata()
    return manage


@pytest.mark.parametrize(("permission", "alive"), [(P.CREDENTIAL_MGMT, False), (P(0x40), True)])
def test_an_enumeration_ends_with_its_token(bench, permission, alive):
    """§6 item 3; the persistent token does not end."""
    two_rps(bench)
    manage = begin_rps(bench, permission)
    bench.clock.advance(595)
    manage.enumerate_rps_begin()
    bench.clock.advance(10)
    if alive:
        assert manage.enumerate_rps_next()[3]["id"]
    else:
        assert bench.fails(manage.enumerate_rps_next) == "NOT_ALLOWED"


def test_the_next_assertion_ends_with_its_token(bench):
    bench.make(b"one", options={"rk": True})
    bench.make(b"two", options={"rk": True})
    bench.pin().set_pin("1234")
    token = proof(bench, P.GET_ASSERTION)
    silent = {"options": {"up": False}}
    bench.get(**silent, **token)
    bench.clock.advance(595)
    assert bench.get(**silent, **token).number_of_credentials == 2
    bench.clock.advance(10)
    assert bench.fails(bench.ctap.get_next_assertion) == "NOT_ALLOWED"


def test_another_channel_learns_nothing_of_an_enumeration(bench):
    two_rps(bench)
    begin_rps(bench, P.CREDENTIAL_MGMT).enumerate_rps_begin()
    bench.connect()  # python-fido2 asks for a channel of its own
    assert bench.fails(bench.ctap.credential_mgmt, 3) == "NOT_ALLOWED"


# -- management ---------------------------------------------------------------------------------


def test_an_empty_name_is_removed(bench):
    """§6.8.6."""
    two_rps(bench)
    manage = begin_rps(bench, P.CREDENTIAL_MGMT)
    rp_id_hash = hashlib.sha256(b"a.example").digest()
    [credential] = manage.enumerate_creds(rp_id_hash)
    details = {2: dict(credential[7]), 3: {"id": b"user", "name": "", "displayName": "A"}}
    from fido2 import cbor

    protocol = PinProtocolV2()
    tag = protocol.authenticate(manage.pin_uv.token, b"\x07" + cbor.encode(details))
    bench.ctap.credential_mgmt(7, details, 2, tag)
    [renamed] = manage.enumerate_creds(rp_id_hash)
    assert renamed[6] == {"id": b"user", "displayName": "A"}


def test_long_names_are_cut_between_characters(bench):
    name = "ß" * 40
    user = {"id": b"user", "name": name, "icon": 7}  # an icon, of any type, is ignored
    parameters = [{"type": "public-key", "alg": -7}]
    rp, options = {"id": bench.rp_id}, {"rk": True}
    bench.ctap.make_credential(bytes(32), rp, user, parameters, options=options)
    bench.pin().set_pin("1234")
    manage = begin_rps(bench, P.CREDENTIAL_MGMT)
    [credential] = manage.enumerate_creds(hashlib.sha256(bench.rp_id.encode()).digest())
    assert credential[6] == {"id": b"user", "name": "ß" * 32}


def test_an_empty_list_of_rps_changes_nothing(bench):
    """§6.11.4 step 8."""
    Config(bench.ctap).set_min_pin_length(rp_ids=[bench.rp_id])
    Config(bench.ctap).set_min_pin_length(rp_ids=[])
    made = bench.make(extensions={"minPinLength": True})
    assert made.auth_data.extensions == {"minPinLength": 4}


def test_an_unknown_policy_is_ignored(make_bench):
    """A 2.1 key knows no member 4 of setMinPINLength."""
    bench = make_bench("yubikey-5.7")
    bench.ctap.config(3, {1: 5, 4: True})
    assert bench.ctap.get_info().min_pin_length == 5


def test_a_change_that_is_due_ends_the_persistent_token_again(bench):
    """§6.11.4 step 7."""
    enrol(bench)
    client = bench.pin()
    acfg = client.get_pin_token("1234", P.AUTHENTICATOR_CFG)
    Config(bench.ctap, client.protocol, acfg).set_min_pin_length(force_change_pin=True)
    kept = bench.pin().get_uv_token(P(0x40))
    acfg = bench.pin().get_uv_token(P.AUTHENTICATOR_CFG)
    Config(bench.ctap, client.protocol, acfg).set_min_pin_length(rp_ids=["a.example"])
    manage = CredentialManagement(bench.ctap, client.protocol, kept)
    assert bench.fails(manage.get_metadata) == "PIN_AUTH_INVALID"


def test_a_reset_by_the_wrong_transport(bench):
    bench.key._authenticator.transport = "nfc"
    assert bench.fails(bench.ctap.reset) == "OPERATION_DENIED"


def test_an_enrolment_waits_no_longer_than_five_minutes(bench):
    bench.pin().set_pin("1234")
    client = bench.pin()
    token = client.get_pin_token("1234", P.BIO_ENROLL)
    bio = FPBioEnrollment(Ctap2(bench.device), client.protocol, token)
    bench.key.finger = never_touch()
    begun_s = bench.clock.now()
    assert bio.enroll_begin(timeout=2**63)[1] == FPBioEnrollment.FEEDBACK.NO_USER_ACTIVITY
    assert bench.clock.now() - begun_s == pytest.approx(300)
    assert bench.fails(bio.enroll_begin, timeout=-1) == "INVALID_PARAMETER"


# -- U2F ----------------------------------------------------------------------------------------


def refused(call, *args):
    with pytest.raises(ApduError) as raised:
        call(*args)
    return raised.value.code


def test_a_touch_for_u2f_is_good_for_its_request_alone(bench):
    u2f, challenge = Ctap1(bench.device), bytes(32)
    bench.key.finger = ScriptedFinger([1.0])
    assert refused(u2f.register, challenge, b"a" * 32) == APDU.USE_NOT_SATISFIED
    bench.clock.advance(2)
    assert refused(u2f.register, challenge, b"b" * 32) == APDU.USE_NOT_SATISFIED


def test_a_touch_for_u2f_does_not_outlive_a_reset(bench):
    u2f, challenge = Ctap1(bench.device), bytes(32)
    bench.key.finger = ScriptedFinger([1.0, Press()])
    assert refused(u2f.register, challenge, b"a" * 32) == APDU.USE_NOT_SATISFIED
    bench.clock.advance(2)
    bench.ctap.reset()
    bench.key.finger = never_touch()
    assert refused(u2f.register, challenge, b"a" * 32) == APDU.USE_NOT_SATISFIED
    bench.key.finger = touch_at_once()


# -- profiles -----------------------------------------------------------------------------------


def test_versions_that_mean_nothing_are_sent(make_bench):
    """As some products list FIDO_2_2, which there is not."""
    text = 'base = "reference"\nextra_versions = ["FIDO_2_2"]\n'
    bench = make_bench(parse_profile("quirky", text))
    assert bench.ctap.get_info().versions[-1] == "FIDO_2_2"
    assert load_profile("reference").extra_versions == ()
