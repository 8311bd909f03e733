"""Attestation statements in the formats of a profile (WebAuthn §8)."""

from functools import cache, cached_property

from cryptography.x509.oid import ObjectIdentifier

from firmware_sim.fido import ca
from firmware_sim.fido.algorithms import Es256Key, SigningKey
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.request import Map
from firmware_sim.profile import Profile

# the AAGUID (WebAuthn §8.2.1), and the serial number of the very key (§8.2.2)
_AAGUID_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_SERIAL_EXTENSION = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.2")


class Attestation:
    """Makes the attestation statements of a profile (WebAuthn §8).

    ``serial_number`` is what an enterprise attestation tells.
    """

    def __init__(self, profile: Profile, reproducible: bool, serial_number: str) -> None:
        self._profile = profile
        self._reproducible = reproducible
        self._serial_number = serial_number
        # the one for platforms that wish for nothing first; none is always there
        self.formats = () if profile.attestation == "none" else profile.attestation_formats

    def choose(self, preference: list[str], algorithm: int, enterprise: bool) -> str:
        """The format for a key of ``algorithm`` that the platform likes best (§6.1.2 step 19).

        fido-u2f can speak of ES256 keys only, and an enterprise attestation is packed. A model
        that does not tell its formats knows of no preference.
        """
        if enterprise:
            return "packed"
        if self._profile.sends("attestationFormats"):
            for name in preference:
                u2f = name == "fido-u2f"
                if name == "none" or (
                    name in self.formats and (not u2f or algorithm == Es256Key.algorithm)
                ):
                    return name
        return self.formats[0] if self.formats else "none"

    def statement(
        self,
        name: str,
        credential: Credential,
        auth_data: bytes,
        client_data_hash: bytes,
        enterprise: bool,
    ) -> Map:
        """The statement in the format ``name`` over authenticator data and client data hash."""
        if name == "none":
            return {}
        if name == "fido-u2f":
            signature = self.sign_u2f(
                credential.rp_id_hash, client_data_hash, credential.credential_id, credential.key
            )
            return {"sig": signature, "x5c": [self.batch[1]]}
        signed = auth_data + client_data_hash
        if self._profile.attestation == "self":
            return {"alg": credential.key.algorithm, "sig": credential.key.sign(signed)}
        key, certificate = self.device if enterprise else self.batch
        return {"alg": key.algorithm, "sig": key.sign(signed), "x5c": [certificate]}

    def sign_u2f(
        self, application: bytes, challenge: bytes, key_handle: bytes, key: SigningKey
    ) -> bytes:
        """The signature over a U2F registration (U2F raw messages §4.3, WebAuthn §8.6)."""
        assert isinstance(key, Es256Key)
        signed = b"\x00" + application + challenge + key_handle + b"\x04" + key.point
        return self.batch[0].sign(signed)

    @cached_property
    def batch(self) -> tuple[Es256Key, bytes]:
        """The batch's attestation key, and its certificate (DER)."""
        return _batch(self._profile, self._reproducible)

    @cached_property
    def device(self) -> tuple[Es256Key, bytes]:
        """This very key's attestation key, and its certificate (DER), which names it."""
        return _batch(self._profile, self._reproducible, self._serial_number)


@cache
def _batch(
    profile: Profile, reproducible: bool, serial_number: str | None = None
) -> tuple[Es256Key, bytes]:
    """The attestation key and certificate (DER) that all keys of a profile share, or that the one
    with this serial number has."""
    key = ca.derived_key(f"{profile.name} {serial_number or ''}".strip(), reproducible)
    label = "batch" if serial_number is None else f"serial number {serial_number}"
    extensions = {_AAGUID_EXTENSION: profile.aaguid}
    if serial_number is not None:
        extensions[_SERIAL_EXTENSION] = serial_number.encode()
    certificate = ca.issue(
        f"{profile.product_name} {label}",
        "Authenticator Attestation",
        key.private_key.public_key(),
        profile.aaguid + (serial_number or "").encode(),
        extensions,
    )
    return key, certificate
