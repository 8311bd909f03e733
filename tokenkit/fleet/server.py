"""The verifier's clock, compiled."""

from typing import Any

from tokenkit.fleet.compiled import shared


@shared
def server_s(pieces: Any, true_s: float) -> float:
    """Server time at ``true_s`` by ``pieces``, records of PIECE in the order of their times."""
    low, high = 0, pieces.size
    while high - low > 1:
        middle = (low + high) // 2
        if pieces[middle].true_s <= true_s:
            low = middle
        else:
            high = middle
    piece = pieces[low]
    server_s: float = piece.server_s + (true_s - piece.true_s) * piece.rate
    return server_s
