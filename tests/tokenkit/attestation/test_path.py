"""Chains of certificates: which lead to a root, and which do not."""

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.attestation.base import AttestationResult, AttestationType, UntrustedAttestation
from fido2.webauthn import AuthenticatorData

from tokenkit.attestation import TrustedRoots

from .conftest import NOW_S, START, Lab, ca, not_ca, octets

MIDDLE, LOWER = (ec.derive_private_key(scalar, ec.SECP256R1()) for scalar in (21, 22))
UNKNOWN = x509.ObjectIdentifier("1.2.3.4")


def usage(cert_sign: bool) -> tuple[x509.KeyUsage, bool]:
    names = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    rest = dict.fromkeys(names, False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=cert_sign, **rest), True


def middle(lab: Lab, *extensions: Any, **options: Any) -> bytes:
    return lab.certificate("middle", "root", MIDDLE, None, *extensions, **options)


def leaf(lab: Lab, issuer: str = "middle", key: Any = MIDDLE, **options: Any) -> bytes:
    return lab.certificate("leaf", issuer, lab.key, key, not_ca(), **options)


def check(lab: Lab, *path: bytes, roots: Any = None, now_s: float = NOW_S) -> None:
    trusted = TrustedRoots([lab.root] if roots is None else roots, lambda: now_s)
    auth_data = AuthenticatorData(lab.auth_data())
    trusted.check(AttestationResult(AttestationType.BASIC, list(path)), auth_data)


def refused(message: str, lab: Lab, *path: bytes, **options: Any) -> None:
    with pytest.raises(UntrustedAttestation, match=message):
        check(lab, *path, **options)


def test_chains_that_hold(lab: Lab) -> None:
    check(lab, leaf(lab, "root", None))
    check(lab, leaf(lab), middle(lab, *ca()))
    check(lab, leaf(lab), middle(lab, *ca(0), usage(True)))
    check(lab, leaf(lab), middle(lab, *ca()), lab.root)  # WebAuthn forbids it, and some send it


def test_a_certificate_that_is_trusted_itself(lab: Lab) -> None:
    alone = leaf(lab)
    check(lab, alone, roots=[alone])
    refused("no trusted", lab, alone)
    refused("no trusted", lab, leaf(lab, "leaf", lab.key), roots=[alone])


def test_no_chain(lab: Lab) -> None:
    refused("no certificate vouches", lab)
    refused("no trusted", lab, lab.root, roots=[])


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        [not_ca()],
        [*ca(), usage(False)],
        [*ca(), octets(UNKNOWN, b"\x05\x00", critical=True)],
    ],
    ids=["silent", "leaf", "usage", "critical"],
)
def test_an_issuer_that_may_not_issue(lab: Lab, extensions: Any) -> None:
    """Else whoever holds an attestation key could make others; python-fido2 does not look."""
    refused("no chain", lab, leaf(lab), middle(lab, *extensions))


def test_a_path_that_is_too_long(lab: Lab) -> None:
    lower = lab.certificate("lower", "middle", LOWER, MIDDLE, *ca())
    path = leaf(lab, "lower", LOWER), lower
    check(lab, *path, middle(lab, *ca(1)))
    refused("no chain", lab, *path, middle(lab, *ca(0)))
    root = lab.certificate("top", "top", MIDDLE, MIDDLE, *ca(0))
    below = lab.certificate("lower", "top", LOWER, MIDDLE, *ca())
    check(lab, leaf(lab, "top"), roots=[root])
    refused("no trusted", lab, leaf(lab, "lower", LOWER), below, roots=[root])


def test_another_order_and_others_issuers(lab: Lab) -> None:
    right = middle(lab, *ca())
    refused("no chain", lab, right, leaf(lab))
    refused("no chain", lab, leaf(lab, key=LOWER), right)
    refused("no trusted", lab, right, roots=[leaf(lab)])


@pytest.mark.parametrize("which", ["leaf", "middle"])
def test_dates(lab: Lab, which: str) -> None:
    start = datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC)
    options = {"start": start, "years": 1}
    path = (
        leaf(lab, **(options if which == "leaf" else {})),
        middle(lab, *ca(), **(options if which == "middle" else {})),
    )
    first, last = start.timestamp(), start.replace(year=2024).timestamp()
    check(lab, *path, now_s=first)
    check(lab, *path, now_s=last)
    refused("valid from 2023-01-01 to 2024-01-01 only", lab, *path, now_s=first - 1)
    refused("valid from 2023-01-01 to 2024-01-01 only", lab, *path, now_s=last + 1)


def test_a_root_that_expired_is_trusted_still(lab: Lab) -> None:
    root = lab.certificate("middle", "middle", MIDDLE, MIDDLE, *ca(), start=START, years=1)
    check(lab, leaf(lab), roots=[root])


def test_roots_that_are_none() -> None:
    for wrong in (b"", b"x", None):
        with pytest.raises(ValueError, match=r"X\.509 certificate, DER"):
            TrustedRoots([wrong])  # type: ignore[list-item]
