"""What happens to the verifier's own clock, and to the machine on which it runs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from tokenkit.scenario.durations import Duration, PositiveDuration, clock_text, in_words
from tokenkit.scenario.names import Names, WrongNameError
from tokenkit.scenario.steps.base import Step
from tokenkit.server_clock import ADJTIME_PPM, Pause, Restore, Slew
from tokenkit.server_clock import Step as ClockStep

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


class StepServer(Step, frozen=True, kw_only=True):
    """The server's clock is set wrong ``by`` a duration; set back ``mended_after`` it, or never."""

    by: Duration
    mended_after: PositiveDuration | None = None

    def text(self) -> str:
        return f"the server's clock jumps by {clock_text(self.by)}{_mended(self.mended_after)}"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.happen(ClockStep(stage.now(), self.by, self.mended_after))
        return ()


class SlewServer(Step, frozen=True, kw_only=True):
    """The server's clock runs ``rate_ppm`` fast or slow until it has moved ``by`` a duration."""

    by: Duration
    rate_ppm: float = ADJTIME_PPM

    def text(self) -> str:
        how = f"at {self.rate_ppm:g} ppm"
        return f"the server's clock is slewed by {clock_text(self.by)} {how}"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.happen(Slew(stage.now(), self.by, self.rate_ppm))
        return ()


class PauseServer(Step, frozen=True, kw_only=True):
    """The server's machine stands still ``for`` a time, and its clock with it.

    Afterwards the clock is ``right`` at once, or ``behind`` and ``mended_after`` a while.
    """

    for_: PositiveDuration = msgspec.field(name="for")
    resumes: Literal["right", "behind"] = "right"
    mended_after: PositiveDuration | None = None

    def check(self, names: Names) -> None:
        names.wait("for", self.for_)
        if self.mended_after is not None and self.resumes != "behind":
            raise WrongNameError("mended_after", "'mended_after' needs resumes = \"behind\"")

    def text(self) -> str:
        behind = "" if self.resumes == "right" else ", and its clock stays behind"
        words = in_words(self.for_)
        return f"the server is paused for {words}{behind}{_mended(self.mended_after)}"

    def run(self, stage: "Stage") -> Iterable[str]:
        right = self.resumes == "right"
        stage.happen(Pause(stage.now(), self.for_, right, self.mended_after))
        stage.wait(self.for_)
        return ()


class SnapshotServer(Step, frozen=True, kw_only=True):
    """A snapshot of the server is taken: its database, and what its clock shows."""

    def check(self, names: Names) -> None:
        names.snapshot()

    def text(self) -> str:
        return "a snapshot of the server is taken"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.take_snapshot()
        return ()


class RestoreServer(Step, frozen=True, kw_only=True):
    """The server is put back to its last snapshot, database and clock.

    It has forgotten what came since, and its clock is behind until it is ``mended_after`` a while.
    """

    mended_after: PositiveDuration | None = None

    def check(self, names: Names) -> None:
        names.need_snapshot("do")

    def text(self) -> str:
        return f"the server is put back to its snapshot{_mended(self.mended_after)}"

    def run(self, stage: "Stage") -> Iterable[str]:
        taken_s = stage.restore_snapshot()
        stage.happen(Restore(stage.now(), taken_s, self.mended_after))
        stage.note(f"its clock shows {clock_text(taken_s - stage.now())}")
        return ()


def _mended(after: PositiveDuration | None) -> str:
    return "" if after is None else f", and is mended after {in_words(after)}"
