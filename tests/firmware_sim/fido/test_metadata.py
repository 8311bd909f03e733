"""The MDS3 BLOB, as python-fido2 reads it, vouches for the keys of the profiles."""

import hashlib

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from fido2.attestation import UntrustedAttestation
from fido2.ctap1 import Ctap1
from fido2.ctap2 import Config
from fido2.mds3 import AuthenticatorStatus, MdsAttestationVerifier, parse_blob
from fido2.webauthn import Aaguid, AttestationObject

from firmware_sim.fido.ca import root_certificate
from firmware_sim.fido.metadata import metadata_blob
from firmware_sim.profiles import load_profile, profile_names

PROFILES = [load_profile(name) for name in profile_names()]
CERTIFIED = [each for each in PROFILES if each.attestation == "basic"]
CHALLENGE = hashlib.sha256(b"challenge").digest()


def parsed(**options):
    return parse_blob(metadata_blob(PROFILES, **options), root_certificate())


@pytest.fixture(scope="module")
def verifier():
    return MdsAttestationVerifier(parsed())


def switch_off_always_uv(bench):
    if profile_says(bench, "alwaysUv"):
        Config(bench.ctap).toggle_always_uv()


def profile_says(bench, option):
    return option in bench.key.profile.options and bench.ctap.info.options[option]


def fido2_object(bench):
    algorithm = bench.ctap.info.algorithms[0]["alg"] if bench.ctap.info.algorithms else -7
    made = bench.make(key_params=[{"type": "public-key", "alg": algorithm}])
    return AttestationObject.create(made.fmt, made.auth_data, made.att_stmt)


@pytest.mark.parametrize(
    "profile", [each for each in CERTIFIED if each.versions != ("U2F_V2",)], ids=lambda p: p.name
)
def test_it_vouches_for_fido2_keys(make_bench, verifier, profile):
    bench = make_bench(profile)
    switch_off_always_uv(bench)
    made = fido2_object(bench)
    verifier.verify_attestation(made, bench.client_data_hash)
    entry = verifier.find_entry(made, bench.client_data_hash)
    statement = entry.metadata_statement
    assert entry.aaguid == Aaguid(profile.aaguid)
    assert statement.authenticator_get_info["versions"] == list(bench.ctap.info.versions)
    assert statement.authenticator_get_info["options"] == dict(bench.ctap.info.options)
    assert "encIdentifier" not in statement.authenticator_get_info


@pytest.mark.parametrize(
    "profile", [each for each in CERTIFIED if "U2F_V2" in each.versions], ids=lambda p: p.name
)
def test_it_vouches_for_u2f_keys(make_bench, verifier, profile):
    """These have no AAGUID: they are found by their certificate's key."""
    bench = make_bench(profile)
    switch_off_always_uv(bench)
    application = hashlib.sha256(b"example.com").digest()
    registration = Ctap1(bench.device).register(CHALLENGE, application)
    made = AttestationObject.from_ctap1(application, registration)
    verifier.verify_attestation(made, CHALLENGE)
    entry = verifier.find_entry(made, CHALLENGE)
    assert entry.metadata_statement.protocol_family == "u2f"


def test_a_key_that_is_not_in_it(make_bench):
    bench = make_bench()
    without = [each for each in PROFILES if each.name != "reference"]
    verifier = MdsAttestationVerifier(parse_blob(metadata_blob(without), root_certificate()))
    with pytest.raises(UntrustedAttestation):
        verifier.verify_attestation(fido2_object(bench), bench.client_data_hash)


def test_a_revoked_model(make_bench):
    bench = make_bench()
    blob = parsed(statuses={"reference": "REVOKED"})
    entry = next(each for each in blob.entries if each.aaguid == Aaguid(bench.key.profile.aaguid))
    assert entry.status_reports[-1].status == AuthenticatorStatus.REVOKED
    with pytest.raises(UntrustedAttestation):
        MdsAttestationVerifier(blob).verify_attestation(fido2_object(bench), bench.client_data_hash)


def test_statuses_are_those_of_mds3():
    with pytest.raises(ValueError, match="'REVOLKED' is no status of MDS3"):
        metadata_blob(PROFILES, {"reference": "REVOLKED"})


def test_number_and_date():
    blob = parsed(number=7, next_update="2030-05-06")
    assert (blob.no, blob.next_update.isoformat()) == (7, "2030-05-06")
    assert metadata_blob(PROFILES) == metadata_blob(PROFILES)


def test_a_changed_blob_is_not_signed():
    head, _, signature = metadata_blob(PROFILES).split(b".")
    _, other, _ = metadata_blob(PROFILES, number=2).split(b".")
    with pytest.raises(InvalidSignature):
        parse_blob(b".".join((head, other, signature)), root_certificate())


def test_the_signer_is_under_the_test_ca():
    root = x509.load_der_x509_certificate(root_certificate())
    assert root.subject == root.issuer
