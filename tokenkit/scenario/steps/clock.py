"""What happens to the clock inside a token or a phone."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from tokenkit.errors import TokenkitError
from tokenkit.scenario.durations import Duration, PositiveDuration, clock_text, in_words
from tokenkit.scenario.names import CODE_DEVICES, Names
from tokenkit.scenario.steps.base import Step
from tokenkit.virtual import RateChange, Stuck
from tokenkit.virtual import Step as ClockStep

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


class _ClockEvent(Step, frozen=True, kw_only=True):
    device: str

    def check(self, names: Names) -> None:
        names.use("device", self.device, *CODE_DEVICES)

    def happen(self, act: Callable[[], object]) -> None:
        """TokenkitError while an earlier event lasts."""
        try:
            act()
        except ValueError:
            raise TokenkitError(
                f"the clock of {self.device} stands still because of an earlier step: wait until"
                " that is over"
            ) from None


class ChangeBattery(_ClockEvent, frozen=True, kw_only=True):
    """The clock stops for ``outage`` and restarts from where it stopped."""

    outage: PositiveDuration

    def check(self, names: Names) -> None:
        super().check(names)
        names.wait("outage", self.outage)

    def text(self) -> str:
        return f"the battery of {self.device} is changed: {in_words(self.outage)} without power"

    def run(self, stage: "Stage") -> Iterable[str]:
        token = stage.code_device(self.device).token
        self.happen(lambda: token.replace_battery(self.outage))
        stage.wait(self.outage)
        return ()


class ChangeRate(_ClockEvent, frozen=True, kw_only=True):
    """From now on the clock gains ``by_ppm`` microseconds a second more than before."""

    by_ppm: Annotated[float, msgspec.Meta(ge=-1000, le=1000)]

    def text(self) -> str:
        return f"the clock of {self.device} runs {self.by_ppm:+g} ppm faster than before"

    def run(self, stage: "Stage") -> Iterable[str]:
        clock = stage.code_device(self.device).token.token_clock
        self.happen(lambda: clock.add(RateChange(stage.now(), self.by_ppm)))
        return ()


class StepClock(_ClockEvent, frozen=True, kw_only=True):
    """The clock jumps ``by`` a duration, back if negative."""

    by: Duration

    def text(self) -> str:
        return f"the clock of {self.device} jumps by {clock_text(self.by)}"

    def run(self, stage: "Stage") -> Iterable[str]:
        clock = stage.code_device(self.device).token.token_clock
        self.happen(lambda: clock.add(ClockStep(stage.now(), float(self.by))))
        return ()


class StopClock(_ClockEvent, frozen=True, kw_only=True):
    """The clock stands still ``for`` a time, or for ever."""

    for_: PositiveDuration | None = msgspec.field(name="for", default=None)

    def text(self) -> str:
        how = "for ever" if self.for_ is None else f"for {in_words(self.for_)}"
        return f"the clock of {self.device} stands still {how}"

    def run(self, stage: "Stage") -> Iterable[str]:
        until_s = math.inf if self.for_ is None else stage.now() + self.for_
        clock = stage.code_device(self.device).token.token_clock
        self.happen(lambda: clock.add(Stuck(stage.now(), until_s)))
        return ()
