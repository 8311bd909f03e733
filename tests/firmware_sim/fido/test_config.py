"""authenticatorConfig and minPinLength through python-fido2's Config."""

import hashlib

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import Config, PinProtocolV1, PinProtocolV2

PIN = "271828"


class Configured:
    def __init__(self, bench, protocol):
        self.bench, self.protocol = bench, protocol

    @property
    def client(self):
        return self.bench.pin(self.protocol)

    def config(self, pin=PIN):
        """With a token where there is a PIN."""
        if not self.info.options["clientPin"]:
            return Config(self.bench.ctap)
        client = self.client
        token = client.get_pin_token(pin, client.PERMISSION.AUTHENTICATOR_CFG)
        return Config(self.bench.ctap, client.protocol, token)

    @property
    def info(self):
        return self.bench.ctap.get_info()

    def verified(self, permission, pin=PIN):
        client = self.client
        token = client.get_pin_token(pin, permission, self.bench.rp_id)
        return {
            "pin_uv_param": client.protocol.authenticate(token, self.bench.client_data_hash),
            "pin_uv_protocol": client.protocol.VERSION,
        }

    def fails(self, *args, **kwargs):
        return self.bench.fails(*args, **kwargs)


@pytest.fixture(params=[PinProtocolV1, PinProtocolV2])
def configured(bench, request):
    return Configured(bench, request.param())


def test_always_uv(configured):
    bench = configured.bench
    made = bench.make()
    configured.config().toggle_always_uv()
    assert configured.info.options["alwaysUv"] is True
    assert configured.info.options["makeCredUvNotRqd"] is False
    for step in ("no PIN yet", "with a PIN"):
        assert bench.fails(bench.make) == "PUAT_REQUIRED", step
        assert bench.fails(bench.get, made) == "PUAT_REQUIRED", step
        # silently, to find out which key knows a credential
        assert bench.get(made, options={"up": False}).auth_data.flags == 0
        if step == "no PIN yet":
            configured.client.set_pin(PIN)
    permission = configured.client.PERMISSION
    assert bench.make(**configured.verified(permission.MAKE_CREDENTIAL)).auth_data.flags == 0x45
    answer = bench.get(made, **configured.verified(permission.GET_ASSERTION))
    assert answer.auth_data.flags == 0x05
    bench.power_cycle()
    assert configured.info.options["alwaysUv"] is True
    configured.config().toggle_always_uv()
    assert configured.info.options["alwaysUv"] is False
    assert bench.get(made).auth_data.flags == 0x01


def test_a_longer_pin(configured):
    configured.config().set_min_pin_length(6)
    configured.bench.power_cycle()
    assert configured.info.min_pin_length == 6
    assert configured.fails(configured.client.set_pin, "12345") == "PIN_POLICY_VIOLATION"
    configured.client.set_pin("123456")
    assert configured.info.force_pin_change is False
    shorter = configured.config("123456").set_min_pin_length
    assert configured.fails(shorter, 5) == "PIN_POLICY_VIOLATION"
    too_long = configured.config("123456").set_min_pin_length
    assert configured.fails(too_long, 64) == "PIN_POLICY_VIOLATION"


def test_a_pin_that_became_too_short_must_be_changed(configured):
    """Counted in code points: four that take eight bytes are four."""
    configured.client.set_pin("ключ")
    configured.config("ключ").set_min_pin_length(5)
    assert configured.info.force_pin_change is True
    configured.bench.power_cycle()
    assert configured.info.force_pin_change is True
    permission = configured.client.PERMISSION
    rp_id = configured.bench.rp_id
    refused = configured.fails(
        configured.client.get_pin_token, "ключ", permission.GET_ASSERTION, rp_id
    )
    assert refused == "PIN_POLICY_VIOLATION"
    configured.client.change_pin("ключ", "ключи")
    assert configured.info.force_pin_change is False
    assert configured.client.get_pin_token("ключи", permission.GET_ASSERTION, rp_id)


