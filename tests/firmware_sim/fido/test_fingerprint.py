"""bioEnrollment and built-in user verification, through python-fido2's own classes."""

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, Config, Ctap2
from fido2.ctap2.bio import BioEnrollment, CaptureError, FPBioEnrollment
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.profiles import load_profile, parse_profile
from firmware_sim.world.finger import Placement, Press, ScriptedFinger, TouchAfter, never_touch

P = ClientPin.PERMISSION
PIN = "1234"
GOOD = Press()
STRANGER = Press(finger="left thumb")
SAMPLES = load_profile("reference").fingerprint_samples


class Sensor:
    """A key with a PIN, and the requests that the tests make of its sensor."""

    def __init__(self, bench):
        self.bench = bench
        bench.pin().set_pin(PIN)
        self.made = bench.make()

    def touches(self, *script):
        self.bench.key.finger = ScriptedFinger(script)

    def bio(self):
        client = self.bench.pin()
        token = client.get_pin_token(PIN, P.BIO_ENROLL)
        return FPBioEnrollment(Ctap2(self.bench.device), client.protocol, token)

    def enrol(self, finger="right index"):
        self.touches(*[Press(finger=finger)] * SAMPLES)
        context = self.bio().enroll()
        while (template_id := context.capture()) is None:
            pass
        return template_id

    @property
    def info(self):
        return self.bench.ctap.get_info()

    def token_by_uv(self, permissions=P.GET_ASSERTION):
        client = self.bench.pin()
        token = client.get_uv_token(permissions, self.bench.rp_id)
        tag = client.protocol.authenticate(token, self.bench.client_data_hash)
        return {"pin_uv_param": tag, "pin_uv_protocol": client.protocol.VERSION}

    def fails(self, *args, **kwargs):
        return self.bench.fails(*args, **kwargs)


@pytest.fixture
def sensor(bench):
    return Sensor(bench)


def test_what_the_sensor_says(sensor):
    assert sensor.bio().get_fingerprint_sensor_info() == {2: 1, 3: SAMPLES, 8: 64}
    assert BioEnrollment(sensor.bench.ctap, 1).get_modality() == 1


def test_a_finger_is_enrolled_named_listed_and_removed(sensor):
    assert sensor.info.options["bioEnroll"] is False
    assert sensor.info.options["uv"] is False
    template_id = sensor.enrol()
    sensor.bench.power_cycle()
    assert sensor.info.options["bioEnroll"] is True
    assert sensor.info.options["uv"] is True
    assert sensor.bio().enumerate_enrollments() == {template_id: ""}
    sensor.bio().set_name(template_id, "Zeigefinger")
    assert sensor.bio().enumerate_enrollments() == {template_id: "Zeigefinger"}
    sensor.bio().remove_enrollment(template_id)
    assert sensor.bio().enumerate_enrollments() == {}
    assert sensor.info.options["uv"] is False


def test_each_sample_is_judged(sensor):
    sensor.enrol("thumb")
    poor = [each for each in Placement if each is not Placement.GOOD]
    sensor.touches(
        GOOD,
        *[Press(placement=each) for each in poor],
        STRANGER,  # another finger than the one begun with
        Press(finger="thumb"),  # one that is known already
        *[GOOD] * (SAMPLES - 1),
    )
    context = sensor.bio().enroll()
    assert context.capture() is None
    assert context.remaining == SAMPLES - 1
    for feedback in [*poor, FPBioEnrollment.FEEDBACK.FP_MERGE_FAILURE, 0x0B]:
        with pytest.raises(CaptureError) as raised:
            context.capture()
        assert raised.value.code == feedback
        assert context.remaining == SAMPLES - 1
    for _ in range(SAMPLES - 2):
        assert context.capture() is None
    assert context.capture() == context.template_id
    assert len(sensor.bio().enumerate_enrollments()) == 2


def test_nobody_touches_in_time(sensor):
    sensor.touches(GOOD)
    context = sensor.bio().enroll(timeout=2_000)
    context.capture()
    before_s = sensor.bench.clock.now()
    with pytest.raises(CaptureError) as raised:
        context.capture()
    assert raised.value.code == FPBioEnrollment.FEEDBACK.NO_USER_ACTIVITY
    assert sensor.bench.clock.now() - before_s == pytest.approx(2.0)


