"""Registering security keys."""

from typing import Any

import pytest
from fido2.client import ClientError

from tokenkit.verifier import (
    AuditEvent,
    DeviceKind,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
    WebAuthnPolicy,
)

Site = Any


def test_what_it_gives(site: Site) -> None:
    device = site.register(site.key(), name="my key")
    start, _, number = device.serial_number.rpartition("/")
    assert start == "arn:aws:iam::123456789012:u2f/root-account"
    assert (len(number), number.isalnum()) == (26, True)
    assert (device.kind, device.name, device.user) == (
        DeviceKind.SECURITY_KEY,
        "my key",
        "root",
    )
    assert device.enabled_s == site.bench.now_s
    assert not device.locked
    assert not device.clone_suspected
    assert site.verifier.devices() == [device]
    assert site.verifier.audit() == [
        AuditEvent(site.bench.now_s, "begin-registration", "root", None, {}),
        AuditEvent(site.bench.now_s, "register", "root", device.serial_number, {}),
    ]


def test_a_users_key_has_the_users_name_in_its_serial_number(site: Site) -> None:
    site.verifier.create_user("ann")
    device = site.register(site.key(), "ann")
    assert device.serial_number.startswith("arn:aws:iam::123456789012:u2f/user/ann/")


def test_the_options(make_site: Any) -> None:
    site = make_site(webauthn=WebAuthnPolicy())
    options = site.verifier.begin_registration("root").options.public_key
    again = site.verifier.begin_registration("root").options.public_key
    assert (options.rp.id, options.rp.name) == ("tokenkit.example", "tokenkit")
    assert (options.user.name, len(options.user.id)) == ("root", 32)
    assert options.user.id == again.user.id
    assert len(options.challenge) == 32
    assert options.challenge != again.challenge
    assert options.timeout == 300_000
    assert options.attestation == "none"
    assert options.authenticator_selection.user_verification == "preferred"


def test_the_order_of_checks(site: Site) -> None:
    with pytest.raises(NoSuchEntity, match="user with name ann cannot be found"):
        site.verifier.begin_registration("ann")
    ceremony = site.verifier.begin_registration("root")
    with pytest.raises(ValidationError, match="printable"):
        site.verifier.complete_registration(ceremony.id, {}, name="\n")
    answer = site.make(site.key(), ceremony)
    for number in range(8):
        site.bench.phone(f"phone{number}")
    with pytest.raises(LimitExceeded):
        site.verifier.complete_registration(ceremony.id, answer)
    with pytest.raises(LimitExceeded):
        site.verifier.begin_registration("root")
    assert len(site.verifier.devices()) == 8


def test_keys_tokens_and_apps_count_together(site: Site) -> None:
    for number in range(4):
        site.register(site.key())
        site.bench.phone(f"phone{number}")
    ninth = site.bench.new_phone("ninth")
    with pytest.raises(LimitExceeded):
        site.bench.enable(ninth)
    with pytest.raises(LimitExceeded):
        site.verifier.begin_registration("root")
    assert len(site.verifier.devices()) == 8


def test_a_key_that_is_registered_is_excluded(site: Site) -> None:
    key = site.key()
    site.register(key)
    with pytest.raises(ClientError):
        site.register(key)
    assert len(site.verifier.devices()) == 1


def test_a_credential_is_registered_once(site: Site) -> None:
    """Also if a client takes no notice of the excluded ones."""
    key = site.key()
    ceremonies = [site.verifier.begin_registration("root") for _ in range(2)]
    made = site.make(key, ceremonies[0])
    site.verifier.complete_registration(ceremonies[0].id, made)
    site.set_challenge(made, ceremonies[1])
    with pytest.raises(EntityAlreadyExists, match="registered already"):
        site.verifier.complete_registration(ceremonies[1].id, made)


def test_a_key_may_be_of_two_users(site: Site) -> None:
    site.verifier.create_user("ann")
    key = site.key()
    site.register(key)
    site.register(key, "ann")
    assert site.sign_in(key, "ann").user == "ann"
    assert site.sign_in(key).user == "root"
