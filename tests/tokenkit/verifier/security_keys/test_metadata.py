"""Metadata in the verifier's policy: who is believed, and as what a key is certified."""

from typing import Any

import pytest

from tokenkit.verifier import NoSuchEntity, UntrustedAttestation, ValidationError, WebAuthnPolicy
from tokenkit.virtual import load_profile, metadata_blob, profile_names, root_certificate

Site = Any
REFERENCE = load_profile("reference")
MODEL = "746f6b65-6e6b-4974-8000-726566657265"
PROFILES = {name: load_profile(name) for name in profile_names()}


def policy(status: str = "FIDO_CERTIFIED_L1", **rules: Any) -> WebAuthnPolicy:
    defaults = {
        "attestation": "direct",
        "metadata": metadata_blob([REFERENCE], {"reference": status}),
        "metadata_root": root_certificate(),
        "user_verification": "discouraged",
    }
    return WebAuthnPolicy(**{**defaults, **rules})


def test_it_vouches_without_roots(make_site: Any) -> None:
    site = make_site(webauthn=policy())
    key = site.key()
    device = site.register(key)
    assert (device.aaguid, device.attestation_format) == (MODEL, "packed")
    assert site.verifier.certifications("root", device.serial_number) == {"FIDO": "L1"}
    assert site.sign_in(key).device.aaguid == MODEL


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_model_that_is_simulated(make_site: Any, name: str) -> None:
    """Those that attest; one that vouches for itself is known, but not proven."""
    blob = metadata_blob(PROFILES.values(), {name: "FIDO_CERTIFIED_L2"})
    site = make_site(webauthn=policy(metadata=blob))
    key = site.key(name, pin="clientPin" in PROFILES[name].options)
    if PROFILES[name].attestation == "basic":
        serial_number = site.register(key).serial_number
        assert site.verifier.certifications("root", serial_number) == {"FIDO": "L2"}
    else:
        with pytest.raises(UntrustedAttestation):
            site.register(key)


def test_a_root_does_not_help_a_model_that_fell(make_site: Any) -> None:
    site = make_site(webauthn=policy("REVOKED", trusted_roots=(root_certificate(),)))
    with pytest.raises(UntrustedAttestation, match="says of this model: REVOKED"):
        site.register(site.key())


@pytest.mark.parametrize(
    ("status", "taken"),
    [
        ("FIDO_CERTIFIED_L3", True),
        ("FIDO_CERTIFIED_L2", True),
        ("FIDO_CERTIFIED_L1plus", False),
        ("NOT_FIDO_CERTIFIED", False),
    ],
)
def test_the_least_certification(make_site: Any, status: str, taken: bool) -> None:
    site = make_site(webauthn=policy(status, certification="L2"))
    if taken:
        site.register(site.key())
    else:
        with pytest.raises(UntrustedAttestation, match=r"is certified as \w+, not L2"):
            site.register(site.key())
        assert site.verifier.devices() == []


def test_a_claim_is_no_certification(make_site: Any) -> None:
    site = make_site(webauthn=policy(attestation="none"))
    device = site.register(site.key())
    assert (device.aaguid, device.attestation_format) == (MODEL, "none")
    assert site.verifier.certifications("root", device.serial_number) == {}


def test_certifications_of_no_device(make_site: Any) -> None:
    site = make_site(webauthn=policy())
    serial_number = site.register(site.key()).serial_number
    site.verifier.create_user("ann")
    app = site.verifier.create_authenticator_app("app")
    for user, wrong in (
        ("ann", serial_number),
        ("nobody", serial_number),
        ("root", app.serial_number),
    ):
        with pytest.raises(NoSuchEntity):
            site.verifier.certifications(user, wrong)
    for user, wrong in (("no/name", serial_number), ("root", "no serial")):
        with pytest.raises(ValidationError):
            site.verifier.certifications(user, wrong)
