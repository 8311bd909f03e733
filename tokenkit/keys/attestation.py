"""Whose make a key is: a fresh credential, and what its attestation proves (WebAuthn §6.5)."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.attestation.base import (
    AttestationType,
    InvalidAttestation,
    InvalidSignature,
    UntrustedAttestation,
)
from fido2.utils import sha256
from fido2.webauthn import Aaguid, AttestationObject

from tokenkit.attestation import MALFORMED, Metadata, TrustedRoots, verify_statement
from tokenkit.errors import TokenkitError
from tokenkit.keys.answers import Tell, asking, denied, on_touch, silent
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.pin import Permission, authorise

RP_ID = "tokenkit.invalid"


@dataclass(frozen=True)
class Attested:
    """The attestation of a credential that was made to see it.

    ``aaguid`` is a UUID; ``chain`` holds X.509 certificates in DER, the key's first, and is empty
    for self attestation and none.
    """

    format: str
    aaguid: str
    algorithm: int
    attestation: AttestationObject
    client_data_hash: bytes

    @property
    def chain(self) -> list[bytes]:
        sent = self.attestation.att_stmt.get("x5c")
        return [each for each in sent if isinstance(each, bytes)] if isinstance(sent, list) else []


@dataclass(frozen=True)
class Verdict:
    """Whether an attestation ``holds``, in words why (not), and what metadata calls the model."""

    holds: bool
    reason: str
    model: str | None = None


def needs_pin_to_attest(key: OpenKey) -> bool:
    """Whether :func:`make_attested` needs the key's PIN; DeniedError if there is none to enter."""
    options = key.ctap2().info.options
    free = options.get("makeCredUvNotRqd") and not options.get("alwaysUv")
    if options.get("alwaysUv") and not options.get("clientPin"):
        raise denied(key, "PIN_NOT_SET")
    return bool(options.get("clientPin")) and not free


def make_attested(
    key: OpenKey,
    pin: str | None = None,
    rp_id: str = RP_ID,
    tell: Tell = silent,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> Attested:
    """Make a credential at ``rp_id`` that takes no room on the key; it must be touched."""
    ctap = key.ctap2()
    client_data_hash = random_bytes(32)
    tag, protocol = None, None
    if pin is not None:
        granted = authorise(key, pin, Permission.MAKE_CREDENTIAL, rp_id)
        protocol = granted.protocol.VERSION
        tag = granted.protocol.authenticate(granted.token, client_data_hash)
    algorithms: list[Mapping[str, Any]] = [*ctap.info.algorithms] or [
        {"type": "public-key", "alg": -7}
    ]
    with asking(key):
        made = ctap.make_credential(
            client_data_hash,
            {"id": rp_id, "name": rp_id},
            {"id": random_bytes(16), "name": "attestation"},
            algorithms,
            pin_uv_param=tag,
            pin_uv_protocol=protocol,
            on_keepalive=on_touch(tell),
        )
        attestation = AttestationObject.create(made.fmt, made.auth_data, made.att_stmt)
        credential = made.auth_data.credential_data
        if made.auth_data.rp_id_hash != sha256(rp_id.encode()) or credential is None:
            raise ValueError("it made a credential for somebody else")
        algorithm = credential.public_key[3]
        return Attested(made.fmt, str(credential.aaguid), algorithm, attestation, client_data_hash)


def judge(attested: Attested, trusted: TrustedRoots | Metadata | None = None) -> Verdict:
    """Check the statement, and that its chain ends under what is ``trusted``.

    As the verifier does. Nothing is asked of revocation lists, beyond what metadata says.
    """
    model = _model(attested, trusted)
    try:
        refused = _refused(attested, trusted)
    except (InvalidSignature, UntrustedAttestation) as error:
        refused = str(error)
    except InvalidAttestation as error:
        refused = f"it is not as WebAuthn says: {error}"
    if refused is not None:
        return Verdict(False, refused, model)
    return Verdict(True, "a trusted certificate issued its certificate", model)


def _refused(attested: Attested, trusted: TrustedRoots | Metadata | None) -> str | None:
    """Why it proves nothing; python-fido2's InvalidAttestation for what is wrong with it."""
    result = verify_statement(attested.attestation, attested.client_data_hash)
    if result.attestation_type == AttestationType.NONE:
        return "the key gave no attestation"
    if not result.trust_path:
        return "the key vouches for itself only (self attestation)"
    if trusted is None:
        return "its signature is right, but no certificate to trust was given: --ca or --mds"
    trusted.check(result, attested.attestation.auth_data)
    return None


def _model(attested: Attested, trusted: TrustedRoots | Metadata | None) -> str | None:
    if not isinstance(trusted, Metadata):
        return None
    entry = trusted.find_entry_by_aaguid(Aaguid.parse(attested.aaguid))
    return entry.metadata_statement.description if entry and entry.metadata_statement else None


def names(certificate: bytes) -> tuple[str, str]:
    """Subject and issuer of a certificate (DER), as RFC 4514 writes them."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        return parsed.subject.rfc4514_string(), parsed.issuer.rfc4514_string()
    except MALFORMED:
        return ("no X.509 certificate", "")


def read_certificates(data: bytes, name: str) -> list[bytes]:
    """The certificates in a file's ``data``, PEM or one in DER, as DER.

    TokenkitError, which calls the file ``name``, if it holds none.
    """
    try:
        if b"-----BEGIN" in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise TokenkitError(f"{name}: holds no X.509 certificate, PEM or DER") from None
    return [each.public_bytes(Encoding.DER) for each in found]


def read_metadata(data: bytes, root: bytes, name: str) -> Metadata:
    """What the FIDO MDS3 BLOB ``data`` says, if it is signed under ``root`` (DER).

    TokenkitError, which calls the file ``name``.
    """
    try:
        return Metadata.parse(data, root)
    except ValueError as error:
        raise TokenkitError(f"{name}: {error}") from None
