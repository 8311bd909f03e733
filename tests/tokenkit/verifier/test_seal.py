"""Seeds at rest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import SealingKeyError, VerifierError
from tokenkit.verifier.seal import Sealer

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def sealer() -> Sealer:
    return Sealer(KEY, bytes)


@given(st.binary(), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_can_be_opened(sealer: Sealer, secret: bytes, label: str) -> None:
    assert sealer.open(sealer.seal(secret, label), label) == secret


@given(st.binary(), st.data())
def test_what_was_changed_cannot(sealer: Sealer, secret: bytes, data: st.DataObject) -> None:
    sealed = bytearray(sealer.seal(secret, "label"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealingKeyError, match="does not open label"):
        sealer.open(bytes(sealed), "label")


@given(st.binary(max_size=40))
def test_nor_what_was_never_sealed(sealer: Sealer, sealed: bytes) -> None:
    with pytest.raises(SealingKeyError):
        sealer.open(sealed, "label")


def test_nor_under_another_key_or_label(sealer: Sealer) -> None:
    sealed = sealer.seal(b"secret", "label")
    with pytest.raises(SealingKeyError):
        sealer.open(sealed, "other")
    with pytest.raises(SealingKeyError):
        Sealer(KEY[::-1], bytes).open(sealed, "label")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(SealingKeyError, match=f"has 32 bytes, not {length}"):
        Sealer(bytes(length), bytes)


def test_a_seed_that_was_put_in_anothers_place_is_not_used(bench: Any) -> None:
    one, two = bench.phone("one"), bench.phone("two")
    with bench.verifier._store.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE mfa_device SET seed ="
            f" (SELECT seed FROM mfa_device WHERE serial_number = '{one.serial_number}')"
        )
    with pytest.raises(SealingKeyError, match="restore what was changed in it"):
        bench.sign_in(two, one.code())
    assert bench.device(two).failures == 0
    assert bench.verifier.audit()[-1].detail == {"error": "SealingKeyError"}
    with pytest.raises(VerifierError):
        bench.verifier.resync("root", two.serial_number, *one.pair())
    bench.sign_in(one)
