"""previewSign, by python-fido2's client and by hand."""

import dataclasses
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from fido2 import cbor
from fido2.attestation import NoneAttestation, PackedAttestation
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.cose import ESP256, CoseKey
from fido2.ctap2.extensions import PreviewSignExtension
from fido2.ctap2.pin import ClientPin
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.fido.algorithms import ALGORITHMS
from firmware_sim.profiles import load_profile

ESP256_NUMBER, SPLIT_ARKG = -9, -65539
NUMBERS = [ESP256_NUMBER, SPLIT_ARKG]
KEY_HANDLE, ALGORITHM, FLAGS, DATA, ARGUMENTS = 2, 3, 4, 6, 7
UNATTENDED, PRESENT, VERIFIED = 0b000, 0b001, 0b101
MESSAGE = b"message"
IKM = hashlib.sha256(b"ikm").digest()
PIN = "271828"


def profile_of(base="reference", **changes):
    return dataclasses.replace(load_profile(base), **changes)


@pytest.fixture
def bench(make_bench):
    return make_bench(profile_of())


class Made:
    """A credential with a signing key, as raw CTAP messages tell of it."""

    def __init__(self, bench, number, flags=PRESENT, **options):
        self.bench = bench
        value = {ALGORITHM: [number], FLAGS: flags}
        self.answer = bench.make(extensions={"previewSign": value}, **options)
        self.credential_id = self.answer.auth_data.credential_data.credential_id
        encoded = cbor.decode(self.answer.unsigned_extension_outputs["previewSign"][7])
        self.attestation = AttestationObject.create(encoded[1], encoded[2], encoded[3])
        self.key = self.attestation.auth_data.credential_data
        self.public, self.input = self.key.public_key, {KEY_HANDLE: self.key.credential_id}
        if number == SPLIT_ARKG:
            self.public, self.arguments = self.public.derive_public_key(IKM, b"context")
            self.input[ARGUMENTS] = cbor.encode(self.arguments)
            self.input[DATA] = hashlib.sha256(MESSAGE).digest()
        else:
            self.input[DATA] = MESSAGE

    def sign(self, changes=None, **options):
        value = {k: v for k, v in (self.input | (changes or {})).items() if v is not None}
        answer = self.bench.get(self.answer, extensions={"previewSign": value}, **options)
        return answer.auth_data.extensions["previewSign"]

    def fails(self, changes=None, **options):
        return self.bench.fails(self.sign, changes, **options)

    def verify(self, output):
        assert output.keys() == {6}
        self.public.verify(MESSAGE, output[6])


class User(UserInteraction):
    def request_pin(self, permissions, rp_id):
        return PIN


def client_of(bench):
    return Fido2Client(
        bench.device,
        client_data_collector=DefaultClientDataCollector(f"https://{bench.rp_id}"),
        user_interaction=User(),
        extensions=[PreviewSignExtension()],
    )


def create(bench, algorithms, uv="discouraged", rk="discouraged"):
    return client_of(bench).make_credential(
        {
            "rp": {"id": bench.rp_id, "name": "Example"},
            "user": {"id": b"user", "name": "user", "displayName": "User"},
            "challenge": bytes(32),
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "authenticatorSelection": {"userVerification": uv, "residentKey": rk},
            "extensions": {"previewSign": {"generateKey": {"algorithms": algorithms}}},
        }
    )


def sign(bench, made, key_handle, data, arguments=None, uv="discouraged"):
    value = {"keyHandle": key_handle, "tbs": data}
    if arguments is not None:
        value["additionalArgs"] = cbor.encode(arguments)
    selection = client_of(bench).get_assertion(
        {
            "rpId": bench.rp_id,
            "challenge": bytes(32),
            "allowCredentials": [{"type": "public-key", "id": made.raw_id}],
            "userVerification": uv,
            "extensions": {
                "previewSign": {"signByCredential": {websafe_encode(made.raw_id): value}}
            },
        }
    )
    results = selection.get_response(0).client_extension_results
    return websafe_decode(dict(results["previewSign"])["signature"])


def generated(made):
    key = dict(dict(made.client_extension_results["previewSign"])["generatedKey"])
    public = CoseKey.parse(cbor.decode(websafe_decode(key["publicKey"])))
    return key["algorithm"], websafe_decode(key["keyHandle"]), public


