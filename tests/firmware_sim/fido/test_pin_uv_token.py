"""The pinUvAuthToken's state machine (CTAP 2.1 §6.5.2.1), and the persistent token of 2.2."""

import hashlib

import pytest
from fido2.ctap2 import ClientPin, CredentialManagement, Ctap2
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.hid import CtapHidDevice

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.profiles import parse_profile
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import ScriptedFinger, touch_at_once
from firmware_sim.world.flash import MemoryFlash

P = ClientPin.PERMISSION
PERSISTENT = P(0x40)
SILENT = {"options": {"up": False}}


def proof(bench, client, token):
    tag = client.protocol.authenticate(token, bench.client_data_hash)
    return {"pin_uv_param": tag, "pin_uv_protocol": client.protocol.VERSION}


@pytest.fixture
def with_pin(bench):
    bench.pin().set_pin("1234")
    bench.made = bench.make()
    return bench


def token_of(bench, permissions=P.GET_ASSERTION):
    client = bench.pin()
    return proof(bench, client, client.get_pin_token("1234", permissions, bench.rp_id))


def test_a_rolling_timer_lets_an_idle_token_die(make_bench):
    profile = parse_profile("rolling", 'base = "reference"\ntoken_rolling_timer = true\n')
    bench = make_bench(profile)
    bench.pin().set_pin("1234")
    made, token = bench.make(), token_of(bench)
    for _ in range(5):  # used in time, it lives on
        bench.clock.advance(29)
        bench.get(made, **SILENT, **token)
    bench.clock.advance(30)
    assert bench.fails(bench.get, made, **SILENT, **token) == "PIN_AUTH_INVALID"


def test_a_rolling_timer_does_not_outlive_ten_minutes(make_bench):
    profile = parse_profile("rolling", 'base = "reference"\ntoken_rolling_timer = true\n')
    bench = make_bench(profile)
    bench.pin().set_pin("1234")
    made, token = bench.make(), token_of(bench)
    for _ in range(59):
        bench.clock.advance(10)
        bench.get(made, **SILENT, **token)
    bench.clock.advance(10)
    assert bench.fails(bench.get, made, **SILENT, **token) == "PIN_AUTH_INVALID"


def test_without_one_an_idle_token_lives_ten_minutes(with_pin):
    token = token_of(with_pin)
    with_pin.get(with_pin.made, **SILENT, **token)
    with_pin.clock.advance(599)
    with_pin.get(with_pin.made, **SILENT, **token)


@pytest.mark.parametrize(
    ("transport", "limit_s"), [("usb", 30), ("ble", 30), ("nfc", 19.8), ("smart-card", 19.8)]
)
def test_each_transport_has_its_initial_usage_limit(transport, limit_s):
    """§6.5.2.1: what a contact with NFC allows is less than a minute at a USB port."""
    from fido2 import cbor

    from firmware_sim.profiles import load_profile

    clock = SimulatedClock()
    authenticator = Authenticator(
        load_profile("reference"),
        clock,
        SeededEntropy(1),
        MemoryFlash(),
        touch_at_once(),
        transport=transport,
    )

    def call(command, request):
        answer = authenticator.start(bytes([command]) + cbor.encode(request)).response
        return answer[0], cbor.decode(answer[1:]) if answer[1:] else {}

    protocol = PinProtocolV2()
    _, agreement = call(6, {1: 2, 2: 2})
    key, secret = protocol.encapsulate(agreement[1])
    new_pin = protocol.encrypt(secret, b"1234".ljust(64, b"\0"))
    request = {1: 2, 2: 3, 3: key, 4: protocol.authenticate(secret, new_pin), 5: new_pin}
    assert call(6, request)[0] == 0
    sealed = protocol.encrypt(secret, hashlib.sha256(b"1234").digest()[:16])

    def after(seconds):
        _, answer = call(6, {1: 2, 2: 9, 3: key, 6: sealed, 9: 0x04})
        token = protocol.decrypt(secret, answer[2])
        clock.advance(seconds)
        return call(0x0A, {1: 1, 3: 2, 4: protocol.authenticate(token, b"\x01")})[0]

    assert after(limit_s - 0.1) == 0
    assert after(limit_s + 0.1) == 0x33


def test_a_touch_spends_all_but_large_blob_writes(with_pin):
    client = with_pin.pin()
    wanted = P.GET_ASSERTION | P.LARGE_BLOB_WRITE | P.CREDENTIAL_MGMT
    token = client.get_pin_token("1234", wanted, with_pin.rp_id)
    with_pin.get(with_pin.made, **proof(with_pin, client, token))
    manage = CredentialManagement(with_pin.ctap, client.protocol, token)
    assert with_pin.fails(manage.get_metadata) == "PIN_AUTH_INVALID"
    array = b"\x80" + hashlib.sha256(b"\x80").digest()[:16]
    message = b"\xff" * 32 + b"\x0c\0" + bytes(4) + hashlib.sha256(array).digest()
    tag = client.protocol.authenticate(token, message)
    with_pin.ctap.large_blobs(0, set=array, length=17, pin_uv_param=tag, pin_uv_protocol=2)


def test_a_token_by_pin_says_nothing_of_presence(make_bench):
    bench = make_bench()
    bench.pin().set_pin("1234")
    made, token = bench.make(), token_of(bench)
    bench.key.finger = ScriptedFinger([None])
    assert bench.fails(bench.get, made, **token) == "OPERATION_DENIED"


# -- the persistent token -----------------------------------------------------------------------


def manage_with(bench, token, protocol=None):
    return CredentialManagement(bench.ctap, protocol or PinProtocolV2(), token)


