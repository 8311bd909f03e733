"""A FIDO MDS3 BLOB for the profiles, signed under the test CA.

FIDO Metadata Service v3.0 §3.1 (payload, JWT) and FIDO Metadata Statement v3.0 §4. It says of a
simulated key what a maker says of a real one, and is worth as much as the test CA: nothing but
tests.
"""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from uuid import UUID

from cryptography import x509

from firmware_sim.fido import ca, cbor
from firmware_sim.fido.algorithms.rsa import Rs256Key
from firmware_sim.fido.attestation import Attestation
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.commands.get_info import MEMBERS
from firmware_sim.profile import Profile
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import never_touch
from firmware_sim.world.flash import MemoryFlash

STATUSES = (
    "NOT_FIDO_CERTIFIED",
    "FIDO_CERTIFIED",
    "FIDO_CERTIFIED_L1",
    "FIDO_CERTIFIED_L1plus",
    "FIDO_CERTIFIED_L2",
    "FIDO_CERTIFIED_L2plus",
    "FIDO_CERTIFIED_L3",
    "FIDO_CERTIFIED_L3plus",
    "UPDATE_AVAILABLE",
    "REVOKED",
    "USER_VERIFICATION_BYPASS",
    "ATTESTATION_KEY_COMPROMISE",
    "USER_KEY_REMOTE_COMPROMISE",
    "USER_KEY_PHYSICAL_COMPROMISE",
)
_SIGNER = "tokenkit test metadata signer"
_SINCE = "2020-01-01"
_LEGAL = "Metadata of simulated keys, for tests: it vouches for no real product."
# FIDO Registry of Predefined Values §3.6.1
_ALGORITHMS = {
    -7: "secp256r1_ecdsa_sha256_raw",
    -8: "ed25519_eddsa_sha512_raw",
    -35: "secp384r1_ecdsa_sha384_raw",
    -36: "secp521r1_ecdsa_sha512_raw",
    -37: "rsassa_pss_sha256_raw",
    -47: "secp256k1_ecdsa_sha256_raw",
    -257: "rsassa_pkcsv15_sha256_raw",
}
# other ones at each getInfo
_VOLATILE = {"encIdentifier", "encCredStoreState"}


def metadata_blob(
    profiles: Iterable[Profile],
    statuses: Mapping[str, str] | None = None,
    number: int = 1,
    next_update: str = "2049-12-31",
) -> bytes:
    """The BLOB as a JWT (RS256), with entries for each profile's FIDO2 and U2F.

    ``statuses`` gives the latest status (one of ``STATUSES``) by a profile's name, by default
    NOT_FIDO_CERTIFIED; ``next_update`` is a date in ISO 8601. ValueError for another status.
    """
    statuses = statuses or {}
    for status in statuses.values():
        if status not in STATUSES:
            raise ValueError(f"{status!r} is no status of MDS3; there are: {', '.join(STATUSES)}")
    entries = [
        _entry(statement, statuses.get(profile.name, STATUSES[0]))
        for profile in profiles
        for statement in _statements(profile)
    ]
    payload = {
        "legalHeader": _LEGAL,
        "no": number,
        "nextUpdate": next_update,
        "entries": entries,
    }
    key, certificate = _signer()
    header = {"alg": "RS256", "typ": "JWT", "x5c": [b64encode(certificate).decode()]}
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in (header, payload))
    return signed + b"." + _base64url(key.sign(signed))


def _entry(statement: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        **{key: value for key, value in statement.items() if key in _IDENTIFIERS},
        "metadataStatement": statement,
        "statusReports": [
            {"status": "NOT_FIDO_CERTIFIED", "effectiveDate": _SINCE},
            *([{"status": status, "effectiveDate": _SINCE}] if status != STATUSES[0] else []),
        ],
        "timeOfLastStatusChange": _SINCE,
    }