def test_a_forced_change_wants_another_pin(configured):
    assert configured.fails(configured.config().set_min_pin_length, force_change_pin=True) == (
        "PIN_NOT_SET"
    )
    configured.client.set_pin(PIN)
    config = configured.config()
    config.set_min_pin_length(force_change_pin=True)
    # the token died with it
    assert configured.fails(config.toggle_always_uv) == "PIN_AUTH_INVALID"
    assert configured.fails(configured.client.change_pin, PIN, PIN) == "PIN_POLICY_VIOLATION"
    assert configured.fails(configured.client.change_pin, "0000", "314159") == "PIN_INVALID"
    configured.client.change_pin(PIN, "314159")
    configured.client.change_pin("314159", "314159")
    assert configured.config("314159")


def test_the_old_way_to_a_token_says_wrong_pin(configured):
    """getPinToken: platforms of CTAP 2.0 do not know the other status."""
    configured.client.set_pin(PIN)
    configured.config().set_min_pin_length(force_change_pin=True)
    client = configured.client
    key_agreement, secret = client._get_shared_secret()
    sealed = client.protocol.encrypt(secret, hashlib.sha256(PIN.encode()).digest()[:16])
    failed = configured.fails(
        configured.bench.ctap.client_pin,
        client.protocol.VERSION,
        5,
        key_agreement=key_agreement,
        pin_hash_enc=sealed,
    )
    assert failed == "PIN_INVALID"
    assert configured.client.get_pin_retries()[0] == 8


def test_the_named_rps_learn_the_minimum(configured):
    bench = configured.bench
    asked = {"extensions": {"minPinLength": True}}
    assert bench.make(**asked).auth_data.extensions is None
    configured.config().set_min_pin_length(5, [bench.rp_id, "other.example"])
    bench.power_cycle()
    assert bench.make(**asked).auth_data.extensions == {"minPinLength": 5}
    assert bench.make(extensions={"minPinLength": False}).auth_data.extensions is None
    stranger = bench.make(rp={"id": "stranger.example", "name": "Stranger"}, **asked)
    assert stranger.auth_data.extensions is None
    configured.config().set_min_pin_length(rp_ids=["other.example"])
    assert bench.make(**asked).auth_data.extensions is None


def test_eight_rps_and_no_ninth(configured):
    names = [f"{number}.example" for number in range(9)]
    assert configured.info.max_rpids_for_min_pin == 8
    failed = configured.fails(configured.config().set_min_pin_length, 7, names)
    assert failed == "KEY_STORE_FULL"
    assert configured.info.min_pin_length == 4
    configured.config().set_min_pin_length(7, names[:8])
    assert configured.info.min_pin_length == 7


def test_a_reset_brings_the_factory_settings_back(configured):
    configured.config().set_min_pin_length(8, ["a.example"], pin_complexity_policy=True)
    configured.config().enable_enterprise_attestation()
    configured.config().toggle_always_uv()
    configured.bench.power_cycle()
    configured.bench.ctap.reset()
    info = configured.info
    assert (info.min_pin_length, info.options["alwaysUv"]) == (4, False)
    assert (info.options["ep"], info.pin_complexity_policy) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"sub_cmd": 2}, "PUAT_REQUIRED"),
        ({"sub_cmd": 2, "pin_uv_param": bytes(16)}, "MISSING_PARAMETER"),
        ({"sub_cmd": 2, "pin_uv_param": bytes(16), "pin_uv_protocol": 3}, "INVALID_PARAMETER"),
        ({"sub_cmd": 2, "pin_uv_param": bytes(16), "pin_uv_protocol": 1}, "PIN_AUTH_INVALID"),
        ({"sub_cmd": 5}, "INVALID_PARAMETER"),
        ({"sub_cmd": 0xFE}, "INVALID_PARAMETER"),
    ],
)
def test_wrong_requests(configured, arguments, status):
    configured.client.set_pin(PIN)
    assert configured.fails(configured.bench.ctap.config, **arguments) == status
    assert configured.info.options["alwaysUv"] is False


