"""What peers document of their verifiers, in plain Python, one class each: slow references.

Of all: a code is used up with all that are older. Steps are of ``period_s``; a token's counter is
told where a peer would find it by its digits. Times are the verifier's.
"""

import math
from itertools import pairwise


class Verifier:
    """A window of ``reach_s`` or ``reach`` steps around an offset of so many seconds."""

    reach = 0
    ahead = 0  # more, or less
    locks_after = math.inf

    def __init__(self, period_s: int) -> None:
        self.period_s = period_s
        self.shift_s = 0.0
        self.newest = -math.inf
        self.wrong = 0

    def steps(self, time_s: float) -> int:
        return math.floor(time_s / self.period_s)

    def centre(self, now_s: float) -> int:
        return self.steps(now_s + self.shift_s)

    def window(self, now_s: float) -> list[int]:
        amid = self.centre(now_s)
        return [
            n
            for n in range(amid - self.reach, amid + self.reach + self.ahead + 1)
            if n > self.newest
        ]

    def learn(self, counter: int, now_s: float) -> None:
        """Of a code that was accepted."""

    def sign_in(self, counter: int, now_s: float) -> bool:
        if self.wrong >= self.locks_after:
            return False
        if counter in self.window(now_s):
            self.take(counter)
            self.learn(counter, now_s)
            return True
        if self.second_chance(counter, now_s):
            self.take(counter)
            return True
        self.wrong += 1
        return False

    def second_chance(self, counter: int, now_s: float) -> bool:
        return False

    def take(self, counter: int) -> None:
        self.newest = max(self.newest, counter)
        self.wrong = 0

    def resync(self, second: int, now_s: float) -> bool:
        """The codes for the counter before ``second`` and for that."""
        if self.wrong >= self.locks_after:
            return False
        if second - 1 > self.newest and self.in_range(second, now_s):
            self.take(second)
            self.relearn(second, now_s)
            return True
        self.wrong += 1
        return False

    def in_range(self, second: int, now_s: float) -> bool:
        raise NotImplementedError

    def relearn(self, second: int, now_s: float) -> None:
        raise NotImplementedError


class NoResync(Verifier):
    def resync(self, second: int, now_s: float) -> bool:
        return False


class Keycloak(NoResync):
    reach = 1


class PrivacyIdea(Verifier):
    """timeWindow is 180 s to either side; timeShift is the token's time less the server's."""

    locks_after = 10
    ahead = -1  # Python's range

    def __init__(self, period_s: int) -> None:
        super().__init__(period_s)
        self.reach = 180 // period_s
        self.otp1c: int | None = None

    def learn(self, counter: int, now_s: float) -> None:
        self.shift_s = counter * self.period_s - math.floor(now_s)

    def in_range(self, second: int, now_s: float) -> bool:
        return abs(second - self.centre(now_s)) <= 1000

    def relearn(self, second: int, now_s: float) -> None:
        self.shift_s = second * self.period_s + self.period_s / 2 - now_s


class PrivacyIdeaAutoResync(PrivacyIdea):
    """A code in the synchronisation window is remembered, and its successor accepted."""

    def second_chance(self, counter: int, now_s: float) -> bool:
        amid = self.centre(now_s)
        if not self.in_range(counter, now_s) or amid - self.reach <= counter < amid + self.reach:
            return False  # a code within the window comes here if it is used
        first, self.otp1c = self.otp1c, None
        if first is None:
            self.otp1c = counter
        elif counter == first + 1 and counter > self.newest:
            self.learn(counter, now_s)
            return True
        return False


class LinOtp(PrivacyIdea):
    """Whole steps are learned at each login."""

    def __init__(self, period_s: int) -> None:
        super().__init__(period_s)
        self.reach = 10

    def learn(self, counter: int, now_s: float) -> None:
        self.shift_s = (counter - self.steps(now_s)) * self.period_s


class FreeIpa(Verifier):
    """Steps that begin less than 300 s away; the offset is that of the step after the codes."""

    def __init__(self, period_s: int) -> None:
        super().__init__(period_s)
        self.reach = max(n for n in range(300) if n * period_s < 300)

    def in_range(self, second: int, now_s: float) -> bool:
        return abs(second - self.centre(now_s)) * self.period_s <= 86_400

    def relearn(self, second: int, now_s: float) -> None:
        self.shift_s = (second + 1 - self.steps(now_s)) * self.period_s


class GoogleAuthenticator(NoResync):
    """Three different codes, at most two steps one after the other, at the same skew about."""

    reach = 1

    def __init__(self, period_s: int) -> None:
        super().__init__(period_s)
        self.tries: list[tuple[int, int]] = []  # when, in steps, and the skew

    def second_chance(self, counter: int, now_s: float) -> bool:
        when = self.steps(now_s)
        skew = counter - when
        if abs(counter - self.centre(now_s)) <= self.reach or abs(skew) >= 25 * 60:
            return False
        if self.tries and sum(self.tries[-1]) == counter:
            return False
        self.tries = [*self.tries, (when, skew)][-3:]
        if len(self.tries) < 3:
            return False
        times = [each[0] for each in self.tries]
        skews = [each[1] for each in self.tries]
        if not all(1 <= b - a <= 2 for a, b in pairwise(times)):
            return False
        if not all(abs(each - skew) <= 1 for each in skews):
            return False
        self.shift_s = math.trunc(sum(skews) / 3) * self.period_s
        self.tries = []
        return True


class MultiOtp(Verifier):
    """Learns the offset in steps; the last step of each window is not tried."""

    locks_after = 6

    def __init__(self, period_s: int) -> None:
        super().__init__(period_s)
        self.reach = 600 // period_s - 1

    def learn(self, counter: int, now_s: float) -> None:
        self.shift_s = (counter - self.steps(now_s)) * self.period_s

    def in_range(self, second: int, now_s: float) -> bool:
        return abs(second - self.centre(now_s)) * self.period_s < 90_000

    relearn = learn


class DjangoOtp(NoResync):
    reach = 1

    def learn(self, counter: int, now_s: float) -> None:
        self.shift_s = (counter - self.steps(now_s)) * self.period_s


class SecurId(Verifier):
    """One interval by itself, three with the next code, ten so after three wrong ones."""

    reach = 1

    def __init__(self, period_s: int) -> None:
        super().__init__(period_s)
        self.awaited: int | None = None

    def learn(self, counter: int, now_s: float) -> None:
        self.shift_s = (counter - self.steps(now_s)) * self.period_s

    def window(self, now_s: float) -> list[int]:
        return super().window(now_s) if self.wrong < 3 else []

    def second_chance(self, counter: int, now_s: float) -> bool:
        distance = abs(counter - self.centre(now_s))
        if distance <= self.reach and self.wrong < 3:
            return False
        if distance > (3 if self.wrong < 3 else 10):
            return False
        awaited, self.awaited = self.awaited, None
        if awaited is None:
            self.awaited = counter + 1
        elif counter == awaited and counter > self.newest:
            self.learn(counter, now_s)
            return True
        return False

    def in_range(self, second: int, now_s: float) -> bool:
        return abs(second - self.steps(now_s)) * self.period_s <= 12 * 3600

    relearn = learn


PEERS: dict[str, type[Verifier]] = {
    "keycloak": Keycloak,
    "privacyidea": PrivacyIdea,
    "linotp": LinOtp,
    "freeipa": FreeIpa,
    "google-authenticator": GoogleAuthenticator,
    "multiotp": MultiOtp,
    "django-otp": DjangoOtp,
    "rsa-securid": SecurId,
}
