"""The packed format (WebAuthn level 3 section 8.2).

Beside python-fido2's this one takes no empty x5c for self attestation, reads the AAGUID in a
certificate as DER, holds all subject names to the rules, and has no SHA-1.
"""

from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from fido2.attestation.base import Attestation, AttestationResult, AttestationType, InvalidData
from fido2.cose import CoseKey
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation.signature import RS1, check_signature
from tokenkit.attestation.statement import (
    certificates,
    check_aaguid,
    check_leaf,
    check_members,
    credential_of,
    demand,
    strictly,
)

_UNIT = "Authenticator Attestation"


class PackedAttestation(Attestation):
    FORMAT = "packed"

    @strictly
    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        check_members(statement, {"alg": int, "sig": bytes}, {"x5c": list})
        credential, algorithm = credential_of(auth_data), statement["alg"]
        signed, signature = auth_data + client_data_hash, statement["sig"]
        if "x5c" not in statement:
            key = CoseKey.parse(credential.public_key)
            demand(key.get(3) == algorithm, "its algorithm is not that of the credential")
            key.verify(signed, signature)
            return AttestationResult(AttestationType.SELF, [])
        chain = certificates(statement["x5c"])
        demand(algorithm != RS1, "it is signed with SHA-1")
        check_signature(chain[0], algorithm, signed, signature)
        check_leaf(chain[0])
        _check_subject(chain[0])
        check_aaguid(chain[0], credential)
        return AttestationResult(AttestationType.BASIC, statement["x5c"])


def _check_subject(certificate: x509.Certificate) -> None:
    """Section 8.2.1."""
    country = _only(certificate, NameOID.COUNTRY_NAME, "C")
    demand(
        len(country) == 2 and country.isascii() and country.isalpha(),
        "C of its certificate is no code of ISO 3166",
    )
    demand(
        _only(certificate, NameOID.ORGANIZATION_NAME, "O") != "", "O of its certificate is empty"
    )
    unit = _only(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME, "OU")
    demand(unit == _UNIT, f"OU of its certificate is not {_UNIT!r}")
    demand(_only(certificate, NameOID.COMMON_NAME, "CN") != "", "CN of its certificate is empty")


def _only(certificate: x509.Certificate, identifier: x509.ObjectIdentifier, name: str) -> str:
    found = [each.value for each in certificate.subject.get_attributes_for_oid(identifier)]
    if len(found) != 1 or not isinstance(found[0], str):
        raise InvalidData(f"the subject of its certificate has {len(found)} of {name}, not one")
    return found[0]
