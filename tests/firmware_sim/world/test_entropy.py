"""The sources of randomness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.world.entropy import OsEntropy, SeededEntropy

seeds = st.one_of(st.integers(), st.text(), st.binary())
sizes = st.lists(st.integers(0, 9000), max_size=6)


@given(seeds, sizes)
def test_a_stream_does_not_depend_on_the_sizes_drawn(
    seed: int | str | bytes, sizes: list[int]
) -> None:
    whole = SeededEntropy(seed).bytes(sum(sizes))
    source = SeededEntropy(seed)
    parts = [source.bytes(size) for size in sizes]
    assert [len(part) for part in parts] == sizes
    assert b"".join(parts) == whole


@given(seeds, st.text(), sizes)
def test_a_child_depends_on_seed_and_label_only(
    seed: int | str | bytes, label: str, sizes: list[int]
) -> None:
    used = SeededEntropy(seed)
    for size in sizes:
        used.bytes(size)
    used.child("another").bytes(8)
    child = used.child(label).bytes(32)
    assert child == SeededEntropy(seed).child(label).bytes(32)
    assert child != SeededEntropy(seed).bytes(32)
    assert child != used.child(label + "x").bytes(32)
    assert child != SeededEntropy(seed).child("other").child(label).bytes(32)


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert SeededEntropy(1).bytes(8).hex() == "6e70e56032ab00ec"
    assert SeededEntropy(1).bytes(8) == SeededEntropy("1").bytes(8)


@pytest.mark.parametrize("source", [OsEntropy(), SeededEntropy(1)])
def test_bytes_differ_and_have_the_size_asked_for(source: OsEntropy | SeededEntropy) -> None:
    assert source.bytes(0) == b""
    assert len(source.bytes(33)) == 33
    assert source.bytes(32) != source.bytes(32)
    with pytest.raises(ValueError, match=r"negative|cannot draw"):
        source.bytes(-1)


def test_only_a_seed_is_reproducible() -> None:
    assert SeededEntropy(1).reproducible
    assert not OsEntropy().reproducible
