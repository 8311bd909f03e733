"""The android-key format (WebAuthn level 3 section 8.4), which python-fido2 has not.

Believed is only what the trusted execution environment enforces: a list of properties that
Android's own software vouches for is ignored, except that it, too, must not open the key to all
applications.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from fido2.attestation.base import Attestation, AttestationResult, AttestationType, InvalidData
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation.public_key import check_same_key
from tokenkit.attestation.signature import RS1, check_signature
from tokenkit.attestation.statement import (
    certificates,
    check_members,
    credential_of,
    demand,
    extension_octets,
    strictly,
)

_KEY_DESCRIPTION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
# context-specific, constructed: [1], [600] and [702] of an AuthorizationList, X.690 section 8.1.2
_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = b"\xa1", b"\xbf\x84\x58", b"\xbf\x85\x3e"
_SIGN = 2  # KM_PURPOSE_SIGN
_GENERATED = 0  # KM_ORIGIN_GENERATED


@asn1.sequence
class _KeyDescription:
    """The same in all versions of Android's key attestation schema, up to what is in the lists."""

    attestation_version: int
    attestation_security_level: asn1.TLV
    keymaster_version: int
    keymaster_security_level: asn1.TLV
    attestation_challenge: bytes
    unique_id: bytes
    software_enforced: list[asn1.TLV]
    tee_enforced: list[asn1.TLV]


@asn1.sequence
class _Purposes:
    purposes: asn1.SetOf[int]


class AndroidKeyAttestation(Attestation):
    FORMAT = "android-key"

    @strictly
    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        check_members(statement, {"alg": int, "sig": bytes, "x5c": list})
        credential, algorithm = credential_of(auth_data), statement["alg"]
        chain = certificates(statement["x5c"])
        demand(algorithm != RS1, "it is signed with SHA-1")
        check_signature(chain[0], algorithm, auth_data + client_data_hash, statement["sig"])
        check_same_key(chain[0].public_key(), credential.public_key)
        octets = extension_octets(chain[0], _KEY_DESCRIPTION)
        if octets is None:
            raise InvalidData("its certificate describes no Android key")
        description = asn1.decode_der(_KeyDescription, octets)
        demand(
            description.attestation_challenge == client_data_hash,
            "the challenge in its certificate is another one",
        )
        software = _authorisations(description.software_enforced)
        tee = _authorisations(description.tee_enforced)
        demand(
            _ALL_APPLICATIONS not in software and _ALL_APPLICATIONS not in tee,
            "all applications may use its key",
        )
        demand(
            _ORIGIN in tee and asn1.decode_der(int, tee[_ORIGIN]) == _GENERATED,
            "its key was not generated in the trusted execution environment",
        )
        demand(
            _PURPOSE in tee and _integers(tee[_PURPOSE]) == [_SIGN],
            "its key is for other purposes than to sign",
        )
        return AttestationResult(AttestationType.BASIC, statement["x5c"])


def _authorisations(listed: Iterable[asn1.TLV]) -> dict[bytes, bytes]:
    """The values of an AuthorizationList, DER, by tag; InvalidData if one is there twice."""
    found: dict[bytes, bytes] = {}
    for each in listed:
        tag = bytes(each.tag_bytes)
        demand(tag not in found, "its certificate names a property twice")
        found[tag] = bytes(each.data)
    return found


def _integers(encoded: bytes) -> list[int]:
    """A SET OF INTEGER."""
    demand(len(encoded) < 0x80, "it has too many purposes")
    as_member = bytes((0x30, len(encoded))) + encoded  # the library reads a set as a member only
    return asn1.decode_der(_Purposes, as_member).purposes.as_list()
