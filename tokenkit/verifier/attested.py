"""Which attestations a policy takes (WebAuthn level 3 section 7.1, steps 19 to 24)."""

from collections.abc import Callable
from dataclasses import dataclass

from fido2.attestation.base import (
    AttestationResult,
    AttestationType,
    InvalidAttestation,
)
from fido2.attestation.base import UntrustedAttestation as Untrusted
from fido2.mds3 import MetadataBlobPayloadEntry
from fido2.webauthn import AttestationObject, AuthenticatorData

from tokenkit.attestation import (
    LEVELS,
    Metadata,
    TrustedRoots,
    certifications,
    identify,
    verify_statement,
)
from tokenkit.verifier.errors import UntrustedAttestation, ValidationError
from tokenkit.verifier.policy import WebAuthnPolicy


@dataclass(frozen=True)
class Attested:
    """What of a registration is proven: its ``format``, "none" if nothing is.

    ``model`` is what metadata knows the authenticator by; None where it knows nothing of it.
    """

    format: str
    model: str | None = None


class AttestationRules:
    """Judges attestations by a policy; ``now`` in seconds since the Unix epoch.

    ValidationError for roots or metadata that are none.
    """

    def __init__(self, policy: WebAuthnPolicy, now: Callable[[], float]) -> None:
        self._policy = policy
        try:
            self._roots = TrustedRoots(policy.trusted_roots, now)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        self._metadata: Metadata | None = None
        if policy.metadata:
            try:
                self._metadata = Metadata.parse(policy.metadata, policy.metadata_root, now)
            except ValueError as error:
                raise ValidationError(f"metadata {error}") from None

    def judge(self, attestation: AttestationObject, client_data_hash: bytes) -> Attested:
        """UntrustedAttestation for what the policy does not take."""
        if self._policy.attestation == "none":
            return Attested("none")  # clients strip it, or ought to
        try:
            return self._judge(attestation, client_data_hash)
        except InvalidAttestation as error:
            raise UntrustedAttestation(
                "The attestation is not accepted.", f"{error or type(error).__name__}."
            ) from error

    def _judge(self, attestation: AttestationObject, client_data_hash: bytes) -> Attested:
        policy, auth_data = self._policy, attestation.auth_data
        result = verify_statement(attestation, client_data_hash)
        if attestation.fmt not in policy.attestation_formats:
            raise Untrusted(f"format {attestation.fmt} is not among those allowed")
        if result.attestation_type == AttestationType.NONE:
            return Attested("none")
        credential = auth_data.credential_data
        if policy.aaguids and (credential is None or str(credential.aaguid) not in policy.aaguids):
            raise Untrusted("this model is not among those allowed")
        entry = self._vouched(result, auth_data)
        if policy.certification is not None:
            self._check_level(policy.certification, entry)
        return Attested(attestation.fmt, identify(entry) if entry else None)

    def _vouched(
        self, result: AttestationResult, auth_data: AuthenticatorData
    ) -> MetadataBlobPayloadEntry | None:
        """The model's metadata, if there is any, of what roots or metadata vouch for."""
        metadata = self._metadata
        entry = metadata.entry(result, auth_data) if metadata else None
        if metadata and entry:
            metadata.check_status(entry, result.trust_path)
        try:
            self._roots.check(result, auth_data)
        except Untrusted:
            if metadata is None:
                raise
            metadata.check(result, auth_data)
        return entry

    def _check_level(self, least: str, entry: MetadataBlobPayloadEntry | None) -> None:
        level = self._certifications(entry).get("FIDO") if entry else None
        if level not in LEVELS or LEVELS.index(level) < LEVELS.index(least):
            raise Untrusted(f"the model is certified as {level or 'nothing'}, not {least}")

    def certifications(self, model: str | None) -> dict[str, str]:
        """The certifications in effect of a model that :meth:`judge` gave."""
        entry = self._metadata.find(model) if self._metadata and model else None
        return self._certifications(entry) if entry else {}

    def _certifications(self, entry: MetadataBlobPayloadEntry) -> dict[str, str]:
        assert self._metadata is not None
        return certifications(entry, self._metadata.today())
