"""The ``[server]`` table of a scenario or study: what the verifier's own clock does."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from tokenkit.scenario.durations import Duration, PositiveDuration
from tokenkit.server_clock import (
    ADJTIME_PPM,
    Base,
    Event,
    FreeRunning,
    LeapSecond,
    Ntp,
    Pause,
    Restore,
    ServerClock,
    ServerClockError,
    Slew,
    Step,
)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_KINDS = ("step", "slew", "leap", "pause", "restore")
# members that belong to one or some kinds of event, or of clock
_OF_EVENTS = {
    "rate_ppm": ("slew",),
    "resumes": ("pause",),
    "mended_after": ("step", "pause", "restore"),
}
_OF_CLOCKS = {"rate_ppm": "free-running", "offset": "free-running", "poll": "ntp"}
_OF_CLOCKS["residual"] = "ntp"


def _any_of(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


class ServerEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[server.event]]`` at true time ``at``, of the kind whose member is there.

    ``restore`` says how old the snapshot is; ``resumes`` whether a paused machine's clock is right
    again at once.
    """

    at: Moment
    step: Duration | None = None
    slew: Duration | None = None
    leap: Literal["step", "smear"] | None = None
    pause: PositiveDuration | None = None
    restore: PositiveDuration | None = None
    rate_ppm: float | None = None
    resumes: Literal["right", "behind"] | None = None
    mended_after: PositiveDuration | None = None

    def event(self) -> Event:
        """ServerClockError."""
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            has = f": this has {' and '.join(kinds)}" if kinds else ""
            raise ServerClockError(f"an event has one of {', '.join(_KINDS)}{has}")
        for member, takers in _OF_EVENTS.items():
            if getattr(self, member) is not None and kinds[0] not in takers:
                raise ServerClockError(f"{member!r} goes with {_any_of(takers)}")
        at_s = self.at.timestamp()
        if self.step is not None:
            return Step(at_s, self.step, self.mended_after)
        if self.slew is not None:
            return Slew(at_s, self.slew, ADJTIME_PPM if self.rate_ppm is None else self.rate_ppm)
        if self.pause is not None:
            catches_up = self.resumes != "behind"
            if catches_up and self.mended_after is not None:
                raise ServerClockError("'mended_after' needs resumes = \"behind\"")
            return Pause(at_s, self.pause, catches_up, self.mended_after)
        if self.restore is not None:
            return Restore(at_s, at_s - self.restore, self.mended_after)
        return LeapSecond(at_s, smeared=self.leap == "smear")


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the clock is by itself, and what happens to it.

    ``rate_ppm`` and ``offset``, as of the beginning, are a free-running clock's; ``poll`` and
    ``residual`` are NTP's.
    """

    clock: Literal["perfect", "free-running", "ntp"] = "perfect"
    rate_ppm: float | None = None
    offset: Duration | None = None
    poll: PositiveDuration | None = None
    residual: PositiveDuration | None = None
    event: list[ServerEvent] = []

    def made(self, start_s: float, key: bytes) -> ServerClock:
        """The clock of a simulation that begins at ``start_s``; all randomness is of ``key``.

        ServerClockError, whose ``event`` is an index of ``self.event`` or None.
        """
        for member, taker in _OF_CLOCKS.items():
            if getattr(self, member) is not None and self.clock != taker:
                raise ServerClockError(f'{member!r} goes with clock = "{taker}"')
        events = []
        for index, each in enumerate(self.event):
            try:
                events.append(each.event())
            except ServerClockError as error:
                raise ServerClockError(str(error), index) from None
        return ServerClock(self._base(start_s, key), tuple(events))

    def _base(self, start_s: float, key: bytes) -> Base:
        if self.clock == "ntp":
            said = {"poll_s": self.poll, "residual_s": self.residual}
            return Ntp(key, **{name: each for name, each in said.items() if each is not None})
        return FreeRunning(self.rate_ppm or 0.0, self.offset or 0.0, start_s)
