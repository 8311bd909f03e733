"""The tpm format (WebAuthn level 3 section 8.3).

Beside python-fido2's this one demands version 2.0, compares the AAGUID in the certificate, reads
the subject alternative name, and knows keys that have a signing scheme of their own.
"""

from collections.abc import Mapping
from typing import Any

from cryptography import x509
from fido2.attestation.base import Attestation, AttestationResult, AttestationType, InvalidData
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation.public_key import check_same_key
from tokenkit.attestation.signature import check_signature, digest
from tokenkit.attestation.statement import (
    certificates,
    check_aaguid,
    check_leaf,
    check_members,
    credential_of,
    demand,
    strictly,
)
from tokenkit.attestation.tpm_structures import CertifyInfo, PublicArea

_AIK_CERTIFICATE = x509.ObjectIdentifier("2.23.133.8.3")  # tcg-kp-AIKCertificate
_MANUFACTURER = x509.ObjectIdentifier("2.23.133.2.1")
# manufacturer, model and version: TCG EK Credential Profile 2.0 section 3.2.9
_TPM_NAMES = (
    _MANUFACTURER,
    x509.ObjectIdentifier("2.23.133.2.2"),
    x509.ObjectIdentifier("2.23.133.2.3"),
)


class TpmAttestation(Attestation):
    FORMAT = "tpm"

    @strictly
    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        names = {"certInfo": bytes, "pubArea": bytes, "sig": bytes}
        check_members(statement, {"ver": str, "alg": int, "x5c": list, **names})
        demand(statement["ver"] == "2.0", "it is of another version than 2.0")
        credential, algorithm = credential_of(auth_data), statement["alg"]
        area = PublicArea.parse(statement["pubArea"])
        check_same_key(area.public_key(), credential.public_key)
        certified = CertifyInfo.parse(statement["certInfo"])
        demand(
            certified.extra_data == digest(algorithm, auth_data + client_data_hash),
            "certInfo is of another ceremony",
        )
        demand(certified.name == area.name(), "certInfo is of another key")
        chain = certificates(statement["x5c"])
        check_signature(chain[0], algorithm, statement["certInfo"], statement["sig"])
        _check_certificate(chain[0])
        check_aaguid(chain[0], credential)
        return AttestationResult(AttestationType.ATT_CA, statement["x5c"])


def _check_certificate(certificate: x509.Certificate) -> None:
    """Section 8.3.1."""
    check_leaf(certificate)
    demand(len(certificate.subject) == 0, "its certificate has a subject")
    extensions = certificate.extensions
    try:
        alternative = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise InvalidData(f"its certificate is none of a TPM: {error}") from None
    demand(_AIK_CERTIFICATE in usage, "its certificate is not for an attestation key of a TPM")
    held = [
        attribute
        for name in alternative.get_values_for_type(x509.DirectoryName)
        for attribute in name
        if attribute.oid in _TPM_NAMES
    ]
    demand(
        sorted(each.oid.dotted_string for each in held)
        == [each.dotted_string for each in _TPM_NAMES],
        "its certificate does not name manufacturer, model and version of the TPM",
    )
    [maker] = [each.value for each in held if each.oid == _MANUFACTURER]
    demand(
        isinstance(maker, str) and maker[:3] == "id:" and len(bytes.fromhex(maker[3:])) == 4,
        "the TPM's manufacturer is not id: and eight hexadecimal digits",
    )
