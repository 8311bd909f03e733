"""What a diagnosis holds. No method in here: any part may be written as JSON by msgspec.

Offsets are token time less server time, in seconds, + is ahead: what a verifier sees of a token.
All dates (``..._s``) are of the server's clock, which is all that a log knows, in seconds since the
Unix epoch. Intervals hold with a probability of 95 %.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

ChangeKind = Literal["step", "rate"]
Cause = Literal["battery", "set", "time zone", "jump", "temperature", "server"]
UnplacedReason = Literal[
    "malformed",  # no code
    "no time",  # no code of this token in range
    "alone",  # one in range, as wrong codes are by accident
    "off track",
    "replayed",
    "duplicate",
]
FaultKind = Literal[
    "unknown token",  # no seed of that serial number
    "accepted no code",  # accepted, though it is no code of this token in range
    "accepted twice",  # the same code
    "accepted off track",  # accepted, though the token cannot have shown it then
    "ambiguous",  # two tracks fit about as well
    "out of order",  # a code older than one that was shown before
    "lines out of order",  # times go back in the log
]


class Estimate(msgspec.Struct, frozen=True):
    """A mean with its standard deviation, and between what it lies (95 %)."""

    value: float
    deviation: float
    low: float
    high: float


class Dated(msgspec.Struct, frozen=True):
    """When something happened: most likely at ``at_s``, with 95 % between the others.

    A step leaves no trace between two observations: there it may be at any time, and ``after_s``
    and ``before_s`` are those of observations.
    """

    after_s: float
    before_s: float
    at_s: float


class Change(msgspec.Struct, frozen=True):
    """An event of one token's clock, as seen from the server.

    A step has ``by_s``, + is ahead; a change of rate has ``by_ppm``. ``log_odds`` is the natural
    logarithm of the odds that there was such a thing. ``alike`` are the tokens that show the same
    step at the same time; ``likely_server`` if all that were seen then do, but are too few to make
    it a fault of the server.
    """

    kind: ChangeKind
    when: Dated
    by_s: Estimate | None
    by_ppm: Estimate | None
    cause: Cause
    log_odds: float
    alike: list[str] = []
    likely_server: bool = False


class SameCode(msgspec.Struct, frozen=True):
    """A code that came again and again: the display stands still, or somebody sends it anew."""

    rows: int
    from_s: float
    until_s: float


class TrackPoint(msgspec.Struct, frozen=True):
    """The estimate at one time, of all observations together; on both sides of a step one each."""

    at_s: float
    offset_s: float
    offset_deviation_s: float
    rate_ppm: float
    rate_deviation_ppm: float


class Placed(msgspec.Struct, frozen=True):
    """A row whose code is that of ``counter``; the offset then was from ``low_s`` to ``high_s``.

    ``server_s`` is what the server would have logged, had it been right: see ``ServerFault``.
    """

    line: int
    server_s: float
    counter: int
    accepted: bool | None
    low_s: float
    high_s: float


class Unplaced(msgspec.Struct, frozen=True):
    """A row that tells nothing of the clock, and why.

    ``counter`` is set where the code is one of this token, only not of a time that fits.
    """

    line: int
    server_s: float
    accepted: bool | None
    reason: UnplacedReason
    counter: int | None = None


def accepted_later(unplaced: Iterable[Unplaced]) -> set[int]:
    """Counters whose codes were accepted when they came once more, as after a refusal."""
    again = (row for row in unplaced if row.reason == "replayed" and row.accepted)
    return {row.counter for row in again if row.counter is not None}


class Ahead(msgspec.Struct, frozen=True):
    """The prediction at one time, and the window: between which offsets most codes are accepted."""

    at_s: float
    offset_s: float
    offset_deviation_s: float
    low_s: float
    high_s: float


class Leaving(msgspec.Struct, frozen=True):
    """When half of the codes will be refused if there is no further sign-in; None is never.

    ``low_s`` to ``high_s`` holds with 95 %, each None if it is not within ``until_s``.
    ``outside`` says that it is so already at the last observation, ``at_s`` is since when then.
    ``from_s`` is when the last code was accepted, and the first after it that was refused came at
    ``refused_s``; two consecutive codes will mend it if it ``resynchronises``. ``path`` goes from
    there some way ahead.
    """

    at_s: float | None
    low_s: float | None
    high_s: float | None
    until_s: float
    outside: bool
    policy: str
    path: list[Ahead]
    from_s: float
    refused_s: float | None
    refused_line: int | None
    resynchronises: bool


class TokenDiagnosis(msgspec.Struct, frozen=True):
    """What the log says of one token.

    ``offset_s`` and ``rate_ppm`` are those at the last observation, at ``until_s``;
    ``mean_rate_ppm`` is over the log without steps: what the clock gained by running fast, by the
    time from ``from_s`` to ``until_s``. ``wander_ppm`` is by what the rate wanders in a year, a
    standard deviation: 0.7 is a token that rests. All are None where no code could be placed, the
    rates where it was one. ``corrected`` counts the rows from whose times a fault of the server was
    taken. ``leaves_window`` is None, too, where all codes were refused.
    """

    serial_number: str
    period_s: int
    rows: int
    from_s: float | None
    until_s: float | None
    offset_s: Estimate | None
    rate_ppm: Estimate | None
    mean_rate_ppm: Estimate | None
    changes: list[Change]
    leaves_window: Leaving | None
    track: list[TrackPoint]
    placed: list[Placed]
    unplaced: list[Unplaced]
    sentences: list[str]
    corrected: int = 0
    wander_ppm: float | None = None
    same_code: SameCode | None = None


class ServerFault(msgspec.Struct, frozen=True):
    """The server's clock was off by ``by_s`` (+ ahead) from ``begin`` to ``end``, None if for good.

    ``tokens`` are those whose rows show it.
    """

    begin: Dated
    end: Dated | None
    by_s: Estimate
    tokens: list[str]


class Fault(msgspec.Struct, frozen=True):
    """Something contradictory or ambiguous in the log."""

    kind: FaultKind
    message: str
    serial_number: str | None = None
    line: int | None = None


class Diagnosis(msgspec.Struct, frozen=True):
    """What a log says of all its tokens, in the order of their serial numbers."""

    tokens: list[TokenDiagnosis]
    server_faults: list[ServerFault]
    faults: list[Fault]
    sentences: list[str]
