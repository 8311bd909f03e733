"""User verification: PIN or biometrics."""

from typing import Any

import pytest

from tokenkit.verifier import (
    InvalidResponse,
    WebAuthnPolicy,
)

Site = Any


@pytest.mark.parametrize(
    ("asked", "pin", "verified"),
    [
        ("required", True, True),
        ("preferred", True, True),
        ("discouraged", False, False),
        ("discouraged", True, False),
    ],
)
@pytest.mark.parametrize("by_policy", [False, True])
def test_it_is_asked_for(
    make_site: Any, asked: Any, pin: bool, verified: bool, by_policy: bool
) -> None:
    policy = WebAuthnPolicy(user_verification=asked) if by_policy else WebAuthnPolicy()
    options = {} if by_policy else {"user_verification": asked}
    site = make_site(webauthn=policy)
    key = site.key(pin=pin)
    site.register(key, **options)
    assert site.sign_in(key, **options).user_verified == verified


def test_an_answer_without_it_is_refused_where_it_is_required(site: Site) -> None:
    """The page asks the key for less than the verifier does."""
    key = site.key()
    required = site.verifier.begin_registration("root", user_verification="required")
    less = site.verifier.begin_registration("root", user_verification="discouraged")
    made = site.make(key, less)
    site.set_challenge(made, required)
    with pytest.raises(InvalidResponse, match="User verification required"):
        site.verifier.complete_registration(required.id, made)


def test_nor_is_such_an_assertion(make_site: Any) -> None:
    site = make_site(webauthn=WebAuthnPolicy(user_verification="required"))
    key = site.key(pin=True)
    site.register(key)
    ceremony = site.verifier.begin_assertion("root")
    less = site.options(ceremony)
    less["userVerification"] = "discouraged"
    answer = site.get(key, less)
    with pytest.raises(InvalidResponse, match="User verification required"):
        site.verifier.complete_assertion(ceremony.id, answer)
