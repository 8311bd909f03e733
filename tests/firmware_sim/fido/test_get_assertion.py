"""authenticatorGetAssertion and authenticatorGetNextAssertion through the wire."""

import pytest

from firmware_sim.world.finger import ScriptedFinger, TouchAfter, never_touch


def test_a_stranger_has_no_credentials(bench, make_bench):
    other = make_bench(seed=2).make()
    assert bench.fails(bench.get, other) == "NO_CREDENTIALS"
    assert bench.fails(bench.get) == "NO_CREDENTIALS"


def test_a_credential_belongs_to_its_rp(bench):
    for rk in (False, True):
        made = bench.make(options={"rk": rk})
        assert bench.fails(bench.get, made, rp_id="evil.example") == "NO_CREDENTIALS"


@pytest.mark.parametrize("at", [0, 1, 20, -1])
def test_an_altered_credential_id_is_a_stranger(bench, at):
    made = bench.make()
    altered = bytearray(made.auth_data.credential_data.credential_id)
    altered[at] ^= 1
    listed = [{"type": "public-key", "id": bytes(altered)}]
    assert bench.fails(bench.get, allow_list=listed) == "NO_CREDENTIALS"
    listed = [{"type": "public-key", "id": bytes(altered[:12])}]
    assert bench.fails(bench.get, allow_list=listed) == "NO_CREDENTIALS"


def test_only_the_first_applicable_of_an_allow_list_answers(bench):
    made = [bench.make(b"u%d" % n) for n in range(3)]
    assertion = bench.get(*made)
    expected = made[0].auth_data.credential_data.credential_id
    assert assertion.credential == {"id": expected, "type": "public-key"}
    assert assertion.number_of_credentials is None
    assert assertion.user is None


def test_without_up_no_touch_is_asked(bench):
    made = bench.make()
    bench.key.finger = never_touch()
    assertion = bench.get(made, options={"up": False})
    assert assertion.auth_data.flags == 0
    assertion.verify(bench.client_data_hash, made.auth_data.credential_data.public_key)


def test_touch_is_asked_before_signing(bench):
    made = bench.make()
    bench.key.finger = ScriptedFinger([None, 3.0])
    assert bench.fails(bench.get, made) == "OPERATION_DENIED"
    assert bench.get(made).auth_data.flags == 0x01
    assert bench.fails(bench.get, made) == "USER_ACTION_TIMEOUT"


def test_several_discoverable_credentials_come_newest_first(bench):
    keys = {}
    for name in (b"a", b"b", b"c"):
        bench.clock.advance(1)
        made = bench.make(name, options={"rk": True})
        keys[name] = made.auth_data.credential_data.public_key
    bench.make(b"d", rp={"id": "other.example"}, options={"rk": True})
    first = bench.get()
    assert first.number_of_credentials == 3
    rest = [bench.ctap.get_next_assertion() for _ in range(2)]
    assert [a.user["id"] for a in (first, *rest)] == [b"c", b"b", b"a"]
    for assertion in (first, *rest):
        assertion.verify(bench.client_data_hash, keys[assertion.user["id"]])
        assert set(assertion.user) == {"id"}  # no names without user verification
    counters = [a.auth_data.counter for a in (first, *rest)]
    assert counters == sorted(set(counters))
    assert bench.fails(bench.ctap.get_next_assertion) == "NOT_ALLOWED"


def test_get_next_assertion_ends_after_30_seconds_or_another_command(bench):
    for name in (b"a", b"b", b"c"):
        bench.make(name, options={"rk": True})
    assert bench.fails(bench.ctap.get_next_assertion) == "NOT_ALLOWED"
    bench.get()
    bench.clock.advance(29)
    bench.ctap.get_next_assertion()
    bench.clock.advance(29)  # counted from the last one
    bench.ctap.get_next_assertion()
    bench.get()
    bench.clock.advance(31)
    assert bench.fails(bench.ctap.get_next_assertion) == "NOT_ALLOWED"
    bench.get()
    bench.ctap.get_info()
    assert bench.fails(bench.ctap.get_next_assertion) == "NOT_ALLOWED"


def test_names_only_to_a_verified_user_who_must_choose(bench):
    from fido2.ctap2 import ClientPin

    bench.pin().set_pin("1234")

    def verified(permission):
        client = bench.pin()
        token = client.get_pin_token("1234", permission, bench.rp_id)
        tag = client.protocol.authenticate(token, bench.client_data_hash)
        return {"pin_uv_param": tag, "pin_uv_protocol": client.protocol.VERSION}

    for name in (b"alice", b"bob"):
        bench.make(name, options={"rk": True}, **verified(ClientPin.PERMISSION.MAKE_CREDENTIAL))
    answer = bench.get(**verified(ClientPin.PERMISSION.GET_ASSERTION))
    assert answer.auth_data.flags == 0x05
    assert answer.user == {"id": b"bob", "name": "bob", "displayName": "Bob"}
    assert bench.get().user == {"id": b"bob"}


def test_discoverable_credentials_survive_a_power_cycle(bench):
    made = bench.make(b"alice", options={"rk": True})
    bench.power_cycle()
    assertion = bench.get()
    assertion.verify(bench.client_data_hash, made.auth_data.credential_data.public_key)
    assert assertion.auth_data.counter > made.auth_data.counter


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({1: None}, "MISSING_PARAMETER"),
        ({1: b"x"}, "CBOR_UNEXPECTED_TYPE"),
        ({2: None}, "MISSING_PARAMETER"),
        ({2: bytes(31)}, "INVALID_PARAMETER"),
        ({3: {}}, "CBOR_UNEXPECTED_TYPE"),
        ({3: [b"x"]}, "CBOR_UNEXPECTED_TYPE"),
        ({3: [{"type": "public-key"}]}, "MISSING_PARAMETER"),
        ({3: [{"id": bytes(9), "type": "public-key"}] * 33}, "LIMIT_EXCEEDED"),
        ({4: 1}, "CBOR_UNEXPECTED_TYPE"),
        ({5: {"rk": True}}, "UNSUPPORTED_OPTION"),
        ({5: {"rk": False}}, "UNSUPPORTED_OPTION"),
        ({5: {"uv": True}}, "INVALID_OPTION"),
        ({5: {"up": "x"}}, "CBOR_UNEXPECTED_TYPE"),
        ({6: bytes(16)}, "MISSING_PARAMETER"),
        ({6: bytes(16), 7: 9}, "INVALID_PARAMETER"),
        ({6: b"", 7: 2}, "PIN_NOT_SET"),
        ({}, "NO_CREDENTIALS"),
    ],
)
def test_bad_requests(bench, change, status):
    request = {1: "example.com", 2: bytes(32)} | change
    request = {k: v for k, v in request.items() if v is not None}
    assert bench.fails(bench.ctap.send_cbor, 2, request) == status


def test_selecting_by_an_empty_pin_uv_auth_param(bench):
    bench.pin().set_pin("1234")
    bench.key.finger = TouchAfter(2)
    start_s = bench.clock.now()
    request = {1: "example.com", 2: bytes(32), 6: b"", 7: 2}
    assert bench.fails(bench.ctap.send_cbor, 2, request) == "PIN_INVALID"
    assert bench.clock.now() == start_s + 2
