"""The generator against known answers of its authors' library."""

import pytest

from firmware_sim.world.philox import philox2x64, round_keys

ONES = 2**64 - 1


# philox2x64 with 10 rounds in kat_vectors of Random123: zeros, ones, digits of pi
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0), 0, (0xCA00A0459843D731, 0x66C24222C9A845B5)),
        ((ONES, ONES), ONES, (0x65B021D60CD8310F, 0x4D02F3222F86DF20)),
        (
            (0x243F6A8885A308D3, 0x13198A2E03707344),
            0xA4093822299F31D0,
            (0x0A5E742C2997341C, 0xB0F883D38000DE5D),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_known_answers(counter: tuple[int, int], key: int, answer: tuple[int, int]) -> None:
    assert philox2x64(*counter, round_keys(key)) == answer