def test_an_enrolment_that_is_cancelled_leaves_nothing(sensor):
    sensor.touches(*[GOOD] * SAMPLES)
    context = sensor.bio().enroll()
    context.capture()
    template_id = context.template_id
    context.cancel()
    assert sensor.bio().enumerate_enrollments() == {}
    assert sensor.fails(sensor.bio().enroll_capture_next, template_id) == "NOT_ALLOWED"


@pytest.mark.parametrize("end", ["refuse", "another command", "another subcommand", "power"])
def test_what_ends_an_enrolment(sensor, end):
    sensor.touches(GOOD, None if end == "refuse" else GOOD, GOOD)
    bio = sensor.bio()
    template_id, _, _ = bio.enroll_begin()
    if end == "refuse":
        assert sensor.fails(bio.enroll_capture_next, template_id) == "OPERATION_DENIED"
    elif end == "another command":
        sensor.bench.ctap.get_info()
    elif end == "another subcommand":
        bio.enumerate_enrollments()
    else:
        sensor.bench.power_cycle()
    assert sensor.fails(sensor.bio().enroll_capture_next, template_id) == "NOT_ALLOWED"


def test_there_is_room_for_five(sensor):
    for number in range(5):
        sensor.enrol(f"finger {number}")
    assert sensor.fails(sensor.enrol, "a sixth") == "FP_DATABASE_FULL"
    assert len(sensor.bio().enumerate_enrollments()) == 5


def test_names_have_an_end(sensor):
    template_id = sensor.enrol()
    sensor.bio().set_name(template_id, "ß" * 32)
    assert sensor.fails(sensor.bio().set_name, template_id, "ß" * 33) == "INVALID_LENGTH"
    assert sensor.bio().enumerate_enrollments() == {template_id: "ß" * 32}


def test_an_unknown_template(sensor):
    assert sensor.fails(sensor.bio().set_name, b"??", "x") == "INVALID_OPTION"
    assert sensor.fails(sensor.bio().remove_enrollment, b"??") == "INVALID_OPTION"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({}, "MISSING_PARAMETER"),
        ({6: False}, "MISSING_PARAMETER"),
        ({2: 1}, "MISSING_PARAMETER"),
        ({1: 2, 2: 7}, "INVALID_PARAMETER"),
        ({1: 1, 2: 8}, "INVALID_SUBCOMMAND"),
        ({1: 1, 2: 1}, "PUAT_REQUIRED"),
        ({1: 1, 2: 1, 5: bytes(32)}, "MISSING_PARAMETER"),
        ({1: 1, 2: 1, 4: 9, 5: bytes(32)}, "INVALID_PARAMETER"),
        ({1: 1, 2: 1, 4: 2, 5: bytes(32)}, "PIN_AUTH_INVALID"),
    ],
)
def test_bad_requests(sensor, request_, status):
    assert sensor.fails(sensor.bench.ctap.send_cbor, 9, request_) == status


def test_a_key_without_a_sensor(make_bench):
    bench = make_bench("self-attested")
    assert not BioEnrollment.is_supported(bench.ctap.info)
    assert bench.fails(bench.ctap.send_cbor, 9, {6: True}) == "INVALID_COMMAND"
    assert bench.fails(bench.make, options={"uv": True}) == "INVALID_OPTION"


PREVIEW = """
base = "reference"
versions = ["FIDO_2_0", "FIDO_2_1_PRE"]
options = ["rk", "up", "uv", "clientPin", "userVerificationMgmtPreview", "credentialMgmtPreview"]
extensions = ["credProtect", "hmac-secret"]
enterprise_rp_ids = []
max_cred_blob_length = 0
max_large_blob_array = 0
max_rp_ids_for_min_pin = 0
vendor_prototype_config_commands = []
long_touch_for_reset = "absent"
pin_complexity = "absent"
pin_complexity_policy_url = ""
"""


def test_the_preview_command(make_bench):
    bench = make_bench(parse_profile("preview", PREVIEW))
    bench.pin().set_pin(PIN)
    client = bench.pin()
    token = client.get_pin_token(PIN)
    bio = FPBioEnrollment(Ctap2(bench.device), client.protocol, token)
    assert bio.get_fingerprint_sensor_info() == {2: 1, 3: SAMPLES}
    context = bio.enroll()
    while context.capture() is None:
        pass
    assert bench.ctap.get_info().options["userVerificationMgmtPreview"] is True
    assert bench.fails(bench.ctap.send_cbor, 9, {6: True}) == "INVALID_COMMAND"


# -- built-in user verification -----------------------------------------------------------------


