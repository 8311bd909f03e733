"""What attestation statements have in common: members, certificates, what is wrong with them."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat import asn1
from fido2.attestation.base import (
    AttestationResult,
    InvalidAttestation,
    InvalidData,
    InvalidSignature,
)
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

from tokenkit.attestation.malformed import MALFORMED

_AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
Verify = Callable[[Any, Mapping[str, Any], AuthenticatorData, bytes], AttestationResult]


def strictly(verify: Verify) -> Verify:
    """Let an ``Attestation.verify`` raise nothing but python-fido2's InvalidAttestation."""

    @wraps(verify)
    def wrapped(
        self: Any,
        statement: Mapping[str, Any],
        auth_data: AuthenticatorData,
        client_data_hash: bytes,
    ) -> AttestationResult:
        try:
            return verify(self, statement, auth_data, client_data_hash)
        except InvalidAttestation:
            raise
        except WrongSignature:
            raise InvalidSignature("its signature is wrong") from None
        except MALFORMED as error:
            raise InvalidData(str(error) or type(error).__name__) from error

    return wrapped


def demand(holds: bool, what: str) -> None:
    """InvalidData, which says ``what`` is wrong."""
    if not holds:
        raise InvalidData(what)


def credential_of(auth_data: AuthenticatorData) -> AttestedCredentialData:
    credential = auth_data.credential_data
    if credential is None:
        raise InvalidData("there is no credential to attest")
    return credential


def check_members(
    statement: object, needed: Mapping[str, type], maybe: Mapping[str, type] | None = None
) -> None:
    """InvalidData unless the statement has all that is ``needed``, and nothing of no use.

    The syntax of WebAuthn section 8 lists the members of each format, and CDDL allows no other.
    """
    demand(isinstance(statement, Mapping), "the statement is no map")
    assert isinstance(statement, Mapping)
    kinds = {**needed, **(maybe or {})}
    for name in needed:
        demand(name in statement, f"it lacks {name}")
    for name, value in statement.items():
        demand(name in kinds, f"it has {name!r}, which the format has not")
        demand(type(value) is kinds[name], f"{name} is of another type")


def certificates(x5c: list[object]) -> list[x509.Certificate]:
    """The certificates of x5c, the attestation key's first; InvalidData if there is none."""
    demand(len(x5c) > 0, "x5c is empty")
    demand(all(isinstance(each, bytes) for each in x5c), "x5c holds what is no certificate")
    return [x509.load_der_x509_certificate(each) for each in x5c if isinstance(each, bytes)]


def check_leaf(certificate: x509.Certificate) -> None:
    """What 8.2.1 and 8.3.1 both ask of a certificate: version 3, and CA false."""
    demand(certificate.version == x509.Version.v3, "its certificate is not of version 3")
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        raise InvalidData("its certificate has no Basic Constraints") from None
    demand(not basic.value.ca, "its certificate is that of a CA")


def named_aaguid(certificate: x509.Certificate) -> bytes | None:
    """The AAGUID in a certificate's extension id-fido-gen-ce-aaguid; None if it has none."""
    octets = extension_octets(certificate, _AAGUID_EXTENSION)
    if octets is None:
        return None
    extension = certificate.extensions.get_extension_for_oid(_AAGUID_EXTENSION)
    demand(not extension.critical, "the AAGUID in its certificate is marked critical")
    return asn1.decode_der(bytes, octets)


def check_aaguid(certificate: x509.Certificate, credential: AttestedCredentialData) -> None:
    """A certificate that names a model must name the authenticator's."""
    named = named_aaguid(certificate)
    demand(
        named is None or named == bytes(credential.aaguid),
        "its certificate is of another AAGUID",
    )


def extension_octets(
    certificate: x509.Certificate, identifier: x509.ObjectIdentifier
) -> bytes | None:
    """What is in an extension that ``cryptography`` does not know; None if it is not there."""
    try:
        value = certificate.extensions.get_extension_for_oid(identifier).value
    except x509.ExtensionNotFound:
        return None
    return value.public_bytes()
