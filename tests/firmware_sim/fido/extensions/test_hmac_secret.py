"""hmac-secret and hmac-secret-mc, by python-fido2's client and by hand."""

import hashlib

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap2.extensions import HmacSecretExtension
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.utils import websafe_encode

PROTOCOLS = [PinProtocolV1, PinProtocolV2]
SALTS = [hashlib.sha256(bytes([number])).digest() for number in (1, 2)]


class User(UserInteraction):
    pin = None

    def request_pin(self, permissions, rp_id):
        return self.pin


def client_of(bench):
    return Fido2Client(
        bench.device,
        client_data_collector=DefaultClientDataCollector(f"https://{bench.rp_id}"),
        user_interaction=User(),
        extensions=[HmacSecretExtension(allow_hmac_secret=True)],
    )


def create(bench, extensions, uv="discouraged", rk="discouraged"):
    return client_of(bench).make_credential(
        {
            "rp": {"id": bench.rp_id, "name": "Example"},
            "user": {"id": b"user", "name": "user", "displayName": "User"},
            "challenge": bytes(32),
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "authenticatorSelection": {"userVerification": uv, "residentKey": rk},
            "extensions": extensions,
        }
    )


def secrets(bench, credential_id, inputs, uv="discouraged"):
    selection = client_of(bench).get_assertion(
        {
            "rpId": bench.rp_id,
            "challenge": bytes(32),
            "allowCredentials": [{"type": "public-key", "id": credential_id}],
            "userVerification": uv,
            "extensions": inputs,
        }
    )
    return selection.get_response(0).client_extension_results


@pytest.mark.parametrize("rk", ["required", "discouraged"])
def test_the_same_salts_give_the_same_secrets(bench, rk):
    made = create(bench, {"hmacCreateSecret": True}, rk=rk)
    assert made.client_extension_results.hmac_create_secret is True
    get = {"hmacGetSecret": {"salt1": SALTS[0], "salt2": SALTS[1]}}
    first = secrets(bench, made.raw_id, get).hmac_get_secret
    bench.power_cycle()
    again = secrets(bench, made.raw_id, get).hmac_get_secret
    assert (first.output1, first.output2) == (again.output1, again.output2)
    assert len({first.output1, first.output2, *SALTS}) == 4
    swapped = {"hmacGetSecret": {"salt1": SALTS[1], "salt2": SALTS[0]}}
    assert secrets(bench, made.raw_id, swapped).hmac_get_secret.output1 == first.output2
    one = secrets(bench, made.raw_id, {"hmacGetSecret": {"salt1": SALTS[0]}}).hmac_get_secret
    assert one.output1 == first.output1
    assert not one.output2


def test_another_credential_has_other_secrets(bench):
    made = [create(bench, {"hmacCreateSecret": True}).raw_id for _ in range(2)]
    get = {"hmacGetSecret": {"salt1": SALTS[0]}}
    one, other = (secrets(bench, each, get).hmac_get_secret.output1 for each in made)
    assert one != other


def test_a_verified_user_has_other_secrets(bench):
    made = create(bench, {"hmacCreateSecret": True})
    get = {"hmacGetSecret": {"salt1": SALTS[0]}}
    unverified = secrets(bench, made.raw_id, get).hmac_get_secret.output1
    bench.pin().set_pin("271828")
    User.pin = "271828"
    try:
        verified = secrets(bench, made.raw_id, get, uv="required").hmac_get_secret.output1
    finally:
        User.pin = None
    assert verified != unverified


def test_prf_as_browsers_ask_for_it(bench):
    made = create(bench, {"prf": {"eval": {"first": b"one", "second": b"two"}}})
    assert made.client_extension_results.prf.enabled is True
    at_once = made.client_extension_results.prf.results
    later = secrets(bench, made.raw_id, {"prf": {"eval": {"first": b"one", "second": b"two"}}})
    assert later.prf.results.first == at_once.first
    assert later.prf.results.second == at_once.second
    by_credential = {"evalByCredential": {websafe_encode(made.raw_id): {"first": b"two"}}}
    assert secrets(bench, made.raw_id, {"prf": by_credential}).prf.results.first == (at_once.second)


