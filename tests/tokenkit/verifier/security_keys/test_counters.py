"""Signature counters: WebAuthn section 6.1.1."""

from typing import Any

import pytest
from fido2.client import ClientError

from tokenkit.verifier import (
    Cloned,
    NoSuchEntity,
    WebAuthnPolicy,
)
from tokenkit.verifier.webauthn import went_back
from tokenkit.virtual import MemoryFlash, SecurityKey

Site = Any


@pytest.mark.parametrize(
    ("stored", "received", "back"),
    [(0, 0, False), (0, 1, False), (5, 6, False), (5, 5, True), (5, 4, True), (5, 0, True)],
)
def test_the_rule(stored: int, received: int, back: bool) -> None:
    assert went_back(stored, received) == back


def test_a_clone_is_refused_and_the_key_with_it(site: Site) -> None:
    key, copy = cloned(site)
    site.sign_in(key)
    with pytest.raises(Cloned, match=r"went back\. There may be a copy of it: remove it"):
        site.sign_in(copy)
    [device] = site.verifier.devices()
    assert device.clone_suspected
    line = site.verifier.audit()[-1]
    assert (line.event, line.serial_number) == ("assert-refused", device.serial_number)
    assert line.detail == {"error": "Cloned"}
    with pytest.raises(NoSuchEntity, match="no security key to sign in with"):
        site.sign_in(key)
    site.verifier.deactivate("root", device.serial_number)
    site.register(key)
    assert not site.sign_in(key).device.clone_suspected


def test_a_suspected_key_does_not_keep_others_from_signing_in(site: Site) -> None:
    key, copy = cloned(site)
    other = site.key(name="other")
    site.register(other)
    site.sign_in(key)
    with pytest.raises(Cloned):
        site.sign_in(copy)
    site.sign_in(other)
    with pytest.raises(ClientError):
        site.sign_in(key)


def test_a_clone_is_flagged_only(make_site: Any) -> None:
    site = make_site(webauthn=WebAuthnPolicy(user_verification="discouraged", clones="flag"))
    key, copy = cloned(site)
    site.sign_in(key)
    count = site.sign_in(key).device.sign_count
    signed_in = site.sign_in(copy)  # it is one behind, and does not set the counter back
    assert signed_in.device.clone_suspected
    assert signed_in.device.sign_count == count
    assert site.verifier.audit()[-1].detail == {"clone_suspected": True}
    site.sign_in(key)


def cloned(site: Site) -> tuple[SecurityKey, SecurityKey]:
    """A registered key, and a copy of its storage as it is now."""
    flash = MemoryFlash()
    key = site.key(name="key", flash=flash)
    site.register(key)
    image = MemoryFlash()
    image.write(dict(flash.contents))
    return key, site.key(name="key", flash=image)
