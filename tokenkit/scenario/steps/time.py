"""Time passes, things are carried about."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from tokenkit.errors import TokenkitError
from tokenkit.scenario.durations import PositiveDuration, in_words
from tokenkit.scenario.names import CODE_DEVICES, Names
from tokenkit.scenario.places import Place
from tokenkit.scenario.steps.base import Step

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


class Wait(Step, frozen=True, kw_only=True):
    """Nothing happens."""

    for_: PositiveDuration = msgspec.field(name="for")

    def check(self, names: Names) -> None:
        names.wait("for", self.for_)

    def text(self) -> str:
        words = in_words(self.for_)
        return f"{words} {'passes' if words.startswith('1 ') else 'pass'}"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.wait(self.for_)
        return ()


class WaitUntil(Step, frozen=True, kw_only=True):
    """Nothing happens until true time ``at``."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]

    def check(self, names: Names) -> None:
        names.wait_until("at", self.at.timestamp())

    def text(self) -> str:
        at = self.at.astimezone(UTC)
        return f"time passes until {at:%Y-%m-%d %H:%M:%S}" + f".{at:%f}".rstrip("0").rstrip(".")

    def run(self, stage: "Stage") -> Iterable[str]:
        late_s = stage.now() - self.at.timestamp()
        if late_s > 0.001:  # codes are read and typed meanwhile, to the microsecond
            raise TokenkitError(f"it is {in_words(late_s)} later already: wait until a later time")
        stage.wait_until(self.at.timestamp())
        return ()


class Move(Step, frozen=True, kw_only=True):
    """Carry a token or phone to another place, from now on."""

    device: str
    to: Place

    def check(self, names: Names) -> None:
        names.use("device", self.device, *CODE_DEVICES)

    def text(self) -> str:
        article = "" if self.to[-1] == "C" else "the "  # 5 °C is no place with a name
        return f"{self.device} goes to {article}{self.to}"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.code_device(self.device).move(stage.now(), self.to)
        return ()