_IDENTIFIERS = ("aaguid", "attestationCertificateKeyIdentifiers")


def _statements(profile: Profile) -> Iterable[dict[str, Any]]:
    if profile.versions != ("U2F_V2",):
        yield _fido2_statement(profile)
    if "U2F_V2" in profile.versions:
        yield _u2f_statement(profile)


def _fido2_statement(profile: Profile) -> dict[str, Any]:
    info = _get_info(profile)
    methods = [[{"userVerificationMethod": "presence_internal"}]]
    if "clientPin" in profile.options:
        methods.append([{"userVerificationMethod": "passcode_external"}])
    if profile.uv_modality:
        methods.append([{"userVerificationMethod": "fingerprint_internal"}])
    kind = {"basic": "basic_full", "self": "basic_surrogate", "none": "none"}[profile.attestation]
    return _statement(profile, has_root=kind == "basic_full") | {
        "aaguid": str(UUID(bytes=profile.aaguid)),
        "protocolFamily": "fido2",
        "upv": [
            {"major": 1, "minor": int(version[-1])}
            for version in ("FIDO_2_0", "FIDO_2_1", "FIDO_2_3")
            if version in profile.versions
        ],
        "authenticationAlgorithms": [
            _ALGORITHMS[number] for number in profile.algorithms if number in _ALGORITHMS
        ],
        "publicKeyAlgAndEncodings": ["cose"],
        "attestationTypes": [kind],
        "userVerificationDetails": methods,
        "authenticatorGetInfo": info,
    }


def _u2f_statement(profile: Profile) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(
        Attestation(profile, reproducible=True, serial_number="").batch[1]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    return _statement(profile, has_root=True) | {
        "attestationCertificateKeyIdentifiers": [identifier.hex()],
        "protocolFamily": "u2f",
        "upv": [{"major": 1, "minor": 2}],
        "authenticationAlgorithms": [_ALGORITHMS[-7]],
        "publicKeyAlgAndEncodings": ["ecc_x962_raw"],
        "attestationTypes": ["basic_full"],
        "userVerificationDetails": [[{"userVerificationMethod": "presence_internal"}]],
    }


def _statement(profile: Profile, has_root: bool) -> dict[str, Any]:
    """What both kinds have in common."""
    root = b64encode(ca.root_certificate()).decode()
    hints = {"usb": "wired", "nfc": "nfc", "ble": "bluetooth", "smart-card": "wired"}
    return {
        "legalHeader": _LEGAL,
        "description": f"{profile.product_name} (simulated)",
        "authenticatorVersion": profile.firmware_version or 0,
        "schema": 3,
        "cryptoStrength": 128,
        "keyProtection": ["software"],
        "matcherProtection": ["software"],
        "attachmentHint": sorted({"external", *(hints[each] for each in profile.transports)}),
        "tcDisplay": [],
        "attestationRootCertificates": [root] if has_root else [],
    }


def _get_info(profile: Profile) -> dict[str, Any]:
    """What a new key of this model answers, by the names of the members."""
    authenticator = Authenticator(
        profile, SimulatedClock(), SeededEntropy(_SIGNER), MemoryFlash(), never_touch()
    )
    response = authenticator.start(b"\x04").response
    assert response is not None
    names = {number: name for name, number in MEMBERS.items()}
    answer = {names[number]: value for number, value in cbor.decode(response[1:]).items()}
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in answer.items()
        if name not in _VOLATILE
    }


@cache
def _signer() -> tuple[Rs256Key, bytes]:
    """The BLOB's signing key and certificate (DER). RSA, as python-fido2 reads an ECDSA signature
    of a JWT in another encoding than RFC 7518 §3.4 gives it."""
    key = Rs256Key.new(SeededEntropy(_SIGNER))
    certificate = ca.issue(
        _SIGNER, "Metadata Service", key.private_key.public_key(), _SIGNER.encode(), {}
    )
    return key, certificate


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
