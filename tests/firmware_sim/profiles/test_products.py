"""Models of real keys: each works with python-fido2, and answers as its source says."""

import hashlib

import pytest
from fido2 import cbor
from fido2.attestation import Attestation
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap1 import Ctap1
from fido2.ctap2 import ClientPin, Config, CredentialManagement, Ctap2
from fido2.ctap2.bio import FPBioEnrollment
from fido2.hid import CAPABILITY, CtapHidDevice
from fido2.server import Fido2Server

from firmware_sim.fido.commands.get_info import MEMBERS
from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import load_profile, profile_names
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy

PROFILES = [load_profile(name) for name in profile_names()]
FIDO2 = [each for each in PROFILES if each.versions != ("U2F_V2",)]
HASH = hashlib.sha256(b"client data").digest()


def device_of(profile):
    key = SecurityKey(profile, clock=SimulatedClock(), entropy=SeededEntropy(1))
    return CtapHidDevice(hid_descriptor(key, "test"), InProcessConnection(key))


@pytest.fixture(params=FIDO2, ids=lambda profile: profile.name)
def profile(request):
    return request.param


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_each_names_its_source(profile):
    assert profile.source


def test_get_info_holds_what_the_profile_lists_and_no_more(profile):
    answer = cbor.decode(device_of(profile).call(0x10, b"\x04")[1:])
    names = {number: name for name, number in MEMBERS.items()}
    if profile.info_members:
        assert [names[number] for number in answer] == [
            name for name in MEMBERS if name in profile.info_members
        ]
    assert set(answer[4]) == {*profile.options, *profile.extra_options}


class User(UserInteraction):
    def request_pin(self, permissions, rp_id):
        return "123456"


def client_of(device):
    return Fido2Client(device, DefaultClientDataCollector("https://example.com"), User())


@pytest.mark.parametrize("resident_key", ["required", "discouraged"])
@pytest.mark.parametrize("pin", [False, True])
def test_register_and_sign_in_by_the_client(profile, pin, resident_key):
    """As a browser does, with and without a PIN."""
    device = device_of(profile)
    if pin:
        ClientPin(Ctap2(device)).set_pin("123456")
    elif profile.always_uv:
        Config(Ctap2(device)).toggle_always_uv()
    server = Fido2Server({"id": "example.com", "name": "Example"}, attestation="direct")
    uv = "preferred" if pin else "discouraged"
    options, state = server.register_begin(
        {"id": b"user", "name": "alice", "displayName": "Alice"},
        resident_key_requirement=resident_key,
        user_verification=uv,
    )
    made = client_of(device).make_credential(options.public_key)
    registered = server.register_complete(state, made)
    assert registered.is_user_verified() is pin
    known = [registered.credential_data]
    for listed in (known, [] if resident_key == "required" else known):
        options, state = server.authenticate_begin(listed, user_verification=uv)
        answer = client_of(device).get_assertion(options.public_key).get_response(0)
        server.authenticate_complete(state, known, answer)


def test_attestation(profile):
    device = device_of(profile)
    if profile.always_uv:
        Config(Ctap2(device)).toggle_always_uv()
    user = {"id": b"user", "name": "user"}
    parameters = [{"type": "public-key", "alg": -7}]
    made = Ctap2(device).make_credential(HASH, {"id": "example.com"}, user, parameters)
    Attestation.for_type(made.fmt)().verify(made.att_stmt, made.auth_data, HASH)
    assert ("x5c" in made.att_stmt) is (profile.attestation == "basic")


@pytest.mark.parametrize(
    "name", ["yubikey-5.2", "yubikey-5.4", "yubikey-5.7", "yubikey-bio", "solokey-1", "nitrokey-3"]
)
def test_credentials_are_managed_by_whichever_command_there_is(name):
    device = device_of(load_profile(name))
    ctap = Ctap2(device)
    client = ClientPin(ctap)
    client.set_pin("123456")

    def token(permission):
        return client.get_pin_token("123456", permission, "example.com")

    tag = client.protocol.authenticate(token(ClientPin.PERMISSION.MAKE_CREDENTIAL), HASH)
    ctap.make_credential(
        HASH,
        {"id": "example.com"},
        {"id": b"user", "name": "user"},
        [{"type": "public-key", "alg": -7}],
        options={"rk": True},
        pin_uv_param=tag,
        pin_uv_protocol=client.protocol.VERSION,
    )
    unbound = client.get_pin_token("123456", ClientPin.PERMISSION.CREDENTIAL_MGMT)
    manage = CredentialManagement(Ctap2(device), client.protocol, unbound)
    capacity = load_profile(name).credential_capacity
    assert manage.get_metadata() == {1: 1, 2: capacity - 1}
    assert [rp[3]["id"] for rp in manage.enumerate_rps()] == ["example.com"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reference", "PIN_NOT_SET"),
        ("yubikey-5.7", "PIN_NOT_SET"),
        ("solokey-1", {3: 8}),
        ("nitrokey-3", {3: 8, 4: False}),
        ("opensk", {3: 8, 4: False}),
    ],
)
def test_pin_retries_before_a_pin_is_set(make_bench, name, expected):
    bench = make_bench(load_profile(name))
    if isinstance(expected, dict):
        assert bench.ctap.client_pin(1, 1) == expected
    else:
        assert bench.fails(bench.ctap.client_pin, 1, 1) == expected


