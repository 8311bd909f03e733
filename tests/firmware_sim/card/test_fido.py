"""CTAP2 and U2F over NFC framing, through python-fido2's own classes."""

import hashlib
from threading import Event

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap import CtapError
from fido2.ctap1 import SignatureData
from fido2.ctap2 import ClientPin, Config, CredentialManagement, Ctap2
from fido2.server import Fido2Server

from firmware_sim.card.fido import FidoApplet
from firmware_sim.card.oath import OathApplet
from firmware_sim.profiles import load_profile, parse_profile, profile_names
from firmware_sim.world.finger import ScriptedFinger, never_touch

HASH = hashlib.sha256(b"client data").digest()
CARDS = [name for name in profile_names() if "fido" in load_profile(name).card_applications]
SELECTION, GET_INFO = b"\x0b", b"\x04"


class User(UserInteraction):
    def request_pin(self, permissions, rp_id):
        return "123456"


def make(ctap, **options):
    rp, user = {"id": "example.com", "name": "Example"}, {"id": b"user", "name": "user"}
    return ctap.make_credential(HASH, rp, user, [{"alg": -7, "type": "public-key"}], **options)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("polls", [False, True])
@pytest.mark.parametrize("name", CARDS)
def test_a_whole_ceremony(make_device, name, extended, polls):
    device = make_device(name, extended=extended, polls=polls)
    ctap = Ctap2(device)
    ClientPin(ctap).set_pin("123456")
    server = Fido2Server({"id": "example.com", "name": "Example"})
    client = Fido2Client(device, DefaultClientDataCollector("https://example.com"), User())
    create, state = server.register_begin(
        {"id": b"user", "name": "user", "displayName": "U" * 64},
        resident_key_requirement="required",
        user_verification="required",
    )
    made = client.make_credential(create.public_key)
    credential = server.register_complete(state, made).credential_data
    get, state = server.authenticate_begin(user_verification="required")
    got = client.get_assertion(get.public_key).get_response(0)
    assert server.authenticate_complete(state, [credential], got) == credential


def test_long_lists_and_long_answers(make_device):
    """Requests of thousands of bytes, and answers with certificates, in short APDUs."""
    device = make_device()
    ctap = Ctap2(device)
    exclude = [{"type": "public-key", "id": bytes([each]) * 200} for each in range(30)]
    made = make(ctap, exclude_list=exclude)
    assert made.auth_data.credential_data.credential_id
    too_many = [{"type": "public-key", "id": bytes([each]) * 250} for each in range(32)]
    with pytest.raises(CtapError) as raised:
        make(ctap, exclude_list=too_many)
    assert raised.value.code == CtapError.ERR.REQUEST_TOO_LARGE


def test_a_host_that_polls_is_told_of_the_touch(make_device):
    device = make_device(finger=ScriptedFinger([2.5, None]))
    start_s = device.host.key.clock.now()
    assert device.call(0x10, SELECTION) == b"\0"
    assert device.host.key.clock.now() - start_s == pytest.approx(2.5, abs=0.11)
    assert set(device.keepalives) == {b"\x02"}
    assert len(device.keepalives) in (25, 26)
    assert device.call(0x10, SELECTION)[0] == CtapError.ERR.OPERATION_DENIED


def test_a_host_that_does_not_poll_waits(make_device):
    device = make_device(polls=False, finger=ScriptedFinger([2.5]))
    start_s = device.host.key.clock.now()
    assert device.call(0x10, SELECTION) == b"\0"
    assert device.host.key.clock.now() - start_s == 2.5
    assert device.call(0x10, SELECTION)[0] == CtapError.ERR.USER_ACTION_TIMEOUT
    assert device.keepalives == []


def test_cancel(make_device):
    device = make_device(finger=never_touch())
    event = Event()
    event.set()
    assert device.call(0x10, SELECTION, event)[0] == CtapError.ERR.KEEPALIVE_CANCEL
    assert device.host.send(0x11, cla=0x80) == (b"", 0x6985)
    assert device.call(0x10, GET_INFO)[0] == 0


