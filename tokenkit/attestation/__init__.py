"""Attestation: statements (WebAuthn section 8), chains of certificates, and FIDO metadata.

What the driver layer and the verifier both judge by. The formats are python-fido2's
``Attestation`` classes where those are right, and else classes of that kind.
"""

from tokenkit.attestation.formats import FORMATS, verify_statement
from tokenkit.attestation.malformed import MALFORMED
from tokenkit.attestation.metadata import LEVELS, Metadata, certifications, identify
from tokenkit.attestation.trusted_roots import TrustedRoots

__all__ = [
    "FORMATS",
    "LEVELS",
    "MALFORMED",
    "Metadata",
    "TrustedRoots",
    "certifications",
    "identify",
    "verify_statement",
]