def test_the_option_uv_takes_a_finger(sensor):
    sensor.enrol()
    sensor.touches(GOOD)
    assert sensor.bench.make(options={"uv": True}).auth_data.flags == 0x45
    sensor.touches(GOOD)  # one touch is evidence of presence, too
    assert sensor.bench.get(sensor.made, options={"uv": True}).auth_data.flags == 0x05


def test_discoverable_credentials_by_finger(sensor):
    sensor.enrol()
    assert sensor.fails(sensor.bench.make, options={"rk": True}) == "PUAT_REQUIRED"
    sensor.touches(GOOD)
    made = sensor.bench.make(options={"rk": True, "uv": True})
    assert made.auth_data.flags == 0x45


def test_before_a_finger_is_known_uv_is_an_invalid_option(sensor):
    assert sensor.fails(sensor.bench.make, options={"uv": True}) == "INVALID_OPTION"
    assert sensor.fails(sensor.bench.get, sensor.made, options={"uv": True}) == "INVALID_OPTION"
    assert sensor.fails(sensor.token_by_uv) == "NOT_ALLOWED"


def test_the_key_itself_tries_three_times(sensor):
    sensor.enrol()
    sensor.touches(STRANGER, Press(placement=Placement.TOO_FAST), GOOD)
    assert sensor.bench.get(sensor.made, options={"uv": True}).auth_data.flags == 0x05
    assert sensor.bench.pin().get_uv_retries() == 8
    sensor.touches(STRANGER, STRANGER, STRANGER, GOOD)
    assert sensor.fails(sensor.bench.get, sensor.made, options={"uv": True}) == "PUAT_REQUIRED"
    assert sensor.bench.pin().get_uv_retries() == 5


def test_retries_end_and_the_pin_gives_them_back(sensor):
    sensor.enrol()
    for left in range(7, -1, -1):
        sensor.touches(STRANGER)
        expected = "UV_INVALID" if left else "UV_BLOCKED"
        assert sensor.fails(sensor.token_by_uv) == expected
        sensor.bench.power_cycle()
        assert sensor.bench.pin().get_uv_retries() == left
    assert sensor.info.uv_count_since_pin == 8
    sensor.touches(GOOD)
    assert sensor.fails(sensor.token_by_uv) == "UV_BLOCKED"
    sensor.bench.pin().get_pin_token(PIN, P.GET_ASSERTION, "x")
    assert sensor.bench.pin().get_uv_retries() == 8
    assert sensor.info.uv_count_since_pin == 0
    sensor.touches(GOOD)
    sensor.bench.get(sensor.made, options={"up": False}, **sensor.token_by_uv())
    assert sensor.info.uv_count_since_pin == 1


def test_nobody_touches_and_somebody_refuses(sensor):
    sensor.enrol()
    sensor.bench.key.finger = never_touch()
    assert sensor.fails(sensor.token_by_uv) == "USER_ACTION_TIMEOUT"
    assert sensor.fails(sensor.bench.make, options={"uv": True}) == "USER_ACTION_TIMEOUT"
    sensor.touches(None)
    assert sensor.fails(sensor.token_by_uv) == "OPERATION_DENIED"
    assert sensor.bench.pin().get_uv_retries() == 8


def test_a_token_by_finger_is_evidence_of_presence_for_30_seconds(sensor):
    """§6.5.2.1: the user need not touch again, once, for as long as the user-present limit."""
    sensor.enrol()
    sensor.touches(GOOD)
    token = sensor.token_by_uv()  # the finger script is at its end
    assert sensor.bench.get(sensor.made, **token).auth_data.flags == 0x05
    assert sensor.fails(sensor.bench.get, sensor.made, **token) == "PIN_AUTH_INVALID"
    sensor.touches(GOOD)
    token = sensor.token_by_uv()
    sensor.bench.get(sensor.made, options={"up": False}, **token)
    sensor.bench.clock.advance(30)
    assert sensor.fails(sensor.bench.get, sensor.made, **token) == "USER_ACTION_TIMEOUT"


def test_always_uv_is_met_by_a_finger(sensor):
    sensor.enrol()
    client = sensor.bench.pin()
    sensor.touches(GOOD)
    acfg = client.get_uv_token(P.AUTHENTICATOR_CFG)
    Config(sensor.bench.ctap, client.protocol, acfg).toggle_always_uv()
    sensor.touches(GOOD)
    assert sensor.bench.get(sensor.made).auth_data.flags == 0x05


