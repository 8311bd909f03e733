"""Signing in with security keys, and removing them."""

from typing import Any

import pytest
from fido2.client import ClientError

from tokenkit.verifier import (
    AuditEvent,
    InvalidResponse,
    NoSuchEntity,
    SignIn,
)

Site = Any


def test_what_it_gives(site: Site) -> None:
    key = site.key()
    serial_number = site.register(key).serial_number
    site.bench.wait(60)
    signed_in = site.sign_in(key)
    [device] = site.verifier.devices()
    assert signed_in == SignIn("root", device, site.bench.now_s, False)
    assert device.last_used_s == site.bench.now_s
    assert device.sign_count > 0
    assert site.verifier.audit()[-1] == AuditEvent(
        site.bench.now_s, "assert", "root", serial_number, {}
    )


def test_with_either_of_two_keys(site: Site) -> None:
    one, two = site.key(), site.key()
    first, second = site.register(one), site.register(two)
    assert site.sign_in(two).device.serial_number == second.serial_number
    assert site.sign_in(one).device.serial_number == first.serial_number


def test_a_key_shows_no_codes(site: Site) -> None:
    serial_number = site.register(site.key()).serial_number
    with pytest.raises(NoSuchEntity, match=r"shows no codes\. It is a security key: begin an"):
        site.verifier.sign_in("root", "123456", serial_number=serial_number)
    with pytest.raises(NoSuchEntity, match="shows no codes"):
        site.verifier.resync("root", serial_number, "123456", "123456")
    with pytest.raises(NoSuchEntity, match="root has no token or app"):
        site.verifier.sign_in("root", "123456")
    with pytest.raises(NoSuchEntity, match="does not exist"):
        site.verifier.unlock(serial_number)


def test_without_a_key(site: Site) -> None:
    site.bench.phone()
    with pytest.raises(NoSuchEntity, match=r"^root has no security key to sign in with\.$"):
        site.verifier.begin_assertion("root")
    with pytest.raises(NoSuchEntity, match="user with name ann cannot be found"):
        site.verifier.begin_assertion("ann")


def test_a_key_that_was_removed_is_forgotten(site: Site) -> None:
    one, two = site.key(), site.key()
    first = site.register(one)
    second = site.register(two)
    ceremony = site.verifier.begin_assertion("root")
    answer = site.get(one, ceremony)
    site.verifier.deactivate("root", first.serial_number)
    assert site.verifier.devices() == [second]
    with pytest.raises(InvalidResponse):
        site.verifier.complete_assertion(ceremony.id, answer)
    with pytest.raises(ClientError):
        site.sign_in(one)
    site.sign_in(two)
    assert site.register(one).serial_number != first.serial_number
    site.sign_in(one)
