"""The fido-u2f format (WebAuthn level 3 section 8.6).

Beside python-fido2's this one takes exactly one certificate, with a key on P-256, and lets nobody
claim a model: the signature does not cover the AAGUID, so it is zero, or the certificate names it.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.attestation.base import Attestation, AttestationResult, AttestationType, InvalidData
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation.statement import (
    certificates,
    check_members,
    credential_of,
    demand,
    named_aaguid,
    strictly,
)


class FidoU2fAttestation(Attestation):
    FORMAT = "fido-u2f"

    @strictly
    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        check_members(statement, {"sig": bytes, "x5c": list})
        credential = credential_of(auth_data)
        demand(len(statement["x5c"]) == 1, "x5c does not hold exactly one certificate")
        [certificate] = certificates(statement["x5c"])
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise InvalidData("the key of its certificate is not on P-256")
        x, y = credential.public_key.get(-2, b""), credential.public_key.get(-3, b"")
        demand(
            all(isinstance(each, bytes) and len(each) == 32 for each in (x, y)),
            "the credential is no ES256 key",
        )
        # the point alone is signed, so the rest has to be what it must be, byte for byte
        cose = cbor.encode({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        sent = auth_data[55 + len(credential.credential_id) :]
        demand(sent.startswith(cose), "the credential is no ES256 key")
        point = b"\x04" + x + y
        signed = b"\0" + auth_data.rp_id_hash + client_data_hash + credential.credential_id + point
        key.verify(statement["sig"], signed, ec.ECDSA(SHA256()))
        aaguid = bytes(credential.aaguid)
        demand(
            not any(aaguid) or named_aaguid(certificate) == aaguid,
            "its certificate does not name this AAGUID",
        )
        return AttestationResult(AttestationType.BASIC, statement["x5c"])
