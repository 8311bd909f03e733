"""The attestation statement formats of WebAuthn level 3 section 8 that are verified."""

from fido2.attestation.base import Attestation, AttestationResult, NoneAttestation, UnsupportedType
from fido2.webauthn import AttestationObject

from tokenkit.attestation.android_key import AndroidKeyAttestation
from tokenkit.attestation.apple import AppleAttestation
from tokenkit.attestation.fido_u2f import FidoU2fAttestation
from tokenkit.attestation.packed import PackedAttestation
from tokenkit.attestation.tpm import TpmAttestation

FORMATS: dict[str, type[Attestation]] = {
    "none": NoneAttestation,
    "packed": PackedAttestation,
    "fido-u2f": FidoU2fAttestation,
    "tpm": TpmAttestation,
    "android-key": AndroidKeyAttestation,
    "apple": AppleAttestation,
}


def verify_statement(attestation: AttestationObject, client_data_hash: bytes) -> AttestationResult:
    """What a statement proves, if its chain is to be trusted; python-fido2's InvalidAttestation.

    UnsupportedType for another format, InvalidSignature for a wrong signature, InvalidData for
    all else that is not as WebAuthn says.
    """
    kind = FORMATS.get(attestation.fmt) if isinstance(attestation.fmt, str) else None
    if kind is None:
        # python-fido2 declares no types
        raise UnsupportedType(attestation.auth_data, attestation.fmt)  # type: ignore[no-untyped-call]
    return kind().verify(attestation.att_stmt, attestation.auth_data, client_data_hash)
