"""From the object model to memory: the rows of one token's clock."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tokenkit.errors import TokenkitError
from tokenkit.fleet.layout import EVENT, STAY
from tokenkit.virtual import (
    BatteryChange,
    ClockEvent,
    Constant,
    DailyCycle,
    Environment,
    Step,
    Stuck,
    TokenSpec,
    noise_key,
)


def fill_token(row: Any, spec: TokenSpec) -> None:
    """Write the clock of ``spec`` into ``row``, a record of TOKEN; the other fields stay."""
    row["born_s"], row["period_s"] = spec.made_s, spec.period_s
    for name, value in vars(spec.crystal).items():
        row[name] = value
    row["noise_key"] = noise_key(spec.entropy_key)


def stay_rows(born_s: float, places: Sequence[tuple[float, Environment]]) -> Any:
    """Rows of STAY for ``places``, each from its true time on, until the next one's.

    In order of time; the first holds from ``born_s`` on, whatever its time. TokenkitError where a
    temperature is neither constant nor a daily cycle.
    """
    rows = np.zeros(len(places), STAY)
    first = second = 0.0
    before: Environment | None = None
    from_s = born_s
    for row, (at_s, environment) in zip(rows, places, strict=True):
        at_s = max(at_s, born_s)
        if at_s < from_s:
            raise TokenkitError(f"a token that was moved at {from_s} is moved later, not at {at_s}")
        if before is not None:
            gained = before.moments(from_s, at_s)
            first, second = first + gained[0], second + gained[1]
        before, from_s = environment, at_s if before is not None else born_s
        row["from_s"], row["first"], row["second"] = from_s, first, second
        row["mean_c"], row["swing_c"], row["warmest_hour"] = _cycle(environment)
    return rows


def _cycle(environment: Environment) -> tuple[float, float, float]:
    match environment:
        case Constant(degrees_c):
            return degrees_c, 0.0, 0.0
        case DailyCycle(mean_c, swing_c, warmest_hour):
            return mean_c, swing_c, warmest_hour
    raise TokenkitError(f"a study knows constant temperatures and daily cycles, not {environment}")


def event_rows(events: Iterable[ClockEvent]) -> Any:
    """Rows of EVENT for what happens to a clock, in the order that ``TokenClock.add`` takes."""
    return np.array([_event(event) for event in events], EVENT)


def _event(event: ClockEvent) -> tuple[float, float, float]:
    match event:
        case Step(at_s, by_s):
            return at_s, by_s, np.nan
        case BatteryChange(at_s, outage_s):
            return at_s, 0.0, at_s + outage_s
        case Stuck(at_s, until_s):
            return at_s, 0.0, np.inf if until_s is None else until_s
    raise TokenkitError(f"a study knows clocks that jump and that stand, not {event}")
