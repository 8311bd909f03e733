"""Whose attestation is believed: certificates that somebody chose to trust."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.attestation.base import AttestationResult, AttestationVerifier
from fido2.webauthn import AuthenticatorData


class TrustedRoots(AttestationVerifier):
    """Believes certificate chains that end under one of ``roots``, X.509 in DER.

    ValueError for a root that is none. Self attestation and none have no chain.
    """

    def __init__(self, roots: Iterable[bytes]) -> None:
        super().__init__()
        try:
            self._roots = [x509.load_der_x509_certificate(root) for root in roots]
        except (ValueError, TypeError):
            raise ValueError("a trusted root is an X.509 certificate, DER") from None

    def ca_lookup(self, result: AttestationResult, auth_data: AuthenticatorData) -> bytes | None:
        """The root that issued the last certificate of the chain, DER; None if none did."""
        if not result.trust_path:  # self attestation, or none
            return None
        last = x509.load_der_x509_certificate(result.trust_path[-1])
        return next((_der(root) for root in self._roots if _issued(last, root)), None)


def _issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):  # another name, kind of key, or key
        return False
    return True


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
