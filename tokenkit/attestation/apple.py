"""The apple format: anonymous attestation (WebAuthn level 3 section 8.8).

Beside python-fido2's this one demands that the certificate is for the credential's key, without
which it says nothing of that key, and reads the nonce as DER.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat import asn1
from fido2.attestation.base import Attestation, AttestationResult, AttestationType, InvalidData
from fido2.utils import sha256
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation.public_key import check_same_key
from tokenkit.attestation.statement import (
    certificates,
    check_members,
    credential_of,
    demand,
    extension_octets,
    strictly,
)

_NONCE_EXTENSION = x509.ObjectIdentifier("1.2.840.113635.100.8.2")


@asn1.sequence
class _Nonce:
    nonce: Annotated[bytes, asn1.Explicit(1)]


class AppleAttestation(Attestation):
    FORMAT = "apple"

    @strictly
    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        # devices send alg, too, though the specification does not have it
        check_members(statement, {"x5c": list}, {"alg": int})
        credential = credential_of(auth_data)
        chain = certificates(statement["x5c"])
        octets = extension_octets(chain[0], _NONCE_EXTENSION)
        if octets is None:
            raise InvalidData("its certificate has no nonce")
        nonce = asn1.decode_der(_Nonce, octets).nonce
        demand(nonce == sha256(auth_data + client_data_hash), "its nonce is another one")
        check_same_key(chain[0].public_key(), credential.public_key)
        algorithm = credential.public_key.get(3)
        demand(statement.get("alg", algorithm) == algorithm, "its algorithm is another one")
        return AttestationResult(AttestationType.ANON_CA, statement["x5c"])
