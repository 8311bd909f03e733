"""authenticatorMakeCredential through the wire."""

import pytest
from fido2 import cbor
from fido2.attestation import PackedAttestation

from firmware_sim.fido.ca import root_certificate
from firmware_sim.world.finger import ScriptedFinger, TouchAfter, never_touch


@pytest.mark.parametrize("algorithm", [-7, -8])
@pytest.mark.parametrize("rk", [False, True])
def test_a_credential_signs(bench, algorithm, rk):
    made = bench.make(key_params=[{"type": "public-key", "alg": algorithm}], options={"rk": rk})
    credential = made.auth_data.credential_data
    assert credential.public_key[3] == algorithm
    assert credential.aaguid == bench.key.profile.aaguid
    assert made.auth_data.flags == 0x41
    assertion = bench.get(made)
    assertion.verify(bench.client_data_hash, credential.public_key)
    assert assertion.auth_data.counter == made.auth_data.counter + 1


def test_basic_attestation_chains_to_the_test_root(bench):
    from cryptography import x509

    made = bench.make()
    result = PackedAttestation().verify(made.att_stmt, made.auth_data, bench.client_data_hash)
    assert result.attestation_type.name == "BASIC"
    root = x509.load_der_x509_certificate(root_certificate())
    x509.load_der_x509_certificate(result.trust_path[0]).verify_directly_issued_by(root)


def test_self_attestation(make_bench):
    bench = make_bench("self-attested")
    made = bench.make(key_params=[{"type": "public-key", "alg": -8}])
    result = PackedAttestation().verify(made.att_stmt, made.auth_data, bench.client_data_hash)
    assert result.attestation_type.name == "SELF"
    assert made.att_stmt["alg"] == -8


def test_server_side_credentials_store_nothing_and_work_after_a_power_cycle(bench):
    before = dict(bench.key.flash.contents)
    made = bench.make()
    changed = {k for k, v in bench.key.flash.contents.items() if before.get(k) != v}
    assert changed == {"signature-counter"}
    bench.power_cycle()
    bench.get(made).verify(bench.client_data_hash, made.auth_data.credential_data.public_key)


def test_the_first_supported_algorithm_wins(bench):
    offered = [
        {"type": "public-key", "alg": -65535},
        {"type": "other", "alg": -7},
        {"type": "public-key", "alg": -8},
        {"type": "public-key", "alg": -7},
    ]
    assert bench.make(key_params=offered).auth_data.credential_data.public_key[3] == -8
    assert bench.fails(bench.make, key_params=offered[:2]) == "UNSUPPORTED_ALGORITHM"
    assert bench.fails(bench.make, key_params=[]) == "UNSUPPORTED_ALGORITHM"


def test_excluded_credentials_need_a_touch_and_the_same_rp(bench):
    made = bench.make()
    listed = [{"type": "public-key", "id": made.auth_data.credential_data.credential_id}]
    assert bench.fails(bench.make, exclude_list=listed) == "CREDENTIAL_EXCLUDED"
    bench.make(exclude_list=listed, rp={"id": "other.example"})
    # §6.1.2 step 12: whether a touch comes or not
    for finger in (never_touch(), ScriptedFinger([None])):
        bench.key.finger = finger
        assert bench.fails(bench.make, exclude_list=listed) == "CREDENTIAL_EXCLUDED"


def test_touch_late_refused_and_never(bench):
    bench.key.finger = TouchAfter(12.5)
    start_s = bench.clock.now()
    seen = []
    bench.make(on_keepalive=seen.append)
    assert bench.clock.now() == start_s + 12.5
    assert seen == [2]
    bench.key.finger = ScriptedFinger([None])
    assert bench.fails(bench.make) == "OPERATION_DENIED"
    start_s = bench.clock.now()
    assert bench.fails(bench.make) == "USER_ACTION_TIMEOUT"
    assert bench.clock.now() == start_s + bench.key.profile.touch_timeout_s


def test_a_wish_to_cancel_reaches_the_key(bench):
    from threading import Event

    bench.key.finger = never_touch()
    event = Event()
    start_s = bench.clock.now()
    status = bench.fails(bench.make, event=event, on_keepalive=lambda _: event.set())
    assert status == "KEEPALIVE_CANCEL"
    assert bench.clock.now() - start_s < 1
    bench.key.finger = TouchAfter()
    bench.make()


def test_the_same_user_replaces_its_discoverable_credential(bench):
    first = bench.make(b"alice", options={"rk": True})
    second = bench.make(b"alice", options={"rk": True})
    assert bench.fails(bench.get, first) == "NO_CREDENTIALS"
    assert bench.get(second).user == {"id": b"alice"}
    assert bench.ctap.get_info().remaining_disc_creds == 99


