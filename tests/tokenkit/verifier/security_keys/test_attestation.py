"""Attestation: whose keys are taken."""

from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.fido.ca import root_certificate
from tokenkit.verifier import (
    UntrustedAttestation,
    WebAuthnPolicy,
)

DIRECT = WebAuthnPolicy(
    user_verification="discouraged", attestation="direct", trusted_roots=(root_certificate(),)
)

Site = Any


def test_direct_with_the_trusted_root(make_site: Any) -> None:
    site = make_site(webauthn=DIRECT)
    assert site.verifier.begin_registration("root").options.public_key.attestation == "direct"
    key = site.key()
    site.register(key)
    site.sign_in(key)


def test_of_several_roots_of_one_name_that_which_signed(make_site: Any) -> None:
    roots = (other_root(same_name=True), other_root(), root_certificate())
    for order in (roots, roots[::-1]):
        site = make_site(webauthn=replace(DIRECT, trusted_roots=order))
        site.register(site.key())


@pytest.mark.parametrize("same_name", [False, True])
def test_direct_with_another_root(make_site: Any, same_name: bool) -> None:
    policy = replace(DIRECT, trusted_roots=(other_root(same_name),))
    site = make_site(webauthn=policy)
    with pytest.raises(UntrustedAttestation, match="no trusted certificate issued"):
        site.register(site.key())
    assert site.verifier.devices() == []


def test_self_attestation(make_site: Any) -> None:
    site = make_site(webauthn=DIRECT)
    with pytest.raises(UntrustedAttestation, match="no certificate vouches for it"):
        site.register(site.key("self-attested"))
    site = make_site()
    site.register(site.key("self-attested"))


def test_no_attestation(make_site: Any) -> None:
    site = make_site(webauthn=DIRECT)
    ceremony = site.verifier.begin_registration("root")
    made = site.make(site.key(), ceremony)
    site.set_attestation(made, lambda attestation: attestation | {"fmt": "none", "attStmt": {}})
    with pytest.raises(UntrustedAttestation, match="format none is not among"):
        site.verifier.complete_registration(ceremony.id, made)


def other_root(same_name: bool = False) -> bytes:
    """A root of somebody else's, perhaps under the same name."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.derive_private_key(12345, ec.SECP256R1())
    real = x509.load_der_x509_certificate(root_certificate())
    name = real.subject if same_name else x509.Name([])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(2050))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)
