"""What the verifier lets pass: numbers that IAM keeps to itself, so they are configuration."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import urlsplit
from uuid import UUID

from fido2.rpid import verify_rp_id

from tokenkit.verifier.errors import ValidationError
from tokenkit.verifier.names import ROOT

Drift = Literal["offset", "rate"]
UserVerification = Literal["required", "preferred", "discouraged"]
AttestationFormat = Literal["none", "packed", "fido-u2f", "tpm", "android-key", "apple"]
CertificationLevel = Literal["L1", "L1plus", "L2", "L2plus", "L3", "L3plus"]
MAX_DEVICES = 8  # of one user, in any mix: IAM


@dataclass(frozen=True)
class TotpPolicy:
    """Rules for codes. ValidationError if a number makes no sense.

    window_steps: time steps to either side of the learned offset in which a code is accepted.
    resync_range_s, enrol_range_s: how far off the device's clock may be, in seconds, for two
        consecutive codes to be found.
    delay_s: wait after the first wrong code; after the n-th in a row it is n times that
        (RFC 4226 section 7.3).
    lock_after: wrong codes in a row that lock the device.
    drift: "offset" looks around the last learned offset; "rate" predicts it from the token's rate,
        and looks as far around as the prediction is uncertain (docs/drift.md). ``window_steps``
        then counts for nothing.

    For "rate":

    max_window_steps: what the window reaches to either side at most.
    max_rate_ppm: by how much a token's clock may plausibly be fast or slow. A watch crystal at
        0 °C is 21 ppm slow, and off by up to 10 besides.
    entry_s: time for a code to arrive after its time step; RFC 6238 section 5.2 recommends a step
        at most.
    """

    window_steps: int = 1
    resync_range_s: float = 86_400.0
    enrol_range_s: float = 86_400.0
    delay_s: float = 5.0
    lock_after: int = 10
    drift: Drift = "offset"
    max_window_steps: int = 5
    max_rate_ppm: float = 30.0
    entry_s: float = 12.0

    def __post_init__(self) -> None:
        check_word("drift", self.drift, Drift)
        for name in ("window_steps", "lock_after", "max_window_steps"):
            if not isinstance(getattr(self, name), int):
                raise ValidationError(f"{name} is a whole number, not {getattr(self, name)!r}")
        for name in ("window_steps", "max_window_steps"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValidationError(f"{name} is from 0 to 100, not {getattr(self, name)}")
        for name in ("resync_range_s", "enrol_range_s"):
            if not 0 <= getattr(self, name) <= 30 * 86_400:
                raise ValidationError(f"{name} is from 0 to 30 days, not {getattr(self, name)} s")
        if not (math.isfinite(self.delay_s) and self.delay_s >= 0):
            raise ValidationError(f"delay_s is not negative, not {self.delay_s}")
        if self.lock_after < 1:
            raise ValidationError(f"lock_after is at least 1, not {self.lock_after}")
        if not 0 < self.max_rate_ppm <= 1000:
            raise ValidationError(f"max_rate_ppm is above 0, up to 1000, not {self.max_rate_ppm}")
        if not 0 <= self.entry_s <= 60:
            raise ValidationError(f"entry_s is from 0 to 60, not {self.entry_s}")


@dataclass(frozen=True)
class WebAuthnPolicy:
    """Rules for security keys. ValidationError if a word is none of those listed.

    origin: the one origin whose ceremonies are accepted; ``rp_id`` is its host or a parent of it.
    user_verification: asked for where a call says nothing; if "required", of every call.
    attestation: "none" takes any key; "direct" only those whose attestation leads to one of
        ``trusted_roots`` (X.509 certificates, DER) or is vouched for by ``metadata``.
    attestation_formats: the formats that are taken under "direct"; with "none" among them, keys
        that give no attestation are taken, too.
    aaguids: the models that are taken, as UUIDs; empty takes all.
    metadata: FIDO MDS3 BLOB (a JWT), signed under ``metadata_root`` (X.509, DER). A model of which
        it says that it is revoked or compromised is refused, whoever vouches for it.
    certification: the least FIDO certification by ``metadata``; None asks for none.
    clones: a signature counter that goes back is refused, and the key with it until it is
        registered anew ("refuse"), or only marked ("flag").
    """

    rp_id: str = "tokenkit.example"
    rp_name: str = "tokenkit"
    origin: str = "https://tokenkit.example"
    user_verification: UserVerification = "preferred"
    attestation: Literal["none", "direct"] = "none"
    trusted_roots: tuple[bytes, ...] = field(default=(), repr=False)
    attestation_formats: tuple[AttestationFormat, ...] = (
        "packed",
        "fido-u2f",
        "tpm",
        "android-key",
        "apple",
    )
    aaguids: tuple[str, ...] = ()
    metadata: bytes = field(default=b"", repr=False)
    metadata_root: bytes = field(default=b"", repr=False)
    certification: CertificationLevel | None = None
    clones: Literal["refuse", "flag"] = "refuse"

    def __post_init__(self) -> None:
        check_word("user_verification", self.user_verification, UserVerification)
        check_word("attestation", self.attestation, Literal["none", "direct"])
        check_word("clones", self.clones, Literal["refuse", "flag"])
        if not _is_origin(self.origin):
            raise ValidationError(f"origin {self.origin!r}: it is https://HOST, maybe with :PORT")
        if not verify_rp_id(self.rp_id, self.origin):
            raise ValidationError(
                f"rp_id {self.rp_id!r}: it is the host of {self.origin} or a parent domain of it"
            )
        self._check_attestation()

    def _check_attestation(self) -> None:
        direct = self.attestation == "direct"
        if direct and not (self.trusted_roots or self.metadata):
            raise ValidationError(
                'attestation = "direct" needs trusted_roots or metadata, else no key passes'
            )
        for word in self.attestation_formats:
            check_word("each of attestation_formats", word, AttestationFormat)
        for aaguid in self.aaguids:
            if not _is_uuid(aaguid):
                raise ValidationError(f"aaguids are UUIDs in small letters, not {aaguid!r}")
        if self.certification is not None:
            check_word("certification", self.certification, CertificationLevel)
        proven = direct and "none" not in self.attestation_formats
        for name in ("aaguids", "certification"):
            if getattr(self, name) and not proven:
                raise ValidationError(
                    f'{name} needs attestation = "direct", and no "none" in attestation_formats:'
                    " else a key may claim to be of any model"
                )
        if self.certification is not None and not self.metadata:
            raise ValidationError("certification needs metadata, which says who is certified")
        if bool(self.metadata) != bool(self.metadata_root):
            raise ValidationError("metadata and metadata_root are given together")


@dataclass(frozen=True)
class AccountPolicy:
    """What is asked of users. ValidationError if a number makes no sense.

    mfa_required_for_root, mfa_required_for_users: whoever has no device may do nothing at the
        console but assign one.
    minimum_devices: of each user who has any; fewer is a finding.
    stale_after_days: a device that was not used for so long is a finding.
    """

    mfa_required_for_root: bool = False
    mfa_required_for_users: bool = False
    minimum_devices: int = 1
    stale_after_days: float = 90.0

    def __post_init__(self) -> None:
        for name in ("mfa_required_for_root", "mfa_required_for_users"):
            if not isinstance(getattr(self, name), bool):
                raise ValidationError(f"{name} is true or false, not {getattr(self, name)!r}")
        least = self.minimum_devices
        if not (isinstance(least, int) and 1 <= least <= MAX_DEVICES):
            raise ValidationError(f"minimum_devices is from 1 to {MAX_DEVICES}, not {least!r}")
        if not 0 < self.stale_after_days < math.inf:
            raise ValidationError(f"stale_after_days is above 0, not {self.stale_after_days}")

    def requires_mfa(self, user: str) -> bool:
        return self.mfa_required_for_root if user == ROOT else self.mfa_required_for_users


def _is_uuid(text: object) -> bool:
    """Whether it is what an AAGUID is compared as."""
    try:
        return isinstance(text, str) and str(UUID(text)) == text
    except ValueError:
        return False


def _is_origin(text: str) -> bool:
    """Whether a browser would write an origin like this."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.hostname) and text == f"{parts.scheme}://{parts.netloc}".lower()


def check_word(name: str, value: object, allowed: object) -> None:
    """ValidationError unless ``value`` is one of the words of the Literal ``allowed``."""
    words = get_args(allowed)
    if value not in words:
        raise ValidationError(f"{name} is {', '.join(words[:-1])} or {words[-1]}, not {value!r}")
