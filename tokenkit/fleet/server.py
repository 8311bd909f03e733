"""The verifier's clock, compiled."""

from typing import Any

from tokenkit.fleet.compiled import shared


@shared
def server_s(pieces: Any, at: Any, true_s: float) -> float:
    """Server time at ``true_s`` by ``pieces``, records of PIECE in the order of their times.

    The first of ``at`` is the number of the piece that was last asked for: mostly the next
    question is about one not far behind it.
    """
    low, high, step = at[0], pieces.size, 1
    if pieces[low].true_s > true_s:
        low, high = 0, low
    else:
        while low + step < high:
            if pieces[low + step].true_s > true_s:
                high = low + step
            else:
                low += step
                step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if pieces[middle].true_s <= true_s:
            low = middle
        else:
            high = middle
    at[0] = low
    piece = pieces[low]
    time_s: float = piece.server_s + (true_s - piece.true_s) * piece.rate
    return time_s
