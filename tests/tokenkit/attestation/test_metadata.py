"""Metadata: which models are believed, and as what they are certified."""

import datetime
import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.attestation.base import UntrustedAttestation
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.attestation import LEVELS, Metadata, certifications, identify

from .conftest import AAGUID, NOW_S, Lab, Made, ca, not_ca

SIGNER = rsa.generate_private_key(65537, 2048)
MODEL = "01020304-0506-0708-090a-0b0c0d0e0f10"
TODAY = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC).date()
TOMORROW = (TODAY + datetime.timedelta(days=1)).isoformat()


def report(status: str, since: str | None = "2020-01-01", **more: Any) -> dict[str, Any]:
    return {"status": status, **({"effectiveDate": since} if since else {}), **more}


def entry(roots: list[bytes], reports: list[Any], **identifiers: Any) -> dict[str, Any]:
    identifiers = identifiers or {"aaguid": MODEL}
    names = ("keyProtection", "matcherProtection", "attachmentHint", "tcDisplay")
    statement = {
        "description": "a key",
        "authenticatorVersion": 1,
        "schema": 3,
        "upv": [],
        "attestationTypes": ["basic_full"],
        "userVerificationDetails": [],
        **{name: [] for name in names},
        "attestationRootCertificates": [b64encode(root).decode() for root in roots],
        **identifiers,
    }
    return {
        **identifiers,
        "metadataStatement": statement,
        "statusReports": reports,
        "timeOfLastStatusChange": "2020-01-01",
    }


def signed(lab: Lab, *entries: Any, x5c: list[bytes] | None = None, key: Any = SIGNER) -> bytes:
    if x5c is None:
        x5c = [lab.leaf("signer", SIGNER, not_ca())]
    header = {"alg": "RS256", "typ": "JWT", "x5c": [b64encode(each).decode() for each in x5c]}
    payload = {"legalHeader": "", "no": 1, "nextUpdate": "2030-01-01", "entries": entries}
    message = b".".join(base64url(json.dumps(part).encode()) for part in (header, payload))
    return message + b"." + base64url(key.sign(message, padding.PKCS1v15(), SHA256()))


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def metadata(lab: Lab, *reports: Any, roots: list[bytes] | None = None, **more: Any) -> Metadata:
    blob = signed(lab, entry([lab.root] if roots is None else roots, list(reports), **more))
    return Metadata.parse(blob, lab.root, lambda: NOW_S)


def judge(known: Metadata, made: Made) -> None:
    known.verify_attestation(made.object(), made.client_data_hash)


@pytest.mark.parametrize("name", ["packed", "tpm", "android-key"])
def test_a_model_that_is_known(lab: Lab, name: str) -> None:
    judge(metadata(lab, report("FIDO_CERTIFIED_L1")), lab.make(name))


def test_one_that_is_not(lab: Lab) -> None:
    known = metadata(lab, aaguid="00000000-0000-0000-0000-000000000001")
    with pytest.raises(UntrustedAttestation, match="does not know this model"):
        judge(known, lab.make("packed"))


def test_a_u2f_model_is_known_by_its_certificate(lab: Lab) -> None:
    identifier = x509.SubjectKeyIdentifier.from_public_key(lab.key.public_key()).digest.hex()
    known = metadata(lab, attestationCertificateKeyIdentifiers=[identifier])
    made = lab.make("fido-u2f")
    judge(known, made)
    found = known.entry(made.verify(), made.object().auth_data)
    assert found is not None
    assert identify(found) == identifier
    assert known.find(identifier) is found
    assert known.find("") is None
    with pytest.raises(UntrustedAttestation, match="does not know"):
        judge(known, lab.make("fido-u2f", key=ec.derive_private_key(5, ec.SECP256R1())))


def test_all_roots_of_a_name_are_tried(lab: Lab) -> None:
    stranger = ec.derive_private_key(6, ec.SECP256R1())
    other = lab.certificate("root", "root", stranger, stranger, *ca())
    made = lab.make("packed")
    for roots in ([other, lab.root], [lab.root, other], [made.statement["x5c"][0]]):
        judge(metadata(lab, roots=roots), made)
    for roots in ([other], []):
        with pytest.raises(UntrustedAttestation, match="no trusted certificate"):
            judge(metadata(lab, roots=roots), made)


@pytest.mark.parametrize(
    "status",
    [
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    ],
)
def test_a_model_that_fell(lab: Lab, status: str) -> None:
    made = lab.make("packed")
    for reports in ([report(status)], [report(status), report("UPDATE_AVAILABLE", "2021-01-01")]):
        with pytest.raises(UntrustedAttestation, match=f"says of this model: {status}$"):
            judge(metadata(lab, *reports), made)
    judge(metadata(lab, report(status, TOMORROW)), made)


