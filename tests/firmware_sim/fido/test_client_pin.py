"""authenticatorClientPIN through python-fido2's ClientPin."""

import pytest
from fido2.ctap2 import ClientPin, PinProtocolV1, PinProtocolV2
from fido2.utils import sha256

from firmware_sim.profiles import parse_profile

MC = ClientPin.PERMISSION.MAKE_CREDENTIAL
GA = ClientPin.PERMISSION.GET_ASSERTION
PROTOCOLS = [PinProtocolV1, PinProtocolV2]


def tag(bench, client, token):
    return {
        "pin_uv_param": client.protocol.authenticate(token, bench.client_data_hash),
        "pin_uv_protocol": client.protocol.VERSION,
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_set_change_and_use_a_pin(bench, protocol):
    client = bench.pin(protocol())
    assert bench.ctap.get_info().options["clientPin"] is False
    assert bench.fails(client.get_pin_retries) == "PIN_NOT_SET"
    client.set_pin("1234")
    assert bench.ctap.get_info().options["clientPin"] is True
    assert bench.fails(client.set_pin, "5678") == "PIN_AUTH_INVALID"
    client = bench.pin(protocol())
    client.change_pin("1234", "пароль")
    assert bench.fails(client.get_pin_token, "1234", MC, bench.rp_id) == "PIN_INVALID"
    token = client.get_pin_token("пароль", MC, bench.rp_id)
    made = bench.make(**tag(bench, client, token))
    assert made.auth_data.flags == 0x45
    assert client.get_pin_retries() == (8, False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_legacy_token_is_for_both_and_binds_to_its_first_rp(bench, protocol):
    client = bench.pin(protocol())
    client.set_pin("1234")
    client = bench.pin(protocol())
    made = bench.make()
    token = client.get_pin_token("1234")
    assert bench.get(made, **tag(bench, client, token)).auth_data.flags == 0x05
    token = client.get_pin_token("1234")
    used = tag(bench, client, token)
    assert bench.get(made, options={"up": False}, **used).auth_data.flags == 0x04
    listed = {"rp": {"id": "other.example"}}
    assert bench.fails(bench.make, **listed, **used) == "PIN_AUTH_INVALID"


def test_retries_are_spent_3_a_power_up_and_8_in_all(bench):
    bench.pin().set_pin("1234")
    statuses = []
    for _ in range(3):
        client = bench.pin()
        statuses += [bench.fails(client.get_pin_token, "0000", MC, "x") for _ in range(3)]
        assert bench.fails(client.get_pin_token, "1234", MC, "x") in (
            "PIN_AUTH_BLOCKED",
            "PIN_BLOCKED",
        )
        retries = client.get_pin_retries()
        bench.power_cycle()
    assert statuses == [
        *["PIN_INVALID", "PIN_INVALID", "PIN_AUTH_BLOCKED"] * 2,
        "PIN_INVALID",
        "PIN_BLOCKED",
        "PIN_BLOCKED",
    ]
    assert retries[0] == 0
    assert bench.fails(bench.pin().change_pin, "1234", "5678") == "PIN_BLOCKED"
    bench.ctap.reset()
    bench.pin().set_pin("5678")
    assert bench.pin().get_pin_retries() == (8, False)


def test_a_right_pin_restores_the_retries(bench):
    bench.pin().set_pin("1234")
    client = bench.pin()
    for wrong in range(2):
        bench.fails(client.get_pin_token, "0000", MC, "x")
        assert client.get_pin_retries() == (7 - wrong, False)
    client.get_pin_token("1234", MC, "x")
    assert client.get_pin_retries() == (8, False)
    # a mismatch costs the key agreement key: a client that keeps its secret fails
    bench.fails(client.change_pin, "0000", "4321")
    client.change_pin("1234", "4321")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pin_policy(bench, protocol):
    client = bench.pin(protocol())
    key_agreement, secret = client._get_shared_secret()

    def set_raw(padded):
        sealed = client.protocol.encrypt(secret, padded)
        proof = client.protocol.authenticate(secret, sealed)
        return bench.fails(
            bench.ctap.client_pin, client.protocol.VERSION, 3, key_agreement, proof, sealed
        )

    assert set_raw(b"123".ljust(64, b"\0")) == "PIN_POLICY_VIOLATION"
    assert set_raw("яяя".encode().ljust(64, b"\0")) == "PIN_POLICY_VIOLATION"
    assert set_raw(b"\xff\xfe\xfd\xfc".ljust(64, b"\0")) == "PIN_POLICY_VIOLATION"
    assert set_raw(b"x" * 64) == "PIN_POLICY_VIOLATION"
    assert set_raw(b"1234".ljust(48, b"\0")) == "INVALID_PARAMETER"
    assert set_raw(b"1234".ljust(80, b"\0")) == "INVALID_PARAMETER"
    assert not bench.key.flash.get("pin/hash")
    client.set_pin("x" * 63)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_tag_or_half_a_block_sets_no_pin(bench, protocol):
    client = bench.pin(protocol())
    key_agreement, secret = client._get_shared_secret()
    sealed = client.protocol.encrypt(secret, b"1234".ljust(64, b"\0"))
    set_pin = (bench.ctap.client_pin, client.protocol.VERSION, 3, key_agreement)
    assert bench.fails(*set_pin, bytes(32), sealed) == "PIN_AUTH_INVALID"
    proof = client.protocol.authenticate(secret, sealed[:-1])
    assert bench.fails(*set_pin, proof, sealed[:-1]) == "PIN_AUTH_INVALID"
    assert bench.ctap.get_info().options["clientPin"] is False


def test_permissions(bench):
    bench.pin().set_pin("1234")
    client = bench.pin()
    made = bench.make()
    for_registration = tag(bench, client, client.get_pin_token("1234", MC, bench.rp_id))
    assert bench.fails(bench.get, made, **for_registration) == "PIN_AUTH_INVALID"
    bench.make(**for_registration)
    # the touch spent the token
    assert bench.fails(bench.make, **for_registration) == "PIN_AUTH_INVALID"
    elsewhere = tag(bench, client, client.get_pin_token("1234", MC | GA, "other.example"))
    assert bench.fails(bench.make, **elsewhere) == "PIN_AUTH_INVALID"
    assert bench.fails(client.get_pin_token, "1234", MC) == "MISSING_PARAMETER"
    assert bench.fails(client.get_pin_token, "1234", ClientPin.PERMISSION(0)) == (
        "INVALID_PARAMETER"
    )
    # the persistent permission comes alone
    mixed = ClientPin.PERMISSION(0x40 | 0x04)
    assert bench.fails(client.get_pin_token, "1234", mixed) == "UNAUTHORIZED_PERMISSION"


@pytest.mark.parametrize("permission", [0x04, 0x08, 0x10, 0x20, 0x40])
def test_permissions_that_nothing_asks_for(make_bench, permission):
    bench = make_bench(
        parse_profile(
            "no-options",
            """
            base = "self-attested"
            versions = ["FIDO_2_0"]
            options = ["rk", "up", "clientPin", "pinUvAuthToken"]
            extensions = []
            max_cred_blob_length = 0
            max_large_blob_array = 0
            max_rp_ids_for_min_pin = 0
            vendor_prototype_config_commands = []
            long_touch_for_reset = "absent"
            pin_complexity = "absent"
            pin_complexity_policy_url = ""
            """,
        )
    )
    bench.pin().set_pin("1234")
    wanted = ClientPin.PERMISSION(permission)
    assert bench.fails(bench.pin().get_pin_token, "1234", wanted) == "UNAUTHORIZED_PERMISSION"


def test_a_token_dies_unused_after_30_seconds_and_at_10_minutes(bench):
    bench.pin().set_pin("1234")
    client = bench.pin()
    made = bench.make()
    silent = {"options": {"up": False}}
    token = tag(bench, client, client.get_pin_token("1234", GA, bench.rp_id))
    bench.clock.advance(29.9)
    bench.get(made, **silent, **token)
    bench.clock.advance(569)
    bench.get(made, **silent, **token)
    bench.clock.advance(2)
    assert bench.fails(bench.get, made, **silent, **token) == "PIN_AUTH_INVALID"
    token = tag(bench, client, client.get_pin_token("1234", GA, bench.rp_id))
    bench.clock.advance(30)
    assert bench.fails(bench.get, made, **silent, **token) == "PIN_AUTH_INVALID"


def test_a_newer_token_a_power_cycle_and_a_new_pin_end_a_token(bench):
    bench.pin().set_pin("1234")
    made = bench.make()

    def new():
        client = bench.pin()
        return tag(bench, client, client.get_pin_token("1234", GA, bench.rp_id))

    old = new()
    newer = new()
    assert bench.fails(bench.get, made, **old) == "PIN_AUTH_INVALID"
    bench.get(made, **newer)
    old = new()
    bench.power_cycle()
    assert bench.fails(bench.get, made, **old) == "PIN_AUTH_INVALID"
    old = new()
    bench.pin().change_pin("1234", "1234")
    assert bench.fails(bench.get, made, **old) == "PIN_AUTH_INVALID"


def test_a_token_of_one_protocol_is_nothing_to_the_other(bench):
    bench.pin().set_pin("1234")
    made = bench.make()
    token = bench.pin(PinProtocolV2()).get_pin_token("1234", GA, bench.rp_id)
    wrong = tag(bench, bench.pin(PinProtocolV1()), token)
    assert bench.fails(bench.get, made, **wrong) == "PIN_AUTH_INVALID"


def test_with_a_pin_discoverable_credentials_need_it(bench):
    bench.pin().set_pin("1234")
    assert bench.fails(bench.make, options={"rk": True}) == "PUAT_REQUIRED"
    assert bench.make().auth_data.flags == 0x41  # makeCredUvNotRqd


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({1: 1}, "MISSING_PARAMETER"),
        ({1: 1, 2: 99}, "INVALID_SUBCOMMAND"),
        ({1: 1, 2: 6}, "MISSING_PARAMETER"),
        ({1: 1, 2: 6, 3: {}}, "MISSING_PARAMETER"),
        ({1: 1, 2: 6, 3: {}, 9: 0}, "INVALID_PARAMETER"),
        ({1: 1, 2: 6, 3: {}, 9: 1, 10: "x"}, "NOT_ALLOWED"),
        ({2: 2}, "MISSING_PARAMETER"),
        ({1: 3, 2: 2}, "INVALID_PARAMETER"),
        ({1: "1", 2: 2}, "CBOR_UNEXPECTED_TYPE"),
        ({1: 1, 2: 3}, "MISSING_PARAMETER"),
        ({1: 1, 2: 3, 3: {}, 4: b"", 5: b""}, "INVALID_PARAMETER"),
        ({1: 1, 2: 4, 3: {}, 4: b"", 5: b"", 6: b""}, "PIN_NOT_SET"),
        ({1: 1, 2: 5}, "MISSING_PARAMETER"),
        ({1: 1, 2: 5, 3: {}, 6: b""}, "PIN_NOT_SET"),
        ({1: 1, 2: 5, 3: {}, 6: b"", 9: 1}, "INVALID_PARAMETER"),
        ({1: 9, 2: 3}, "MISSING_PARAMETER"),
        ({1: 1, 2: 5, 9: 1}, "MISSING_PARAMETER"),
        ({1: 9, 2: 9, 3: {}, 6: b"", 9: 0x80}, "INVALID_PARAMETER"),
        ({1: 1, 2: 9, 3: {}, 6: b"", 9: -1}, "INVALID_PARAMETER"),
        ({1: 1, 2: 9, 3: {}, 6: b""}, "MISSING_PARAMETER"),
        ({1: 1, 2: 9, 3: {}, 6: b"", 9: 0x80}, "PIN_NOT_SET"),
        ({1: 1, 2: 9, 3: {}, 6: b"", 9: 1, 10: "x"}, "PIN_NOT_SET"),
    ],
)
def test_bad_requests(bench, request_, status):
    assert bench.fails(bench.ctap.send_cbor, 6, request_) == status


