"""Whether certificates lead to a trust anchor (RFC 5280 section 6.1).

Own code, since ``cryptography.x509.verification`` holds certificates to the rules of web servers,
which authenticators' do not keep, and since an attestation certificate may be its own anchor
(FIDO Metadata Statement, attestationRootCertificates). Any certificate policy will do; name
constraints are not followed, so CAs that insist on them are refused. Nothing is asked of
revocation lists.
"""

from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID
from fido2.attestation.base import UntrustedAttestation

_UNDERSTOOD = (
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.KEY_USAGE,
)


def check_path(
    path: Sequence[bytes], anchors: Sequence[x509.Certificate], at_s: float | None
) -> None:
    """UntrustedAttestation unless ``path`` (X.509, DER, the leaf first) ends under an anchor.

    ``at_s`` is when all certificates but an anchor above them must be valid, in seconds since the
    Unix epoch; None asks no dates. ValueError for what is no certificate.
    """
    chain = [x509.load_der_x509_certificate(each) for each in path]
    if len(chain) > 1 and chain[-1] in anchors:
        chain.pop()
    if not chain:  # self attestation, or none
        raise UntrustedAttestation("no certificate vouches for it")
    if chain[0] not in anchors:
        for below, (child, issuer) in enumerate(pairwise(chain)):
            if not (_issued(child, issuer) and _is_ca(issuer) and _may_issue(issuer, below)):
                raise UntrustedAttestation("its certificates are no chain")
        top, below = chain[-1], len(chain) - 1
        if not any(_issued(top, anchor) and _may_issue(anchor, below) for anchor in anchors):
            raise UntrustedAttestation("no trusted certificate issued its certificate")
    if at_s is None:
        return
    for each in chain:
        starts, ends = each.not_valid_before_utc, each.not_valid_after_utc
        if not starts.timestamp() <= at_s <= ends.timestamp():
            raise UntrustedAttestation(
                f"a certificate of it is valid from {starts:%Y-%m-%d} to {ends:%Y-%m-%d} only"
            )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False  # another name, kind of key, or key
    return True


def _is_ca(certificate: x509.Certificate) -> bool:
    """Of an anchor nobody asks it: those of version 1 cannot say."""
    extensions = certificate.extensions
    critical = [each.oid for each in extensions if each.critical]
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and all(each in _UNDERSTOOD for each in critical)


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    """Whether nothing in it forbids that so many certificates of CAs are ``below`` it."""
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not value.key_cert_sign:
            return False
        if isinstance(value, x509.BasicConstraints):
            longest = value.path_length
            if not value.ca or (longest is not None and below > longest):
                return False
    return True
