"""Whose attestation is believed: certificates that somebody chose to trust."""

import time
from collections.abc import Callable, Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.attestation.base import AttestationResult, AttestationVerifier
from fido2.webauthn import AttestationObject, AuthenticatorData

from tokenkit.attestation.formats import verify_statement
from tokenkit.attestation.path import check_path


class TrustedRoots(AttestationVerifier):
    """Believes certificate chains that end under one of ``roots``, X.509 in DER.

    ``now`` gives the time at which the chains must be valid. ValueError for a root that is none.
    Self attestation and none have no chain.
    """

    def __init__(self, roots: Iterable[bytes], now: Callable[[], float] = time.time) -> None:
        super().__init__()
        try:
            self._roots = [x509.load_der_x509_certificate(root) for root in roots]
        except (ValueError, TypeError):
            raise ValueError("a trusted root is an X.509 certificate, DER") from None
        self._now = now

    def verify_attestation(
        self, attestation_object: AttestationObject, client_data_hash: bytes
    ) -> None:
        """InvalidAttestation of python-fido2: UntrustedAttestation for the chain."""
        result = verify_statement(attestation_object, client_data_hash)
        self.check(result, attestation_object.auth_data)

    def check(self, result: AttestationResult, auth_data: AuthenticatorData) -> None:
        """UntrustedAttestation unless what a statement proved leads to a root."""
        check_path(result.trust_path, self._roots, self._now())

    def ca_lookup(
        self, attestation_result: AttestationResult, auth_data: AuthenticatorData
    ) -> bytes | None:
        """The root that has the name of the last certificate's issuer, DER; None if none has."""
        if not attestation_result.trust_path:
            return None
        issuer = x509.load_der_x509_certificate(attestation_result.trust_path[-1]).issuer
        found = (root for root in self._roots if root.subject == issuer)
        return next((root.public_bytes(Encoding.DER) for root in found), None)
