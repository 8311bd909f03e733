"""python-fido2's Fido2Client with every extension it has, as a browser would use the key."""

import pytest
from fido2.client import (
    ClientError,
    DefaultClientDataCollector,
    Fido2Client,
    PinRequiredError,
    UserInteraction,
)
from fido2.ctap2 import Config
from fido2.ctap2.bio import FPBioEnrollment
from fido2.ctap2.extensions import (
    CredBlobExtension,
    CredPropsExtension,
    CredProtectExtension,
    HmacSecretExtension,
    LargeBlobExtension,
    MinPinLengthExtension,
    PinComplexityPolicyExtension,
    ThirdPartyPaymentExtension,
)
from fido2.server import Fido2Server

from firmware_sim.world.finger import Press, ScriptedFinger, touch_at_once

RP = {"id": "example.com", "name": "Example"}
USER = {"id": b"user", "name": "alice", "displayName": "Alice"}
EVERY_EXTENSION = [
    HmacSecretExtension(),
    LargeBlobExtension(),
    CredBlobExtension(),
    CredProtectExtension(),
    MinPinLengthExtension(),
    PinComplexityPolicyExtension(),
    CredPropsExtension(),
    ThirdPartyPaymentExtension(),
]


class User(UserInteraction):
    pin: str | None = "1234"

    def request_pin(self, permissions, rp_id):
        return self.pin


def client_of(bench):
    collector = DefaultClientDataCollector("https://example.com")
    return Fido2Client(bench.device, collector, User(), EVERY_EXTENSION)


@pytest.fixture
def server():
    return Fido2Server(RP, attestation="direct")


def test_every_extension_in_one_ceremony(bench, server):
    Config(bench.ctap).set_min_pin_length(rp_ids=["example.com"])
    bench.pin().set_pin("1234")
    client = client_of(bench)
    options, state = server.register_begin(
        USER,
        resident_key_requirement="required",
        user_verification="required",
        extensions={
            "credentialProtectionPolicy": "userVerificationRequired",
            "credBlob": b"blob",
            "largeBlob": {"support": "required"},
            "prf": {"eval": {"first": b"salt"}},
            "minPinLength": True,
            "pinComplexityPolicy": True,
            "credProps": True,
            "payment": {"isPayment": True},
        },
    )
    made = client.make_credential(options.public_key)
    registered = server.register_complete(state, made)
    outputs = registered.extensions
    assert outputs["credProtect"] == 3
    assert outputs["credBlob"] is True
    assert outputs["minPinLength"] == 4
    assert outputs["pinComplexityPolicy"] is False
    assert outputs["thirdPartyPayment"] is True
    results = made.client_extension_results
    assert results.cred_props.rk is True
    assert results.large_blob.supported is True
    assert results.prf.enabled is True
    secret = results.prf.results.first  # with the registration itself: hmac-secret-mc

    def sign_in(inputs):
        options, state = server.authenticate_begin(
            [registered.credential_data], user_verification="required", extensions=inputs
        )
        answer = client_of(bench).get_assertion(options.public_key).get_response(0)
        server.authenticate_complete(state, [registered.credential_data], answer)
        return answer

    answer = sign_in(
        {
            "largeBlob": {"write": b"kept with the credential"},
            "prf": {"eval": {"first": b"salt", "second": b"other salt"}},
            "getCredBlob": True,
            "payment": {"isPayment": True},
        }
    )
    assert answer.client_extension_results.large_blob.written is True
    assert answer.client_extension_results.prf.results.first == secret
    assert answer.client_extension_results.prf.results.second != secret
    assert answer.response.authenticator_data.extensions["credBlob"] == b"blob"
    assert answer.response.authenticator_data.extensions["thirdPartyPayment"] is True
    read = sign_in({"largeBlob": {"read": True}}).client_extension_results
    assert read.large_blob.blob == b"kept with the credential"


def test_a_finger_instead_of_the_pin(bench, server):
    bench.pin().set_pin("1234")
    client = bench.pin()
    token = client.get_pin_token("1234", client.PERMISSION.BIO_ENROLL)
    enrolment = FPBioEnrollment(bench.ctap, client.protocol, token).enroll()
    while enrolment.capture() is None:
        pass
    bench.connect()
    User.pin = None  # nobody is to be asked
    try:
        bench.key.finger = ScriptedFinger([Press()])
        options, state = server.register_begin(USER, user_verification="required")
        made = client_of(bench).make_credential(options.public_key)
        registered = server.register_complete(state, made)
        assert registered.is_user_verified()
        bench.key.finger = ScriptedFinger([Press(finger="left thumb")] * 8)
        options, _ = server.authenticate_begin([registered.credential_data])
        with pytest.raises((PinRequiredError, ClientError)):
            client_of(bench).get_assertion(options.public_key)
        assert bench.pin().get_uv_retries() < 8
    finally:
        User.pin = "1234"
    bench.key.finger = touch_at_once()
    options, state = server.authenticate_begin(
        [registered.credential_data], user_verification="required"
    )
    answer = client_of(bench).get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, [registered.credential_data], answer)


def test_enterprise_attestation_by_the_client(bench):
    Config(bench.ctap).enable_enterprise_attestation()
    bench.connect()
    server = Fido2Server({"id": "enterprise.example", "name": "E"}, attestation="enterprise")
    collector = DefaultClientDataCollector("https://enterprise.example")
    client = Fido2Client(bench.device, collector, User(), EVERY_EXTENSION)
    options, state = server.register_begin(USER, user_verification="discouraged")
    made = client.make_credential(options.public_key)
    assert server.register_complete(state, made).credential_data
    assert made.response.attestation_object.fmt == "packed"