def asked(bench, protocol, salts, **changes):
    """The extension's input, and the shared secret."""
    key_agreement, secret = bench.pin(protocol)._get_shared_secret()
    sealed = protocol.encrypt(secret, salts)
    value = {
        1: key_agreement,
        2: sealed,
        3: protocol.authenticate(secret, sealed),
        4: protocol.VERSION,
    }
    return value | changes, secret


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_both_protocols(bench, kind):
    protocol = kind()
    made = bench.make(extensions={"hmac-secret": True})
    assert made.auth_data.extensions == {"hmac-secret": True}
    value, secret = asked(bench, protocol, b"".join(SALTS))
    answer = bench.get(made, extensions={"hmac-secret": value})
    assert len(protocol.decrypt(secret, answer.auth_data.extensions["hmac-secret"])) == 64


def test_protocol_one_is_the_default(bench):
    made = bench.make(extensions={"hmac-secret": True})
    value, secret = asked(bench, PinProtocolV1(), SALTS[0])
    del value[4]
    answer = bench.get(made, extensions={"hmac-secret": value})
    sealed = answer.auth_data.extensions["hmac-secret"]
    assert len(PinProtocolV1().decrypt(secret, sealed)) == 32


@pytest.mark.parametrize("kind", PROTOCOLS)
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({3: bytes(32)}, "PIN_AUTH_INVALID"),
        ({4: 3}, "INVALID_PARAMETER"),
        ({4: "1"}, "CBOR_UNEXPECTED_TYPE"),
        ({1: {1: 2}}, "INVALID_PARAMETER"),
        ({2: "salt"}, "CBOR_UNEXPECTED_TYPE"),
    ],
)
def test_wrong_inputs(bench, kind, changes, status):
    made = bench.make(extensions={"hmac-secret": True})
    value, _ = asked(bench, kind(), SALTS[0])
    assert bench.fails(bench.get, made, extensions={"hmac-secret": value | changes}) == status
    both = {"hmac-secret": True, "hmac-secret-mc": value | changes}
    assert bench.fails(bench.make, extensions=both) == status


@pytest.mark.parametrize("kind", PROTOCOLS)
@pytest.mark.parametrize("length", [0, 16, 48, 80, 96])
def test_salts_of_another_length(bench, kind, length):
    made = bench.make(extensions={"hmac-secret": True})
    value, _ = asked(bench, kind(), bytes(length))
    assert bench.fails(bench.get, made, extensions={"hmac-secret": value}) == "INVALID_PARAMETER"


def test_a_missing_member(bench):
    made = bench.make(extensions={"hmac-secret": True})
    for member in (1, 2, 3):
        value, _ = asked(bench, PinProtocolV2(), SALTS[0])
        del value[member]
        failed = bench.fails(bench.get, made, extensions={"hmac-secret": value})
        assert failed == "MISSING_PARAMETER"


def test_not_without_a_touch(bench):
    made = bench.make(extensions={"hmac-secret": True})
    value, _ = asked(bench, PinProtocolV2(), SALTS[0])
    silent = {"extensions": {"hmac-secret": value}, "options": {"up": False}}
    assert bench.fails(bench.get, made, **silent) == "UNSUPPORTED_OPTION"


@pytest.mark.parametrize("extensions", [None, {"hmac-secret": False}, {"unknown": True}])
def test_a_credential_that_was_made_without_has_none(bench, extensions):
    made = bench.make(extensions=extensions)
    assert made.auth_data.extensions is None
    value, _ = asked(bench, PinProtocolV2(), SALTS[0])
    assert bench.get(made, extensions={"hmac-secret": value}).auth_data.extensions is None


def test_at_registration_only_beside_hmac_secret(bench):
    value, _ = asked(bench, PinProtocolV2(), SALTS[0])
    for other in ({}, {"hmac-secret": False}):
        failed = bench.fails(bench.make, extensions={**other, "hmac-secret-mc": value})
        assert failed == "MISSING_PARAMETER"
