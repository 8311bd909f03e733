"""What the account demands of its users."""

from tokenkit.verifier import Verifier


def must_have_mfa(verifier: Verifier, user: str) -> bool:
    """Whether ``user`` may do nothing without an MFA device but assign one."""
    return False
