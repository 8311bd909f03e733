"""An MFA verifier in the shape of AWS IAM: users, up to 8 devices each, codes and security keys.

>>> verifier = Verifier()
>>> verifier.create_user("ann")
>>> app = verifier.create_authenticator_app("ann-phone")
>>> app.serial_number
'arn:aws:iam::123456789012:mfa/ann-phone'
"""

from tokenkit.verifier.app import AuthenticatorApp
from tokenkit.verifier.chain import Chain
from tokenkit.verifier.errors import (
    AccessDenied,
    BrokenChain,
    Cloned,
    DeleteConflict,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    InvalidInput,
    InvalidResponse,
    LimitExceeded,
    Locked,
    MalformedCode,
    NoSuchEntity,
    NotConsecutive,
    OutOfWindow,
    PasswordPolicyViolation,
    Replayed,
    SealingKeyError,
    SeedFileError,
    StoreError,
    Throttled,
    UnknownCeremony,
    UntrustedAttestation,
    ValidationError,
    VerifierError,
)
from tokenkit.verifier.findings import Finding, FindingKind
from tokenkit.verifier.model import (
    AccessKey,
    AuditEvent,
    Ceremony,
    Device,
    DeviceKind,
    Role,
    SignIn,
    User,
)
from tokenkit.verifier.names import ROOT
from tokenkit.verifier.policy import (
    MAX_DEVICES,
    AccountPolicy,
    AttestationFormat,
    CertificationLevel,
    Drift,
    TotpPolicy,
    UserVerification,
    WebAuthnPolicy,
)
from tokenkit.verifier.verifier import Verifier

__all__ = [
    "MAX_DEVICES",
    "ROOT",
    "AccessDenied",
    "AccessKey",
    "AccountPolicy",
    "AttestationFormat",
    "AuditEvent",
    "AuthenticatorApp",
    "BrokenChain",
    "Ceremony",
    "CertificationLevel",
    "Chain",
    "Cloned",
    "DeleteConflict",
    "Device",
    "DeviceKind",
    "Drift",
    "EntityAlreadyExists",
    "Finding",
    "FindingKind",
    "InvalidAuthenticationCode",
    "InvalidInput",
    "InvalidResponse",
    "LimitExceeded",
    "Locked",
    "MalformedCode",
    "NoSuchEntity",
    "NotConsecutive",
    "OutOfWindow",
    "PasswordPolicyViolation",
    "Replayed",
    "Role",
    "SealingKeyError",
    "SeedFileError",
    "SignIn",
    "StoreError",
    "Throttled",
    "TotpPolicy",
    "UnknownCeremony",
    "UntrustedAttestation",
    "User",
    "UserVerification",
    "ValidationError",
    "Verifier",
    "VerifierError",
    "WebAuthnPolicy",
]
