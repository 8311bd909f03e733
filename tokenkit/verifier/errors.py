"""What the verifier refuses, by IAM's error codes.

``code`` is IAM's (or STS's) error code where one exists; ``message`` is what IAM says, as far as
it is known, and what a remote caller may be told. The exception's text adds what to do.
"""

import math
from typing import ClassVar

from tokenkit.errors import TokenkitError


class VerifierError(TokenkitError):
    """A request that the verifier refuses. Nothing changed but failure counters and the log."""

    code: ClassVar[str | None] = None

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(f"{message} {advice}".rstrip())
        self.message = message

    @property
    def told(self) -> str:
        """What whoever asked may read of it: all, unless it is for whoever runs the verifier."""
        return str(self)


class ValidationError(VerifierError):
    """A name, a policy or another argument that could never be right."""

    code = "ValidationError"


class NoSuchEntity(VerifierError):
    """There is no such user or device, or it is not this user's."""

    code = "NoSuchEntity"


class EntityAlreadyExists(VerifierError):
    """A name, serial number or credential that is taken."""

    code = "EntityAlreadyExists"


class LimitExceeded(VerifierError):
    """A user holds as many devices as a user may."""

    code = "LimitExceeded"


class DeleteConflict(VerifierError):
    """Something is still in use."""

    code = "DeleteConflict"


class InvalidInput(VerifierError):
    """Arguments that contradict each other."""

    code = "InvalidInput"


class PasswordPolicyViolation(VerifierError):
    """A password that is too short or too long."""

    code = "PasswordPolicyViolation"


class InvalidAuthenticationCode(VerifierError):
    """A code, or a pair of codes, that is not accepted; it counts as a failure."""

    code = "InvalidAuthenticationCode"

    def __init__(self, advice: str) -> None:
        super().__init__("Authentication code for device is not valid.", advice)


class OutOfWindow(InvalidAuthenticationCode):
    """No code in the window is equal."""


class Replayed(InvalidAuthenticationCode):
    """A code that was accepted before, or that is older than one that was."""


class NotConsecutive(InvalidAuthenticationCode):
    """No two adjacent codes in the range are equal to these."""


class MalformedCode(InvalidAuthenticationCode):
    """Not the right number of ASCII digits; not counted as a failure."""


class Throttled(VerifierError):
    """Too soon after a wrong code; this attempt was not looked at."""

    code = "Throttling"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Rate exceeded.", f"Try again in {math.ceil(retry_after_s)} s.")
        self.retry_after_s = retry_after_s


class Locked(VerifierError):
    """Too many wrong codes in a row; nothing is looked at until the device is unlocked."""

    code = "AccessDenied"

    def __init__(self, serial_number: str) -> None:
        super().__init__(
            f"MFA Device with serial number {serial_number} is locked.",
            "Too many wrong codes in a row: an administrator can unlock it.",
        )
        self.retry_after_s = math.inf


class AccessDenied(VerifierError):
    """A security key's answer that is not accepted."""

    code = "AccessDenied"


class InvalidResponse(AccessDenied):
    """A registration or assertion that does not pass WebAuthn's checks."""


class UntrustedAttestation(AccessDenied):
    """An attestation that leads to no trusted root."""


class Cloned(AccessDenied):
    """The signature counter went back: somebody has a copy of the key."""


class UnknownCeremony(AccessDenied):
    """The ceremony never began, was used, or expired."""


class SeedFileError(VerifierError):
    """A seed file that cannot be imported; nothing of it was."""


class SealingKeyError(VerifierError):
    """Seeds that the sealing key does not open, or no key where one is needed."""


class StoreError(VerifierError):
    """The database failed, or is not one of this verifier's; nothing was changed.

    Its text is for whoever runs the verifier: it has names of files, hosts and tables.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.message = "The database failed."

    @property
    def told(self) -> str:
        return self.message


class BrokenChain(VerifierError):
    """A log that is not what was written; ``line`` is the first that shows it, from 1.

    If its last line is all right, ``line`` is the next one.
    """

    def __init__(self, line: int, why: str, where: str = "") -> None:
        super().__init__(f"The log is broken {where or f'at line {line}'}: {why}.")
        self.line = line