@pytest.mark.parametrize("rk", ["required", "discouraged"])
def test_the_client_signs_by_a_key_of_its_own(bench, rk):
    made = create(bench, [-18, ESP256_NUMBER, SPLIT_ARKG], rk=rk)
    algorithm, handle, public = generated(made)
    assert algorithm == ESP256_NUMBER
    assert isinstance(public, ESP256)
    bench.power_cycle()
    signature = sign(bench, made, handle, MESSAGE)
    public.verify(MESSAGE, signature)
    own = made.response.attestation_object.auth_data.credential_data.public_key
    with pytest.raises(InvalidSignature):
        own.verify(MESSAGE, signature)


@pytest.mark.parametrize("rk", ["required", "discouraged"])
def test_the_client_signs_by_derived_keys(bench, rk):
    made = create(bench, [SPLIT_ARKG, ESP256_NUMBER], rk=rk)
    algorithm, handle, seed = generated(made)
    assert (algorithm, seed[3]) == (SPLIT_ARKG, -65700)
    bench.power_cycle()
    digest = hashlib.sha256(MESSAGE).digest()
    signatures = set()
    for context in (b"", b"one", b"two"):
        public, arguments = seed.derive_public_key(IKM, context)
        signature = sign(bench, made, handle, digest, arguments)
        public.verify(MESSAGE, signature)
        signatures.add(signature)
    assert len(signatures) == 3


@settings(max_examples=15)
@given(data=st.data())
def test_any_ikm_context_and_message(make_bench, data):
    bench = make_bench(profile_of(), seed=data.draw(st.integers()))
    made = Made(bench, SPLIT_ARKG)
    ikm = data.draw(st.binary(min_size=32, max_size=64))
    public, arguments = made.key.public_key.derive_public_key(
        ikm, data.draw(st.binary(max_size=64))
    )
    message = data.draw(st.binary())
    output = made.sign({ARGUMENTS: cbor.encode(arguments), DATA: hashlib.sha256(message).digest()})
    public.verify(message, output[6])


def test_the_client_asks_again_with_the_pin(bench, monkeypatch):
    bench.pin().set_pin(PIN)
    made = create(bench, [ESP256_NUMBER], uv="required")
    _, handle, public = generated(made)
    asked = []
    monkeypatch.setattr(User, "request_pin", lambda *_: asked.append(1) or PIN)
    public.verify(MESSAGE, sign(bench, made, handle, MESSAGE, uv="discouraged"))
    assert asked
    plain = create(bench, [ESP256_NUMBER])
    asked.clear()
    _, handle, public = generated(plain)
    public.verify(MESSAGE, sign(bench, plain, handle, MESSAGE, uv="discouraged"))
    assert not asked


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("flags", [UNATTENDED, PRESENT, VERIFIED, None])
def test_the_signing_key_is_attested(bench, number, flags):
    value = {ALGORITHM: [number]} | ({} if flags is None else {FLAGS: flags})
    answer = bench.make(extensions={"previewSign": value})
    assert answer.auth_data.extensions == {"previewSign": {ALGORITHM: number}}
    encoded = cbor.decode(answer.unsigned_extension_outputs["previewSign"][7])
    attested = AttestationObject.create(encoded[1], encoded[2], encoded[3])
    data = attested.auth_data
    assert data.extensions == {"previewSign": {FLAGS: PRESENT if flags is None else flags}}
    assert (data.flags, data.counter) == (answer.auth_data.flags, 0)
    assert data.rp_id_hash == answer.auth_data.rp_id_hash
    assert data.credential_data.aaguid == answer.auth_data.credential_data.aaguid
    result = PackedAttestation().verify(attested.att_stmt, data, bench.client_data_hash)
    assert result.trust_path == answer.att_stmt["x5c"]


def test_the_signing_key_of_a_self_attested_credential(make_bench):
    bench = make_bench(profile_of("self-attested"))
    attested = Made(bench, ESP256_NUMBER).attestation
    assert attested.att_stmt["alg"] == ESP256_NUMBER
    PackedAttestation().verify(attested.att_stmt, attested.auth_data, bench.client_data_hash)
    attested = Made(bench, SPLIT_ARKG).attestation
    assert attested.fmt == "none"
    NoneAttestation().verify(attested.att_stmt, attested.auth_data, bench.client_data_hash)


