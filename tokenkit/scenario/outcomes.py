"""How an attempt can end, as scenarios write it."""

from typing import Literal

from tokenkit.verifier import VerifierError

Expectation = Literal[
    "accepted",
    "rejected",
    # the verifier's reasons
    "cloned",
    "entity-already-exists",
    "invalid-response",
    "limit-exceeded",
    "locked",
    "no-such-entity",
    "not-consecutive",
    "out-of-window",
    "replayed",
    "throttled",
    "unknown-ceremony",
    "untrusted-attestation",
    # the key's reasons
    "already-registered",
    "key-error",
    "key-full",
    "not-registered",
    "pin-already-set",
    "pin-auth-blocked",
    "pin-blocked",
    "pin-not-set",
    "pin-policy",
    "pin-required",
    "timeout",
    "touch-refused",
    "unplugged",
    "unsupported",
    "wrong-pin",
    # seen by the person
    "battery-empty",
    "no-code",
    "other-devices",
]


class SkippedError(Exception):
    """This step cannot be made here; the message says why."""


def outcome_of(error: VerifierError) -> str:
    """The verifier's reason."""
    import re

    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
