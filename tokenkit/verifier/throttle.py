"""Slowing down guesses: RFC 4226 section 7.3. The wait grows with each failure, then a lock."""

import math
from dataclasses import dataclass

from tokenkit.verifier.policy import TotpPolicy


@dataclass(frozen=True)
class Failures:
    """Wrong codes in a row, and the verifier's time of the last."""

    count: int = 0
    last_s: float = 0.0

    def one_more(self, now_s: float) -> "Failures":
        return Failures(self.count + 1, now_s)

    def is_locked(self, policy: TotpPolicy) -> bool:
        return self.count >= policy.lock_after

    def wait_s(self, policy: TotpPolicy, now_s: float) -> float:
        """Seconds until the next attempt is looked at: 0 for now, infinity if locked.

        If the verifier's clock was ahead at the last failure and was set back since, nobody has
        to wait until it has caught up.
        """
        if self.is_locked(policy):
            return math.inf
        if now_s < self.last_s:
            return 0.0
        return max(0.0, self.last_s + self.count * policy.delay_s - now_s)
