"""Philox2x64-10: a counter-based generator of random numbers, a keyed bijection of 128 bits.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011. Any of its numbers is had at once, in any order, and it is multiplications and nothing
else, so that compiled code draws the same numbers at little cost.
"""

ROUNDS = 10
MULTIPLIER = 0xD2B74407B1CE6E93
KEY_STEP = 0x9E3779B97F4A7C15  # added to the key after each round
_WORD = 2**64 - 1


def round_keys(key: int) -> tuple[int, ...]:
    """The key of each round, for a ``key`` of 64 bits."""
    return tuple((key + number * KEY_STEP) & _WORD for number in range(ROUNDS))


def philox2x64(low: int, high: int, keys: tuple[int, ...]) -> tuple[int, int]:
    """The two words of 64 bits at counter (``low``, ``high``), two such words."""
    for key in keys:
        product = MULTIPLIER * low
        low, high = product >> 64 ^ key ^ high, product & _WORD
    return low, high
