"""Drifting TOTP tokens, CTAP2 security keys and an MFA verifier, made of software."""

__version__ = "0.1.0"