def test_a_yubikey_5_4_says_nothing_of_power_cycles(make_bench):
    bench = make_bench(load_profile("yubikey-5.4"))
    bench.pin().set_pin("123456")
    assert bench.ctap.client_pin(2, 1) == {3: 8}


def test_get_info_of_a_5_4_byte_for_byte(make_bench):
    """The answer of a real one with a PIN."""
    bench = make_bench(load_profile("yubikey-5.4"))
    bench.pin().set_pin("123456")
    assert bench.raw(b"\x04")[1:] == bytes.fromhex(
        "ac0183665532465f5632684649444f5f325f306c4649444f5f325f315f50524502826b6372656450726f74"
        "6563746b686d61632d7365637265740350ee882879721c491397753dfcce97072a04a562726bf5627570f5"
        "64706c6174f469636c69656e7450696ef57563726564656e7469616c4d676d7450726576696577f5051904"
        "b00682020107080818800981637573620a82a263616c672664747970656a7075626c69632d6b6579a26361"
        "6c672764747970656a7075626c69632d6b65790d040e1a00050403"
    )


def test_get_info_of_a_bio(make_bench):
    """The answer of a real one with a PIN, a finger and four discoverable credentials."""
    real = cbor.decode(
        bytes.fromhex(
            "b30184665532465f5632684649444f5f325f306c4649444f5f325f315f505245684649444f5f325f31"
            "02856b6372656450726f746563746b686d61632d7365637265746c6c61726765426c6f624b65796863"
            "726564426c6f626c6d696e50696e4c656e6774680350d8522d9f575b486688a9ba99fa02f35b04b062"
            "726bf5627570f5627576f564706c6174f4677576546f6b656ef568616c776179735576f56863726564"
            "4d676d74f569617574686e72436667f56962696f456e726f6c6cf569636c69656e7450696ef56a6c61"
            "726765426c6f6273f56e70696e557641757468546f6b656ef56f7365744d696e50494e4c656e677468"
            "f5706d616b654372656455764e6f74527164f47563726564656e7469616c4d676d7450726576696577"
            "f5781b75736572566572696669636174696f6e4d676d7450726576696577f5051904b0068202010708"
            "0818800981637573620a82a263616c672664747970656a7075626c69632d6b6579a263616c67276474"
            "7970656a7075626c69632d6b65790b1904000cf40d040e1a000505060f18201001110312021415"
        )
    )
    bench = make_bench(load_profile("yubikey-bio"))
    bench.pin().set_pin("123456")
    client = bench.pin()
    token = client.get_pin_token("123456", ClientPin.PERMISSION.BIO_ENROLL)
    enrolment = FPBioEnrollment(Ctap2(bench.device), client.protocol, token).enroll()
    while enrolment.capture() is None:
        pass
    for number in range(4):
        bench.make(f"user {number}".encode(), options={"rk": True, "uv": True})
    assert cbor.decode(bench.raw(b"\x04")[1:]) == real


def test_a_key_without_ctap2():
    device = device_of(load_profile("u2f-only"))
    assert not device.capabilities & CAPABILITY.CBOR
    with pytest.raises(ValueError, match="CTAP2"):
        Ctap2(device)
    u2f = Ctap1(device)
    assert u2f.get_version() == "U2F_V2"
    application = hashlib.sha256(b"example.com").digest()
    registered = u2f.register(HASH, application)
    registered.verify(application, HASH)
    u2f.authenticate(HASH, application, registered.key_handle).verify(
        application, HASH, registered.public_key
    )


def test_a_u2f_key_is_enough_for_the_client():
    """python-fido2 falls back to CTAP1 for it."""
    device = device_of(load_profile("u2f-only"))
    server = Fido2Server({"id": "example.com", "name": "Example"}, attestation="direct")
    options, state = server.register_begin(
        {"id": b"user", "name": "alice"}, user_verification="discouraged"
    )
    made = client_of(device).make_credential(options.public_key)
    assert made.response.attestation_object.fmt == "fido-u2f"
    known = [server.register_complete(state, made).credential_data]
    options, state = server.authenticate_begin(known, user_verification="discouraged")
    answer = client_of(device).get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, known, answer)


def test_capacity_is_the_profiles(make_bench):
    """One more than fits is KEY_STORE_FULL, and changes nothing."""
    bench = make_bench(load_profile("yubikey-5.2"))
    for number in range(25):
        bench.make(f"user {number}".encode(), options={"rk": True})
    before = dict(bench.key.flash.contents)
    assert bench.fails(bench.make, b"one more", options={"rk": True}) == "KEY_STORE_FULL"
    assert bench.key.flash.contents == before
    bench.make(b"user 7", options={"rk": True})  # the same user's takes no place more
