"""Policies: impossible values are refused."""

import math
from typing import Any

import pytest

from firmware_sim.fido.ca import root_certificate
from tokenkit.verifier import TotpPolicy, ValidationError, Verifier, WebAuthnPolicy


@pytest.mark.parametrize(
    "values",
    [
        {"window_steps": -1},
        {"window_steps": 101},
        {"window_steps": 1.5},
        {"window_steps": math.nan},
        {"lock_after": 0},
        {"lock_after": math.nan},
        {"lock_after": math.inf},
        {"lock_after": "10"},
        {"resync_range_s": -1.0},
        {"resync_range_s": math.nan},
        {"resync_range_s": 30 * 86_400.0 + 1},
        {"enrol_range_s": math.inf},
        {"delay_s": -0.1},
        {"delay_s": math.nan},
        {"delay_s": math.inf},
        {"drift": "both"},
        {"max_window_steps": -1},
        {"max_window_steps": 2.0},
        {"max_rate_ppm": 0.0},
        {"max_rate_ppm": math.nan},
        {"max_rate_ppm": 1001.0},
        {"entry_s": -1.0},
        {"entry_s": math.nan},
        {"entry_s": 61.0},
    ],
    ids=repr,
)
def test_impossible_rules_for_codes(values: dict[str, Any]) -> None:
    [name] = values
    with pytest.raises(ValidationError, match=f"^{name} is "):
        TotpPolicy(**values)


def test_the_extremes_are_possible() -> None:
    TotpPolicy(0, 0.0, 0.0, 0.0, 1)
    TotpPolicy(100, 30 * 86_400.0, 30 * 86_400.0, 1e9, 10**9)
    TotpPolicy(drift="rate", max_window_steps=0, max_rate_ppm=1e-9, entry_s=0.0)
    TotpPolicy(drift="rate", max_window_steps=100, max_rate_ppm=1000.0, entry_s=60.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"user_verification": "always"}, "required, preferred or discouraged, not 'always'"),
        ({"attestation": "indirect"}, "none or direct, not 'indirect'"),
        ({"clones": "ignore"}, "refuse or flag, not 'ignore'"),
        ({"attestation": "direct"}, "needs trusted_roots"),
        ({"origin": "tokenkit.example"}, "origin"),
        ({"origin": "https://tokenkit.example/"}, "origin"),
        ({"origin": "https://tokenkit.example/login"}, "origin"),
        ({"origin": "https://Tokenkit.example"}, "origin"),
        ({"origin": "https://[::1"}, "origin"),
        ({"origin": "https://"}, "origin"),
        ({"origin": ""}, "origin"),
        ({"origin": "http://tokenkit.example"}, "rp_id"),
        ({"origin": "https://tokenkit.example.org"}, "rp_id"),
        ({"origin": "https://nottokenkit.example"}, "rp_id"),
        ({"rp_id": ""}, "rp_id"),
        ({"rp_id": "www.tokenkit.example"}, "rp_id"),
        ({"rp_id": "com", "origin": "https://tokenkit.com"}, "rp_id"),
    ],
)
def test_impossible_rules_for_security_keys(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        WebAuthnPolicy(**values)


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        ("localhost", "http://localhost:8000"),
        ("tokenkit.example", "https://login.tokenkit.example"),
        ("tokenkit.example", "https://tokenkit.example:8443"),
    ],
)
def test_possible_origins(rp_id: str, origin: str) -> None:
    assert WebAuthnPolicy(rp_id=rp_id, origin=origin).origin == origin


@pytest.mark.parametrize("root", [b"", b"no certificate", root_certificate()[:-1]])
def test_roots_that_are_no_certificates(root: bytes) -> None:
    with pytest.raises(ValidationError, match=r"X\.509 certificate, DER"):
        Verifier(webauthn=WebAuthnPolicy(attestation="direct", trusted_roots=(root,)))


def test_a_call_cannot_ask_for_what_there_is_not(bench: Any) -> None:
    with pytest.raises(ValidationError, match="user_verification is required, preferred or"):
        bench.verifier.begin_registration("root", user_verification="always")
