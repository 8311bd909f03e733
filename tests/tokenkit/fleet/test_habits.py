"""When people sign in: what the habits' words say, for a hundred people each."""

from typing import Any

import numpy as np
import pytest

from tokenkit.fleet.compiled import compiled
from tokenkit.fleet.habits import HABITS, next_sign_in, usual_s
from tokenkit.scenario.durations import DAY_S, YEAR_S

START_S = 1_767_225_600.0
PEOPLE = 100


def _walk(habit: Any, keys: Any, start_s: float, times: Any) -> None:
    for person in range(keys.size):
        own_s, last_s = usual_s(habit, keys[person]), start_s
        for number in range(times.shape[1]):
            last_s, _ = next_sign_in(habit, keys[person], own_s, number + 1, last_s)
            times[person, number] = last_s


walk: Any = compiled(_walk)


def times_of(name: str, count: int) -> Any:
    """(people, sign-ins) true times."""
    times = np.zeros((PEOPLE, count))
    walk(HABITS[name], np.arange(PEOPLE, dtype=np.uint64) + 7, START_S, times)
    return times


@pytest.mark.parametrize(
    ("name", "every_s"), [("daily", DAY_S), ("weekly", 7 * DAY_S), ("monthly", YEAR_S / 12)]
)
def test_people_come_in_a_rhythm_of_their_own(name: str, every_s: float) -> None:
    times = times_of(name, 400)
    assert (times[:, 0] > START_S).all()
    assert (times[:, 0] < START_S + 1.6 * every_s).all()
    gaps = np.diff(times, axis=1)
    assert gaps.min() > every_s * 11 / 12
    assert gaps.max() < every_s * 13 / 12
    assert gaps.mean() == pytest.approx(every_s, rel=1e-3)
    moments = np.median(times % every_s, axis=1)
    assert np.histogram(moments, 4, (0, every_s))[0].min() > PEOPLE / 8


def test_some_are_away_for_weeks() -> None:
    """Four times a year, one to four weeks; on all other days they come."""
    times = times_of("after-holidays", 1000)
    days = np.rint(np.diff(times, axis=1) / DAY_S).astype(int)
    assert set(np.unique(days).tolist()) == {1, *range(8, 30)}
    a_year = (days > 1).sum() / ((times[:, -1] - times[:, 0]).sum() / YEAR_S)
    # four a year of the days on which they come
    assert a_year == pytest.approx(4 / (1 + 4 * 17.5 * DAY_S / YEAR_S), rel=0.1)


def test_a_spare_token_is_taken_out_a_few_times_a_year() -> None:
    days = np.diff(times_of("drawer", 100), axis=1) / DAY_S
    assert (days.min(), days.max()) == (pytest.approx(31, abs=0.2), pytest.approx(211, abs=0.2))
    assert days.mean() == pytest.approx(121, abs=3)