@pytest.mark.parametrize(
    "leave",
    [
        lambda host: host.send(0x12, 1, cla=0x80),
        lambda host: host.select(FidoApplet.aid),
        lambda host: (host.select(OathApplet.aid), host.select(FidoApplet.aid))[1],
        lambda host: host.send(0x03),
        lambda host: host.send(0x10, 0, 0, GET_INFO, 0x80),
    ],
    ids=["control", "select", "select another", "U2F", "another command"],
)
def test_what_ends_a_command_under_way(make_device, leave):
    host = make_device(finger=never_touch()).host
    assert host.send(0x10, 0x80, 0, SELECTION, 0x80) == (b"\x02", 0x9100)
    assert leave(host)[1] == 0x9000
    assert host.send(0x11, cla=0x80) == (b"", 0x6985)


def test_other_instructions(device):
    send = device.host.send
    assert send(0x12, 2, cla=0x80) == (b"", 0x6B00)
    assert send(0x13, cla=0x80) == (b"", 0x6D00)
    assert send(0x04) == (b"", 0x6D00)
    assert send(0x10, 0, 0, b"", 0x80)[0] == bytes((CtapError.ERR.INVALID_LENGTH,))


@pytest.mark.parametrize("extended", [False, True])
def test_u2f(make_device, extended):
    device = make_device(finger=ScriptedFinger([0, None, 0]))
    send = device.host.send
    assert device.selected == b"U2F_V2"
    assert send(0x03, extended=extended) == (b"U2F_V2", 0x9000)
    application, challenge = bytes(32), bytes(range(32))
    answer, status = send(0x01, 3, 0, challenge + application, extended=extended)
    assert status == 0x9000
    public_key, handle = answer[1:66], answer[67 : 67 + answer[66]]
    request = challenge + application + bytes((len(handle),)) + handle
    assert send(0x02, 3, 0, request, extended=extended) == (b"", 0x6985)
    signed, status = send(0x02, 3, 0, request, extended=extended)
    assert status == 0x9000
    SignatureData(signed).verify(application, challenge, public_key)


def test_a_model_without_u2f(make_device):
    device = make_device("self-attested")
    assert device.selected == b"FIDO_2_0"
    assert device.host.send(0x03) == (b"", 0x6D00)


def test_a_model_without_ctap2(make_device):
    profile = parse_profile(
        "old", 'base = "u2f-only"\ntransports = ["nfc"]\ncard_applications = ["fido"]'
    )
    host = make_device(profile).host
    assert host.select(FidoApplet.aid) == (b"U2F_V2", 0x9000)
    assert host.send(0x10, 0, 0, GET_INFO, 0x80) == (b"", 0x6D00)
    assert host.send(0x03) == (b"U2F_V2", 0x9000)


def test_always_uv_ends_u2f(device):
    Config(Ctap2(device)).toggle_always_uv()
    assert device.host.select(FidoApplet.aid) == (b"FIDO_2_0", 0x9000)
    assert device.host.send(0x01, 0, 0, bytes(64)) == (b"", 0x6986)


def test_the_authenticator_knows_that_this_is_no_usb(make_device):
    """A pinUvAuthToken lives 19.8 s unused (§6.5.2.1), and USB alone is for a reset."""
    device = make_device("yubikey-5.7")
    ctap = Ctap2(device)
    pin = ClientPin(ctap)
    pin.set_pin("1234")
    permission = ClientPin.PERMISSION.CREDENTIAL_MGMT
    for age_s, alive in ((19.0, True), (20.5, False)):
        token = pin.get_pin_token("1234", permission)
        device.host.key.clock.advance(age_s)
        management = CredentialManagement(ctap, pin.protocol, token)
        if alive:
            assert management.get_metadata()
            continue
        with pytest.raises(CtapError) as raised:
            management.get_metadata()
        assert raised.value.code == CtapError.ERR.PIN_AUTH_INVALID
    with pytest.raises(CtapError) as raised:
        Ctap2(make_device("reference")).reset()
    assert raised.value.code == CtapError.ERR.OPERATION_DENIED


def test_a_reset_leaves_oath_accounts_alone(make_device):
    host = make_device("yubikey-5.7").host
    host.select(OathApplet.aid)
    assert host.send(0x01, 0, 0, b"\x71\x01a\x73\x10\x21\x06" + bytes(14))[1] == 0x9000
    listed = host.send(0xA1)
    host.select(FidoApplet.aid)
    assert host.send(0x10, 0, 0, b"\x07", 0x80) == (b"\0", 0x9000)
    host.select(OathApplet.aid)
    assert host.send(0xA1) == listed == (b"\x72\x02\x21a", 0x9000)
