"""What the verifier tells its callers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tokenkit.verifier.names import role_arn, user_arn


class DeviceKind(StrEnum):
    HARDWARE_TOKEN = "hardware-token"
    AUTHENTICATOR_APP = "authenticator-app"
    SECURITY_KEY = "security-key"


@dataclass(frozen=True)
class Device:
    """A device that belongs to ``user``; times in seconds since the Unix epoch by the verifier.

    Of tokens and apps: ``offset_steps`` is the device's time minus the verifier's as last
    learned, in time steps of ``period_s``; ``failures`` counts wrong codes in a row. Of security
    keys: ``sign_count`` is the last signature counter, ``clone_suspected`` that it once went back,
    ``aaguid`` the model that it claims to be (a UUID), which ``attestation_format`` proves unless
    it is "none".

    What is predicted of a token's or app's clock at the time of the request, None if no code told
    anything yet: ``predicted_offset_s``, its standard deviation ``uncertainty_s``, and ``rate_ppm``
    by which it is fast. A code that the device shows is accepted while its offset is within
    ``window_s``. All four move with time, and make no two devices unequal.
    """

    serial_number: str
    kind: DeviceKind
    name: str
    user: str
    enabled_s: float
    last_used_s: float | None = None
    algorithm: str = ""
    digits: int = 0
    period_s: int = 0
    offset_steps: int = 0
    predicted_offset_s: float | None = field(default=None, compare=False)
    uncertainty_s: float | None = field(default=None, compare=False)
    rate_ppm: float | None = field(default=None, compare=False)
    window_s: tuple[float, float] | None = field(default=None, compare=False)
    failures: int = 0
    locked: bool = False
    sign_count: int = 0
    clone_suspected: bool = False
    aaguid: str = ""
    attestation_format: str = ""

    @property
    def offset_s(self) -> float:
        """The learned offset in seconds, as exact as whole time steps are."""
        return float(self.offset_steps * self.period_s)


@dataclass(frozen=True)
class VirtualDevice:
    """An authenticator app, whether somebody holds it (IAM: it is assigned) or not yet."""

    serial_number: str
    user: str | None
    enabled_s: float | None


@dataclass(frozen=True)
class User:
    """A user of the account; "root" is the account's owner. Times in seconds since the Unix epoch.

    ``password_*`` are of the console's password.
    """

    name: str
    id: str
    path: str
    created_s: float
    has_password: bool = False
    password_changed_s: float | None = None
    password_used_s: float | None = None

    @property
    def arn(self) -> str:
        return user_arn(self.name, self.path)


@dataclass(frozen=True)
class AccessKey:
    """What programs sign requests with; ``secret`` is told when it is made, and to who checks."""

    id: str
    user: str
    active: bool
    created_s: float
    secret: str = field(default="", repr=False)
    used_s: float | None = None
    used_service: str | None = None
    used_region: str | None = None


@dataclass(frozen=True)
class Role:
    """A role; ``trust_policy`` is the JSON text that says who may assume it."""

    name: str
    id: str
    path: str
    created_s: float
    trust_policy: str
    description: str = ""
    max_session_s: int = 3600

    @property
    def arn(self) -> str:
        return role_arn(self.name, self.path)


@dataclass(frozen=True)
class SignIn:
    """An accepted sign-in; ``user_verified`` only ever by a security key (PIN or biometrics)."""

    user: str
    device: Device
    at_s: float
    user_verified: bool = False


@dataclass(frozen=True)
class Ceremony:
    """A WebAuthn ceremony under way: ``options`` go to the client, ``id`` comes back with the
    answer. ``options`` is python-fido2's CredentialCreationOptions or CredentialRequestOptions.
    """

    id: str
    options: Any


@dataclass(frozen=True)
class AuditEvent:
    """One line of the log; a refused call's event ends in ``-refused``. No secrets, no codes."""

    at_s: float
    event: str
    user: str | None
    serial_number: str | None
    detail: dict[str, Any] = field(default_factory=dict)
