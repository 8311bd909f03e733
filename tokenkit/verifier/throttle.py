"""Slowing down guesses: RFC 4226 section 7.3. The wait grows with each failure, then a lock."""

import math
from typing import Protocol


class Throttle(Protocol):
    """What a policy says of wrong codes; see TotpPolicy."""

    @property
    def delay_s(self) -> float: ...

    @property
    def lock_after(self) -> int: ...


def is_locked(policy: Throttle, failures: int) -> bool:
    """Whether so many wrong codes in a row lock a device."""
    return failures >= policy.lock_after


def wait_s(policy: Throttle, failures: int, failed_s: float, now_s: float) -> float:
    """Seconds until the next attempt is looked at: 0 for now, infinity if locked.

    ``failures`` counts the wrong codes in a row, the last of which came at ``failed_s``. If the
    verifier's clock was ahead then and was set back since, nobody has to wait until it has
    caught up.
    """
    if is_locked(policy, failures):
        return math.inf
    if now_s < failed_s:
        return 0.0
    return max(0.0, failed_s + failures * policy.delay_s - now_s)