@pytest.mark.parametrize("base", ["reference", "self-attested"])
@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS.keys() - {-257, -37}))
def test_beside_every_algorithm(make_bench, base, algorithm):
    """But for the one whose public key and self attestation fill a message."""
    bench = make_bench(profile_of(base, algorithms=(algorithm,)))
    wanted = {"key_params": [{"type": "public-key", "alg": algorithm}]}
    for number in NUMBERS:
        if (base, algorithm) == ("self-attested", -50):
            assert bench.fails(Made, bench, number, **wanted) == "UNSUPPORTED_ALGORITHM"
            bench.make(**wanted)
        else:
            made = Made(bench, number, **wanted)
            made.verify(made.sign())


@pytest.mark.parametrize("number", NUMBERS)
def test_the_same_seed_gives_the_same_key_and_signature(make_bench, number):
    one, two = (Made(make_bench(profile_of()), number) for _ in range(2))
    assert one.key == two.key
    assert one.sign() == two.sign()
    assert Made(make_bench(profile_of(), seed=2), number).key != one.key


@pytest.mark.parametrize("number", NUMBERS)
def test_presence(bench, number):
    silent = {"options": {"up": False}}
    made = Made(bench, number, UNATTENDED)
    for options in (silent, {}):
        made.verify(made.sign(**options))
    made = Made(bench, number, PRESENT)
    assert made.fails(**silent) == "UP_REQUIRED"
    made.verify(made.sign())


@pytest.mark.parametrize("number", NUMBERS)
def test_verification(bench, number):
    bench.pin().set_pin(PIN)
    made = Made(bench, number, VERIFIED)
    assert made.fails(options={"up": False}) == "UP_REQUIRED"
    assert made.fails() == "PUAT_REQUIRED"
    pin = bench.pin()
    token = pin.get_pin_token(PIN, ClientPin.PERMISSION.GET_ASSERTION, bench.rp_id)
    proof = {
        "pin_uv_param": pin.protocol.authenticate(token, bench.client_data_hash),
        "pin_uv_protocol": pin.protocol.VERSION,
    }
    made.verify(made.sign(**proof))


@pytest.mark.parametrize("flags", sorted(set(range(9)) - {UNATTENDED, PRESENT, VERIFIED}))
def test_other_flags(bench, flags):
    assert bench.fails(Made, bench, ESP256_NUMBER, flags) == "INVALID_OPTION"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({ALGORITHM: [-7, -300, -65700]}, "UNSUPPORTED_ALGORITHM"),
        ({ALGORITHM: []}, "UNSUPPORTED_ALGORITHM"),
        ({}, "MISSING_PARAMETER"),
        ({ALGORITHM: -9}, "CBOR_UNEXPECTED_TYPE"),
        ({ALGORITHM: [-9, "ESP256"]}, "CBOR_UNEXPECTED_TYPE"),
        ({ALGORITHM: [-9], FLAGS: True}, "CBOR_UNEXPECTED_TYPE"),
        (True, "CBOR_UNEXPECTED_TYPE"),
    ],
)
def test_wrong_inputs_to_registration(bench, value, status):
    before = dict(bench.key.flash.contents)
    wanted = {"extensions": {"previewSign": value}, "options": {"rk": True}}
    assert bench.fails(bench.make, **wanted) == status
    assert bench.key.flash.contents == before


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({KEY_HANDLE: None}, "INVALID_OPTION"),
        ({DATA: None}, "INVALID_OPTION"),
        ({KEY_HANDLE: b""}, "INVALID_CREDENTIAL"),
        ({KEY_HANDLE: bytes(32)}, "INVALID_CREDENTIAL"),
        ({KEY_HANDLE: "handle"}, "CBOR_UNEXPECTED_TYPE"),
        ({DATA: 1}, "CBOR_UNEXPECTED_TYPE"),
        ({ARGUMENTS: {}}, "CBOR_UNEXPECTED_TYPE"),
        ({ARGUMENTS: b""}, "INVALID_CBOR"),
        ({ARGUMENTS: b"\x01"}, "CBOR_UNEXPECTED_TYPE"),
        ({ARGUMENTS: cbor.encode({})}, "INVALID_CREDENTIAL"),
        ({ARGUMENTS: cbor.encode({ALGORITHM: -7})}, "INVALID_CREDENTIAL"),
    ],
)
@pytest.mark.parametrize("number", NUMBERS)
def test_wrong_inputs_to_an_assertion(bench, number, changes, status):
    made = Made(bench, number)
    assert made.fails(changes) == status
    made.verify(made.sign())


