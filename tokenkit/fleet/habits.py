"""When people sign in: habits as data, and the moments that follow from one.

A habit has a rhythm: about every ``every_s``, at a moment of the person's own, give or take
``spread_s``. After each sign-in there may be an absence, which leaves out some beats of the rhythm.
So the next sign-in follows from the last one and from what is drawn at its number, and from
nothing else: it is the same whatever the verifier said.

``daily`` is every day, week-ends and holidays too: it is the habit that docs/drift.md measures by,
and the one by which a study's speed is told. The spread is a 24th of the rhythm to either side, as
in scenarios. The absences are assumptions: four a year of one to four weeks; and a spare token that
is taken out of its drawer every one to seven months.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tokenkit.fleet.compiled import shared
from tokenkit.fleet.draws import (
    OCCASIONS,
    PERSON,
    between,
    second_uniform,
    two_words,
    uniform,
)
from tokenkit.scenario.durations import DAY_S, YEAR_S


class Habit(NamedTuple):
    """``absence_chance`` is that of an absence after a sign-in, of so many beats, uniform."""

    every_s: float
    spread_s: float
    absence_chance: float = 0.0
    fewest_beats: float = 0.0
    most_beats: float = 0.0


HABITS: Mapping[str, Habit] = MappingProxyType(
    {
        "daily": Habit(DAY_S, DAY_S / 24),
        "weekly": Habit(7 * DAY_S, 7 * DAY_S / 24),
        "monthly": Habit(YEAR_S / 12, YEAR_S / 12 / 24),
        "after-holidays": Habit(DAY_S, DAY_S / 24, 4 * DAY_S / YEAR_S, 7.0, 28.0),
        "drawer": Habit(DAY_S, DAY_S / 24, 1.0, 30.0, 210.0),
    }
)


@shared
def usual_s(habit: Habit, person_key: Any) -> float:
    """The person's own moment in the rhythm, in seconds since its beat."""
    return habit.every_s * uniform(two_words(person_key, PERSON, 0)[0])


@shared
def next_sign_in(
    habit: Habit, person_key: Any, own_s: float, number: int, last_s: float
) -> tuple[float, float]:
    """True time of sign-in ``number`` (from 1) after the last one, or enrolment, at ``last_s``.

    ``own_s`` is that of :func:`usual_s`. Also how slow the person types, from 0 to 1.
    """
    first, second = two_words(person_key, OCCASIONS, number)
    beat = math.floor((last_s - own_s) / habit.every_s + 0.5) + 1.0
    if uniform(second) < habit.absence_chance:
        beats = between(habit.fewest_beats, habit.most_beats + 1.0, second_uniform(second))
        beat += math.floor(beats)
    off_s = between(-habit.spread_s, habit.spread_s, uniform(first))
    return own_s + beat * habit.every_s + off_s, second_uniform(first)