def test_exclusion_is_told_after_one_touch(sensor):
    sensor.enrol()
    excluded = [{"type": "public-key", "id": sensor.made.auth_data.credential_data.credential_id}]
    sensor.touches(GOOD)
    failed = sensor.fails(sensor.bench.make, exclude_list=excluded, options={"uv": True})
    assert failed == "CREDENTIAL_EXCLUDED"


def test_permissions_by_finger(sensor):
    """uvBioEnroll and uvAcfg say that a finger is enough for these two."""
    sensor.enrol()
    for permission in (P.BIO_ENROLL, P.AUTHENTICATOR_CFG, P.CREDENTIAL_MGMT, P(0x40)):
        sensor.touches(GOOD)
        assert sensor.bench.pin().get_uv_token(permission)


def test_without_these_options_it_is_not(make_bench):
    reference = load_profile("reference")
    options = [each for each in reference.options if each not in ("uvBioEnroll", "uvAcfg")]
    sensor = Sensor(
        make_bench(parse_profile("strict", f'base = "reference"\noptions = {options!r}\n'))
    )
    sensor.enrol()
    for permission in (P.BIO_ENROLL, P.AUTHENTICATOR_CFG):
        sensor.touches(GOOD)
        client = sensor.bench.pin()
        assert sensor.fails(client.get_uv_token, permission) == "UNAUTHORIZED_PERMISSION"


def test_no_permissions_by_pin(make_bench):
    """noMcGaPermissionsWithClientPin: only a finger registers and signs in."""
    options = [*load_profile("reference").options, "noMcGaPermissionsWithClientPin"]
    bench = make_bench(parse_profile("bio-only", f'base = "reference"\noptions = {options!r}\n'))
    sensor = Sensor(bench)
    sensor.enrol()
    client = bench.pin()
    for permission in (P.MAKE_CREDENTIAL, P.GET_ASSERTION):
        failed = sensor.fails(client.get_pin_token, PIN, permission, bench.rp_id)
        assert failed == "UNAUTHORIZED_PERMISSION"
    assert sensor.fails(bench.make, options={"rk": True}) == "OPERATION_DENIED"
    sensor.touches(STRANGER, STRANGER, STRANGER)
    assert sensor.fails(bench.make, options={"rk": True, "uv": True}) == "OPERATION_DENIED"
    sensor.touches(*[STRANGER] * 5)
    bench.fails(bench.make, options={"rk": True, "uv": True})
    assert sensor.fails(bench.make, options={"rk": True, "uv": True}) == "PIN_BLOCKED"
    bench.pin().get_pin_token(PIN, P.BIO_ENROLL)
    sensor.touches(GOOD)
    assert bench.make(options={"rk": True, "uv": True}).auth_data.flags == 0x45


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["right index", "left thumb", "too fast"]), max_size=12))
def test_retries_against_a_count(make_bench, fingers):
    sensor = Sensor(make_bench())
    sensor.enrol()
    left = 8
    for finger in fingers:
        placement = Placement.TOO_FAST if finger == "too fast" else Placement.GOOD
        sensor.touches(Press(finger=finger, placement=placement))
        known = finger == "right index"
        if not left:
            expected = CtapError.ERR.UV_BLOCKED
        elif known:
            expected, left = None, 8
        else:
            left -= 1
            expected = CtapError.ERR.UV_INVALID if left else CtapError.ERR.UV_BLOCKED
        if expected is None:
            sensor.token_by_uv()
        else:
            assert sensor.fails(sensor.token_by_uv) == expected.name
        assert sensor.bench.pin().get_uv_retries() == left


# -- long touches -------------------------------------------------------------------------------


def test_a_long_touch_for_reset(bench):
    """CTAP 2.3 §6.6: once switched on, a tap does not reset."""
    bench.make(options={"rk": True})
    assert bench.ctap.get_info().long_touch_for_reset is False
    assert bench.ctap.config(4) == {}
    bench.power_cycle()
    assert bench.ctap.get_info().long_touch_for_reset is True
    bench.key.finger = ScriptedFinger([Press(held_s=4.9)])
    assert bench.fails(bench.ctap.reset) == "USER_ACTION_TIMEOUT"
    bench.power_cycle()
    bench.key.finger = TouchAfter(1.0)
    before_s = bench.clock.now()
    bench.ctap.reset()
    assert bench.clock.now() - before_s == pytest.approx(6.0)
    info = bench.ctap.get_info()
    assert (info.remaining_disc_creds, info.long_touch_for_reset) == (100, False)
