"""Any bit that is flipped, any member that is changed, makes a statement that is refused."""

from dataclasses import replace
from typing import Any

import pytest
from fido2.attestation.base import InvalidAttestation
from fido2.webauthn import AuthenticatorData
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.attestation import FORMATS, MALFORMED

from .conftest import Lab, Made

NAMES = ["packed", "packed-self", "fido-u2f", "tpm", "android-key", "apple"]
places = st.floats(0, 1, exclude_max=True)
bits = st.integers(0, 7)


@pytest.fixture(scope="module")
def made(lab: Lab) -> dict[str, Made]:
    return {name: lab.make(name) for name in NAMES}


def judge(lab: Lab, made: Made) -> None:
    """As a verifier does that trusts the test CA, and self attestation."""
    result = made.verify()
    if made.statement.get("x5c") is not None:
        lab.roots.check(result, AuthenticatorData(made.auth_data))


@given(st.sampled_from(NAMES), st.data(), places, bits)
def test_any_bit(lab: Lab, made: Any, name: str, data: Any, place: float, bit: int) -> None:
    before = made[name]
    members = [each for each, value in before.statement.items() if isinstance(value, bytes)]
    parts = [
        *members,
        "authData",
        "clientDataHash",
        *(["x5c"] if "x5c" in before.statement else []),
    ]
    part = data.draw(st.sampled_from(parts))
    if part == "clientDataHash":
        after = replace(before, client_data_hash=flip(before.client_data_hash, place, bit))
    elif part == "authData":
        after = replace(before, auth_data=flip(before.auth_data, place, bit))
        try:
            changed = AuthenticatorData(after.auth_data)
        except MALFORMED:
            return  # python-fido2 reads it, long before a statement is looked at
        # fido-u2f signs neither flags nor counter
        if name == "fido-u2f" and before.auth_data[:32] + before.auth_data[37:] == (
            changed[:32] + changed[37:]
        ):
            return
    elif part == "x5c":
        [certificate] = before.statement["x5c"]
        after = before.with_members(x5c=[flip(certificate, place, bit)])
    else:
        after = before.with_members(**{part: flip(before.statement[part], place, bit)})
    with pytest.raises(InvalidAttestation):
        judge(lab, after)


@pytest.mark.parametrize("name", NAMES)
def test_every_bit_of_authenticator_data(made: Any, name: str) -> None:
    before = made[name]
    for bit in range(8 * len(before.auth_data)):
        if name == "fido-u2f" and 32 <= bit // 8 < 37:
            continue  # flags and counter
        changed = bytearray(before.auth_data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((InvalidAttestation, *MALFORMED)):
            replace(before, auth_data=bytes(changed)).verify()


values = st.recursive(
    st.booleans() | st.integers(-70000, 70000) | st.binary() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(NAMES), st.data(), values)
def test_any_member(lab: Lab, made: Any, name: str, data: Any, value: Any) -> None:
    before = made[name]
    member = data.draw(st.sampled_from([*before.statement, "extra"]))
    after = replace(before, statement={**before.statement, member: value})
    if (name == "packed" and member == "alg" and value == -9) or (
        (before.statement.get(member), type(before.statement.get(member))) == (value, type(value))
    ):
        return  # -9 is ES256 by another name, and what is equal is no change
    with pytest.raises(InvalidAttestation):
        judge(lab, after)


@given(st.sampled_from(sorted(FORMATS)), values)
def test_what_is_no_statement(lab: Lab, name: str, value: Any) -> None:
    made = lab.make("packed")
    kind = FORMATS[name]()
    if name == "none" and value == {}:
        return
    with pytest.raises(InvalidAttestation):
        kind.verify(value, AuthenticatorData(made.auth_data), made.client_data_hash)


@given(st.binary(max_size=200), st.sampled_from(["pubArea", "certInfo"]))
def test_bytes_that_are_no_structure_of_a_tpm(lab: Lab, made: Any, data: bytes, part: str) -> None:
    with pytest.raises(InvalidAttestation):
        made["tpm"].with_members(**{part: data}).verify()


@given(st.binary(max_size=200))
def test_bytes_that_describe_no_key(lab: Lab, data: bytes) -> None:
    for options in ({"description": data}, {"tee": data}):
        with pytest.raises(InvalidAttestation):
            lab.make("android-key", **options).verify()


def flip(data: bytes, place: float, bit: int) -> bytes:
    changed = bytearray(data)
    changed[int(place * len(data))] ^= 1 << bit
    return bytes(changed)