@pytest.mark.parametrize("status", ["NOT_FIDO_CERTIFIED", "UPDATE_AVAILABLE", "RETIRED", "NEW_ONE"])
def test_what_is_no_fall(lab: Lab, status: str) -> None:
    judge(metadata(lab, report(status)), lab.make("packed"))


@pytest.mark.parametrize("member", ["certificate", "batchCertificate"])
def test_a_compromise_of_some_attestation_keys(lab: Lab, member: str) -> None:
    made = lab.make("packed")
    [used] = made.statement["x5c"]
    for certificate, falls in ((used, True), (lab.root, False)):
        named = {member: b64encode(certificate).decode()}
        known = metadata(lab, report("ATTESTATION_KEY_COMPROMISE", **named))
        if falls:
            with pytest.raises(UntrustedAttestation, match="ATTESTATION_KEY_COMPROMISE"):
                judge(known, made)
        else:
            judge(known, made)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], {}),
        ([report("NOT_FIDO_CERTIFIED")], {}),
        ([report("FIDO_CERTIFIED")], {}),  # of functions only, before there were levels
        ([report("FIDO_CERTIFIED_L1")], {"FIDO": "L1"}),
        ([report("FIDO_CERTIFIED_L1", None)], {"FIDO": "L1"}),
        ([report("FIDO_CERTIFIED_L1", None), report("NOT_FIDO_CERTIFIED")], {"FIDO": "L1"}),
        ([report("REVOKED", None), report("FIDO_CERTIFIED_L1")], {}),
        ([report("FIDO_CERTIFIED_L2"), report("FIDO_CERTIFIED_L1", "2021-01-01")], {"FIDO": "L2"}),
        ([report("FIDO_CERTIFIED_L1"), report("FIDO_CERTIFIED_L2", TOMORROW)], {"FIDO": "L1"}),
        ([report("FIDO_CERTIFIED_L1plus"), report("FIDO_CERTIFIED_L1")], {"FIDO": "L1plus"}),
        ([report("FIDO_CERTIFIED_L1"), report("NOT_FIDO_CERTIFIED", "2021-01-01")], {}),
        ([report("NOT_FIDO_CERTIFIED", "2021-01-01"), report("FIDO_CERTIFIED_L1")], {}),
        ([report("FIDO_CERTIFIED_L1", sunsetDate=TODAY.isoformat())], {}),
        ([report("FIDO_CERTIFIED_L1", sunsetDate=TOMORROW)], {"FIDO": "L1"}),
        (
            [report("FIDO_CERTIFIED_L1"), report("FIPS140_CERTIFIED_L2", fipsRevision=3)],
            {"FIDO": "L1", "FIPS-140-3": "L2"},
        ),
        ([report("FIPS140_CERTIFIED_L1", fipsRevision=2)], {"FIPS-140-2": "L1"}),
        ([report("FIPS140_CERTIFIED_L1")], {"FIPS-140-2": "L1"}),
    ],
)
def test_certifications(lab: Lab, reports: Any, expected: dict[str, str]) -> None:
    found = metadata(lab, *reports).find(MODEL)
    assert found is not None
    assert certifications(found, TODAY) == expected


@given(st.lists(st.sampled_from(LEVELS), min_size=1))
def test_the_highest_level_counts(lab: Lab, levels: list[str]) -> None:
    reports = [report(f"FIDO_CERTIFIED_{level}") for level in levels]
    found = metadata(lab, *reports).find(MODEL)
    assert found is not None
    assert certifications(found, TODAY) == {"FIDO": max(levels, key=LEVELS.index)}


def test_a_signer_that_may_not_be_one(lab: Lab) -> None:
    """Under a CA that serves the whole web, any site's key could issue signers."""
    site = ec.derive_private_key(7, ec.SECP256R1())
    signer = lab.certificate("signer", "site", SIGNER, site)
    for extensions, right in ((ca(), True), ((not_ca(),), False)):
        blob = signed(lab, x5c=[signer, lab.leaf("site", site, *extensions)])
        if right:
            assert Metadata.parse(blob, lab.root).find(MODEL) is None
        else:
            with pytest.raises(ValueError, match="not signed under"):
                Metadata.parse(blob, lab.root)


def test_another_signer(lab: Lab) -> None:
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(ValueError, match="not signed under"):
        Metadata.parse(signed(lab, key=other), lab.root)
    assert len(AAGUID) == 16


@given(st.binary(max_size=100))
def test_what_is_no_blob(lab: Lab, data: bytes) -> None:
    for wrong in (data, b"e30." + data + b".AA", data + b".e30.AA"):
        with pytest.raises(ValueError, match=r"is no FIDO MDS3 BLOB|not signed under"):
            Metadata.parse(wrong, lab.root)
