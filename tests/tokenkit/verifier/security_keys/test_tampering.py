"""Any byte of an answer that is changed makes it another answer, which is refused."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from fido2 import cbor
from fido2.utils import websafe_decode, websafe_encode
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.fido.ca import root_certificate
from tokenkit.verifier import AccessDenied, WebAuthnPolicy

DIRECT = WebAuthnPolicy(
    user_verification="discouraged", attestation="direct", trusted_roots=(root_certificate(),)
)

Site = Any
places = st.floats(0, 1, exclude_max=True)
differences = st.integers(1, 255)


@pytest.fixture(scope="module")
def registration(make_site: Any) -> Callable[[], tuple[Site, str, dict[str, Any]]]:
    """A site, a ceremony and its answer: every fresh site has the same randomness."""

    def begun() -> tuple[Site, str]:
        site = make_site(webauthn=DIRECT)
        return site, site.verifier.begin_registration("root")

    site, ceremony = begun()
    made = site.make(site.key(), ceremony)

    def ready() -> tuple[Site, str, dict[str, Any]]:
        site, ceremony = begun()
        return site, ceremony.id, copy.deepcopy(made)

    return ready


@pytest.fixture(scope="module")
def assertion(registration: Any) -> Callable[[], tuple[Site, str, dict[str, Any]]]:
    def begun() -> tuple[Site, Any]:
        site, ceremony_id, made = registration()
        site.verifier.complete_registration(ceremony_id, made)
        return site, site.verifier.begin_assertion("root")

    site, ceremony = begun()
    answer = site.get(site.key(), ceremony)

    def ready() -> tuple[Site, str, dict[str, Any]]:
        site, ceremony = begun()
        return site, ceremony.id, copy.deepcopy(answer)

    return ready


@given(st.sampled_from(["clientDataJSON", "attestationObject"]), places, differences)
def test_registrations(registration: Any, part: str, place: float, difference: int) -> None:
    site, ceremony_id, made = registration()
    signed = signed_bytes(made)
    flip(made["response"], part, place, difference)
    try:
        site.verifier.complete_registration(ceremony_id, made)
    except AccessDenied:
        assert site.verifier.devices() == []
    else:  # the name of the algorithm is not signed, and one has two names
        assert signed_bytes(made) == signed


@given(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]), places, differences)
def test_assertions(assertion: Any, part: str, place: float, difference: int) -> None:
    site, ceremony_id, answer = assertion()
    before = site.verifier.devices()
    flip(answer["response"], part, place, difference)
    with pytest.raises(AccessDenied):
        site.verifier.complete_assertion(ceremony_id, answer)
    assert site.verifier.devices() == before


def test_what_is_not_tampered_with_is_accepted(registration: Any, assertion: Any) -> None:
    site, ceremony_id, made = registration()
    site.verifier.complete_registration(ceremony_id, made)
    site, ceremony_id, answer = assertion()
    site.verifier.complete_assertion(ceremony_id, answer)


@given(st.binary(max_size=300), st.sampled_from(["object", "client data", "key"]))
def test_bytes_that_are_no_answer(registration: Any, data: bytes, part: str) -> None:
    site, ceremony_id, made = registration()
    if part == "object":
        made["response"]["attestationObject"] = websafe_encode(data)
    elif part == "client data":
        made["response"]["clientDataJSON"] = websafe_encode(data)
    else:
        site.set_attestation(made, lambda it: it | {"authData": it["authData"][:55] + data})
    with pytest.raises(AccessDenied):
        site.verifier.complete_registration(ceremony_id, made)


def flip(response: dict[str, Any], part: str, place: float, difference: int) -> None:
    data = bytearray(websafe_decode(response[part]))
    data[int(place * len(data))] ^= difference
    response[part] = websafe_encode(data)


def signed_bytes(made: dict[str, Any]) -> tuple[bytes, str]:
    """What the attestation of a registration is over."""
    attestation: Any = cbor.decode(websafe_decode(made["response"]["attestationObject"]))
    return attestation["authData"], made["response"]["clientDataJSON"]
