"""What is drawn for one person, compiled: numbers at a counter under the person's key.

Each use has a stream of its own, the upper word of Philox's counter; so no draw depends on which
others were made.
"""

from typing import Any

import numpy as np

from tokenkit.fleet.compiled import shared
from tokenkit.fleet.gaussians import philox2x64

PERSON, LIVES, STAYS, OCCASIONS, ENTRIES = range(5)  # streams

_HALF_BITS = np.uint64(32)
_HALF = np.uint64(2**32 - 1)


@shared
def two_words(key: Any, stream: int, number: int) -> Any:
    """128 bits, as two unsigned numbers."""
    return philox2x64(np.uint64(number), np.uint64(stream), key)


@shared
def uniform(word: Any) -> float:
    """Between 0 and 1, and never either: from the upper 32 bits of ``word``."""
    return (np.float64(word >> _HALF_BITS) + 0.5) * 2.0**-32


@shared
def second_uniform(word: Any) -> float:
    """The same from the lower 32 bits."""
    return (np.float64(word & _HALF) + 0.5) * 2.0**-32


@shared
def between(low: float, high: float, part: float) -> float:
    return low + (high - low) * part