def test_wrong_arguments(bench):
    made = Made(bench, SPLIT_ARKG)
    other = dict(Made(bench, SPLIT_ARKG).arguments)
    for changes, status in [
        ({-1: None}, "MISSING_PARAMETER"),
        ({-2: None}, "MISSING_PARAMETER"),
        ({-1: "handle"}, "CBOR_UNEXPECTED_TYPE"),
        ({-1: bytes(81)}, "INVALID_CREDENTIAL"),
        ({-1: other[-1]}, "INVALID_CREDENTIAL"),
        ({-2: b"other"}, "INVALID_CREDENTIAL"),
        ({-2: bytes(65)}, "INVALID_CREDENTIAL"),
    ]:
        arguments = {k: v for k, v in (made.arguments | changes).items() if v is not None}
        assert made.fails({ARGUMENTS: cbor.encode(arguments)}) == status
    assert made.fails({ARGUMENTS: None}) == "MISSING_PARAMETER"
    for length in (0, 31, 33):
        assert made.fails({DATA: bytes(length)}) == "INVALID_LENGTH"
    made.verify(made.sign({ARGUMENTS: cbor.encode({**made.arguments, 42: 1337})}))


def test_esp256_takes_arguments_of_its_own_algorithm(bench):
    made = Made(bench, ESP256_NUMBER)
    made.verify(made.sign({ARGUMENTS: cbor.encode({ALGORITHM: ESP256_NUMBER})}))


@pytest.mark.parametrize("number", NUMBERS)
@settings(max_examples=30)
@given(at=st.integers(0, 38), flip=st.integers(1, 255))
def test_a_changed_handle_is_refused(make_bench, number, at, flip):
    made = Made(make_bench(profile_of()), number)
    handle = bytearray(made.key.credential_id)
    handle[at % len(handle)] ^= flip
    assert made.fails({KEY_HANDLE: bytes(handle)}) == "INVALID_CREDENTIAL"


@pytest.mark.parametrize("rk", [True, False])
def test_a_handle_is_good_with_its_own_credential_only(bench, rk):
    options = {"options": {"rk": rk}}
    one = Made(bench, ESP256_NUMBER, user=b"one", **options)
    two = Made(bench, ESP256_NUMBER, user=b"two", **options)
    assert one.fails({KEY_HANDLE: two.key.credential_id}) == "INVALID_CREDENTIAL"
    assert one.fails({KEY_HANDLE: one.credential_id}) == "INVALID_CREDENTIAL"
    # nor does it sign in
    listed = [{"type": "public-key", "id": one.key.credential_id}]
    assert bench.fails(bench.get, allow_list=listed) == "NO_CREDENTIALS"


def test_only_with_a_list_of_credentials(bench):
    made = Made(bench, ESP256_NUMBER, options={"rk": True})
    value = {"previewSign": made.input}
    assert bench.fails(bench.get, extensions=value) == "INVALID_OPTION"
    assert bench.get().auth_data.extensions is None
    made.verify(made.sign())


def test_nothing_is_stored(bench):
    before = dict(bench.key.flash.contents)
    made = Made(bench, SPLIT_ARKG)
    made.sign()
    changed = {k for k, v in bench.key.flash.contents.items() if before.get(k) != v}
    assert changed == {"signature-counter"}


def test_without_the_extension_nothing_is_said(make_bench):
    bench = make_bench(profile_of(extensions=()))
    answer = bench.make(extensions={"previewSign": {ALGORITHM: [ESP256_NUMBER]}})
    assert answer.auth_data.extensions is None
    assert not answer.unsigned_extension_outputs