def test_a_full_key_store_changes_nothing(bench):
    for number in range(100):
        bench.make(b"user%d" % number, options={"rk": True})
    before = dict(bench.key.flash.contents)
    assert bench.fails(bench.make, b"one more", options={"rk": True}) == "KEY_STORE_FULL"
    assert bench.key.flash.contents == before
    bench.make(b"user7", options={"rk": True})  # replacing still works
    bench.make(b"one more")  # and so does a server-side credential
    bench.power_cycle()
    assert bench.ctap.info.remaining_disc_creds == 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({1: None}, "MISSING_PARAMETER"),
        ({1: b"short"}, "INVALID_PARAMETER"),
        ({1: "text"}, "CBOR_UNEXPECTED_TYPE"),
        ({2: None}, "MISSING_PARAMETER"),
        ({2: {"name": "no id"}}, "MISSING_PARAMETER"),
        ({2: {"id": 1}}, "CBOR_UNEXPECTED_TYPE"),
        ({2: {"id": "a", "name": b"x"}}, "CBOR_UNEXPECTED_TYPE"),
        ({3: None}, "MISSING_PARAMETER"),
        ({3: {"name": "x"}}, "MISSING_PARAMETER"),
        ({3: {"id": "text"}}, "CBOR_UNEXPECTED_TYPE"),
        ({3: {"id": b""}}, "INVALID_PARAMETER"),
        ({3: {"id": bytes(65)}}, "INVALID_PARAMETER"),
        ({3: {"id": b"u", "displayName": 5}}, "CBOR_UNEXPECTED_TYPE"),
        ({4: None}, "MISSING_PARAMETER"),
        ({4: {}}, "CBOR_UNEXPECTED_TYPE"),
        ({4: ["x"]}, "CBOR_UNEXPECTED_TYPE"),
        ({4: [{"alg": -7}]}, "MISSING_PARAMETER"),
        ({4: [{"alg": -7, "type": "public-key"}, {"type": "public-key"}]}, "MISSING_PARAMETER"),
        ({4: [{"alg": "x", "type": "public-key"}]}, "CBOR_UNEXPECTED_TYPE"),
        ({5: b""}, "CBOR_UNEXPECTED_TYPE"),
        ({5: [1]}, "CBOR_UNEXPECTED_TYPE"),
        ({5: [{"id": b"x"}]}, "MISSING_PARAMETER"),
        ({5: [{"id": b"x", "type": "public-key"}] * 33}, "LIMIT_EXCEEDED"),
        ({6: []}, "CBOR_UNEXPECTED_TYPE"),
        ({7: []}, "CBOR_UNEXPECTED_TYPE"),
        ({7: {"rk": 1}}, "CBOR_UNEXPECTED_TYPE"),
        ({7: {"up": False}}, "INVALID_OPTION"),
        ({7: {"uv": True}}, "INVALID_OPTION"),
        ({8: "x"}, "CBOR_UNEXPECTED_TYPE"),
        ({8: bytes(16)}, "MISSING_PARAMETER"),
        ({8: bytes(16), 9: 3}, "INVALID_PARAMETER"),
        ({8: bytes(16), 9: True}, "CBOR_UNEXPECTED_TYPE"),
        ({8: b"", 9: 1}, "PIN_NOT_SET"),
        ({10: 1}, "INVALID_PARAMETER"),
    ],
)
def test_bad_requests(bench, change, status):
    request = {
        1: bytes(32),
        2: {"id": "example.com"},
        3: {"id": b"u"},
        4: [{"alg": -7, "type": "public-key"}],
    }
    request = {k: v for k, v in (request | change).items() if v is not None}
    before = dict(bench.key.flash.contents)
    assert bench.fails(bench.ctap.send_cbor, 1, request) == status
    assert bench.key.flash.contents == before


def test_unknown_members_and_options_are_ignored(bench):
    request = {
        1: bytes(32),
        2: {"id": "example.com", "icon": "x"},
        3: {"id": b"u"},
        4: [{"alg": -7, "type": "public-key"}],
        5: [{"id": b"x", "type": "unknown"}],
        6: {"unknownExtension": True},
        7: {"unknown": True, "uv": False, "up": True},
        99: "from the future",
    }
    answer = bench.ctap.send_cbor(1, request)
    assert sorted(answer) == [1, 2, 3]
    assert answer[1] == "packed"


def test_everything_repeats_under_a_seed(make_bench):
    def responses(seed):
        bench = make_bench(seed=seed)
        made = bench.make(options={"rk": True})
        return cbor.encode(dict(made)), cbor.encode(dict(bench.get(made)))

    assert responses(7) == responses(7)
    assert responses(7) != responses(8)