def test_a_token_for_something_else(configured):
    configured.client.set_pin(PIN)
    client = configured.client
    token = client.get_pin_token(PIN, client.PERMISSION.CREDENTIAL_MGMT)
    config = Config(configured.bench.ctap, client.protocol, token)
    assert configured.fails(config.toggle_always_uv) == "PIN_AUTH_INVALID"


@pytest.mark.parametrize("details", [{1: "6"}, {2: "a.example"}, {2: [1]}, {3: 1}, {4: 1}])
def test_wrong_types(configured, details):
    failed = configured.fails(configured.bench.ctap.config, 3, details)
    assert failed == "CBOR_UNEXPECTED_TYPE"


def test_always_uv_without_a_pin_can_only_be_switched_off(configured):
    configured.config().toggle_always_uv()
    assert configured.fails(configured.config().set_min_pin_length, 6) == "PUAT_REQUIRED"
    configured.config().toggle_always_uv()
    assert configured.info.options["alwaysUv"] is False


def test_pin_complexity(configured):
    """A PIN that was good enough before must be changed, and simple ones are refused."""
    assert configured.info.pin_complexity_policy is False
    assert configured.info.pin_complexity_policy_url == b"https://tokenkit.example/pin-complexity"
    configured.client.set_pin("1234")
    configured.config("1234").set_min_pin_length(pin_complexity_policy=True)
    assert configured.info.pin_complexity_policy is True
    assert configured.info.force_pin_change is True
    for simple in ("4321", "abcdef", "7777", "7878", "122112"):
        assert configured.fails(configured.client.change_pin, "1234", simple) == (
            "PIN_POLICY_VIOLATION"
        )
    configured.client.change_pin("1234", "1235")
    configured.bench.power_cycle()
    assert configured.info.pin_complexity_policy is True
    assert configured.info.force_pin_change is False


def test_a_pin_that_is_complex_enough_stays(configured):
    configured.client.set_pin(PIN)
    configured.config().set_min_pin_length(pin_complexity_policy=True)
    assert configured.info.force_pin_change is False


def test_the_named_rps_learn_the_complexity_policy(configured):
    bench = configured.bench
    asked = {"extensions": {"pinComplexityPolicy": True}}
    assert bench.make(**asked).auth_data.extensions is None
    configured.config().set_min_pin_length(rp_ids=[bench.rp_id])
    assert bench.make(**asked).auth_data.extensions == {"pinComplexityPolicy": False}
    configured.config().set_min_pin_length(pin_complexity_policy=True)
    assert bench.make(**asked).auth_data.extensions == {"pinComplexityPolicy": True}
    assert bench.make(extensions={"pinComplexityPolicy": False}).auth_data.extensions is None


def test_vendor_prototype(configured):
    bench = configured.bench
    [offered] = configured.info.vendor_prototype_config_commands
    assert bench.ctap.config(0xFF, {1: offered}) == {}
    assert bench.fails(bench.ctap.config, 0xFF, {1: 7}) == "INVALID_PARAMETER"
    assert bench.fails(bench.ctap.config, 0xFF, {}) == "MISSING_PARAMETER"


def test_every_subcommand_that_is_listed_is_there(configured):
    assert configured.info.authenticator_config_commands == [1, 2, 3, 4, 0xFF]
    for number in range(256):
        known = configured.bench.raw(bytes([0x0D, 0xA1, 1]) + number_in_cbor(number))
        listed = number in configured.info.authenticator_config_commands
        assert (known[0] != CtapError.ERR.INVALID_PARAMETER) is listed, number


def number_in_cbor(number):
    return bytes([number]) if number < 24 else bytes([0x18, number])


def test_a_profile_without_them(make_bench):
    bench = make_bench("self-attested")
    assert bench.ctap.get_info().authenticator_config_commands == [2, 3, 4, 0xFF]
    assert "ep" not in bench.ctap.get_info().options
    assert bench.fails(bench.ctap.config, 1) == "INVALID_PARAMETER"