@pytest.mark.parametrize("subcommand", [6, 7])
def test_a_key_without_a_sensor_has_no_uv_subcommands(make_bench, subcommand):
    bench = make_bench("self-attested")
    assert bench.fails(bench.ctap.client_pin, 2, subcommand) == "INVALID_SUBCOMMAND"


@pytest.mark.parametrize(
    "change",
    [
        {1: 3},
        {-1: 6},
        {-2: bytes(32)},
        {-2: b"short"},
        {-2: "x"},
        {-2: bytes(33)},
        {-3: b"\xff" * 32},
    ],
)
def test_a_point_off_the_curve_is_refused(bench, change):
    client = bench.pin()
    key_agreement, secret = client._get_shared_secret()
    sealed = client.protocol.encrypt(secret, b"1234".ljust(64, b"\0"))
    proof = client.protocol.authenticate(secret, sealed)
    wrong = dict(key_agreement) | change
    assert bench.fails(bench.ctap.client_pin, 2, 3, wrong, proof, sealed) == "INVALID_PARAMETER"


def test_a_pin_hash_of_no_whole_blocks_is_a_wrong_pin(bench):
    bench.pin().set_pin("1234")
    client = bench.pin(PinProtocolV1())
    key_agreement, secret = client._get_shared_secret()
    sealed = client.protocol.encrypt(secret, sha256(b"1234")[:16])[:-1]
    status = bench.fails(bench.ctap.client_pin, 1, 5, key_agreement, None, None, sealed)
    assert status == "PIN_INVALID"
    assert client.get_pin_retries() == (7, False)
