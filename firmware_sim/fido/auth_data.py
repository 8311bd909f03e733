"""Authenticator data (WebAuthn §6.1)."""

from firmware_sim.fido import cbor
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.request import Map

UP = 0x01
UV = 0x04
AT = 0x40
ED = 0x80


def assertion_data(rp_id_hash: bytes, flags: int, counter: int, extensions: Map) -> bytes:
    """37 bytes, and the extension outputs where there are any."""
    if extensions:
        flags |= ED
    head = rp_id_hash + bytes((flags,)) + counter.to_bytes(4, "big")
    return head + cbor.encode(extensions) if extensions else head


def attested_data(
    credential: Credential,
    aaguid: bytes,
    flags: int,
    counter: int,
    extensions: Map,
    public_key: bytes | None = None,
) -> bytes:
    """Authenticator data with the attested credential data.

    ``public_key`` is a COSE_Key to attest in place of the credential's own.
    """
    if extensions:
        flags |= ED
    data = (
        assertion_data(credential.rp_id_hash, flags | AT, counter, {})
        + aaguid
        + len(credential.credential_id).to_bytes(2, "big")
        + credential.credential_id
        + (public_key or credential.key.cose_key())
    )
    return data + cbor.encode(extensions) if extensions else data