@pytest.mark.parametrize("protocol", [PinProtocolV1, PinProtocolV2])
def test_a_persistent_token_reads_credentials_for_ever(with_pin, protocol):
    with_pin.make(b"alice", options={"rk": True}, **token_of(with_pin, P.MAKE_CREDENTIAL))
    token = with_pin.pin(protocol()).get_pin_token("1234", PERSISTENT)
    assert with_pin.pin(protocol()).get_pin_token("1234", PERSISTENT) == token
    for _ in range(2):
        manage = manage_with(with_pin, token, protocol())
        assert manage.get_metadata() == {1: 1, 2: 99}
        assert [rp[3]["id"] for rp in manage.enumerate_rps()] == [with_pin.rp_id]
        rp_id_hash = hashlib.sha256(with_pin.rp_id.encode()).digest()
        [credential] = manage.enumerate_creds(rp_id_hash)
        assert credential[6]["id"] == b"alice"
        # and changes nothing
        assert with_pin.fails(manage.delete_cred, credential[7]) == "PIN_AUTH_INVALID"
        user = {"id": b"alice", "name": "x"}
        assert with_pin.fails(manage.update_user_info, credential[7], user) == "PIN_AUTH_INVALID"
        with_pin.clock.advance(10 * 365 * 86_400)
        with_pin.power_cycle()
    assert with_pin.fails(with_pin.get, **proof(with_pin, with_pin.pin(), token)) == (
        "PIN_AUTH_INVALID"
    )


def test_a_persistent_token_leaves_the_other_one_alone(with_pin):
    other = token_of(with_pin)
    with_pin.pin().get_pin_token("1234", PERSISTENT)
    with_pin.get(with_pin.made, **other)


def test_a_persistent_token_dies_with_the_pin(with_pin):
    token = with_pin.pin().get_pin_token("1234", PERSISTENT)
    with_pin.pin().change_pin("1234", "4321")
    assert with_pin.fails(manage_with(with_pin, token).get_metadata) == "PIN_AUTH_INVALID"


def test_a_refused_change_leaves_it(with_pin):
    token = with_pin.pin().get_pin_token("1234", PERSISTENT)
    assert with_pin.fails(with_pin.pin().change_pin, "0000", "4321") == "PIN_INVALID"
    assert manage_with(with_pin, token).get_metadata() == {1: 0, 2: 100}


def test_a_persistent_token_dies_with_a_forced_change(with_pin):
    from fido2.ctap2 import Config

    token = with_pin.pin().get_pin_token("1234", PERSISTENT)
    client = with_pin.pin()
    acfg = client.get_pin_token("1234", P.AUTHENTICATOR_CFG)
    Config(with_pin.ctap, client.protocol, acfg).set_min_pin_length(force_change_pin=True)
    assert with_pin.fails(manage_with(with_pin, token).get_metadata) == "PIN_AUTH_INVALID"


# -- CTAP 2.0's pinToken ------------------------------------------------------------------------

OLD = """
base = "self-attested"
versions = ["FIDO_2_0", "FIDO_2_1_PRE"]
options = ["rk", "up", "plat", "clientPin", "credentialMgmtPreview"]
extensions = ["credProtect", "hmac-secret"]
pin_uv_protocols = [1]
max_cred_blob_length = 0
max_large_blob_array = 0
max_rp_ids_for_min_pin = 0
vendor_prototype_config_commands = []
long_touch_for_reset = "absent"
pin_complexity = "absent"
pin_complexity_policy_url = ""
"""


def old_token(bench):
    return bench.pin().get_pin_token("1234")


def test_a_pin_token_of_ctap_2_0(make_bench):
    """It knows neither permissions nor times, and stays the same until the power goes."""
    bench = make_bench(parse_profile("old", OLD))
    bench.pin().set_pin("1234")
    client = bench.pin()
    token = old_token(bench)
    assert old_token(bench) == token
    for _ in range(2):
        bench.make(options={"rk": True}, **proof(bench, client, token))
        bench.get(**proof(bench, client, token))
        bench.get(rp_id=bench.rp_id, **proof(bench, client, token))
        bench.clock.advance(86_400)
    assert manage_with(bench, token, PinProtocolV1()).get_metadata() == {1: 1, 2: 99}
    bench.power_cycle()
    assert old_token(bench) != token


def test_the_preview_of_credential_management(make_bench):
    bench = make_bench(parse_profile("old", OLD))
    bench.pin().set_pin("1234")
    client, token = bench.pin(), old_token(bench)
    bench.make(options={"rk": True}, **proof(bench, client, token))
    manage = manage_with(bench, token, PinProtocolV1())
    [rp] = manage.enumerate_rps()
    [credential] = manage.enumerate_creds(rp[4])
    assert 12 not in credential  # thirdPartyPayment came later
    assert bench.fails(bench.ctap.send_cbor, 0x41, {1: 7}) == "INVALID_SUBCOMMAND"
    assert bench.fails(bench.ctap.send_cbor, 0x0A, {1: 1}) == "INVALID_COMMAND"
    assert bench.fails(bench.ctap.selection) == "INVALID_COMMAND"
    manage.delete_cred(credential[7])
    assert manage.get_metadata()[1] == 0


def test_the_subcommands_of_tokens_with_permissions_are_not_there(make_bench):
    bench = make_bench(parse_profile("old", OLD))
    assert bench.fails(bench.ctap.client_pin, 1, 9) == "INVALID_SUBCOMMAND"
    assert isinstance(Ctap2(bench.device).device, CtapHidDevice)
