"""A fit finds the crystal that was planted, and says how far off it may be."""

import random
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.crystals.fit import NAMES, PRIOR, Fit, FitError, fit_crystal
from tokenkit.crystals.measurements import Kind, Measurements
from tokenkit.crystals.words import grade_file, remarks
from tokenkit.virtual import (
    GRADES,
    Constant,
    Crystal,
    Oscillator,
    Schedule,
    SeededEntropy,
    read_grade,
)

DAY_S = 86_400.0
MADE_S = 1_700_000_000.0
WIDE_C = (0.0, 10.0, 25.0, 40.0, 50.0)


def measure(
    seed: int,
    kind: Kind,
    temperatures_c: tuple[float, ...] = WIDE_C,
    *,
    count: int = 30,
    stay_s: float = DAY_S,
    error: float = 0.05,
    crystal: Crystal | None = None,
) -> tuple[Crystal, Measurements]:
    """A crystal carried from one temperature to the next, measured with a normal ``error``."""
    rng = random.Random(seed)
    crystal = crystal or GRADES["20ppm"].draw(SeededEntropy(seed))
    stays = [temperatures_c[number % len(temperatures_c)] for number in range(count)]
    places = Schedule(Constant(stays[0]))
    for number, warm_c in enumerate(stays[1:], 1):
        places.move(MADE_S + number * stay_s, Constant(warm_c))
    clock = Oscillator(crystal, places, b"crystal %d" % seed, MADE_S)
    rows = []
    for number, warm_c in enumerate(stays):
        begin_s = MADE_S + number * stay_s
        end_s = begin_s + stay_s
        if kind == "rate":
            gained_s = clock.error_s(end_s) - clock.error_s(begin_s)
            rate_ppm = 1e6 * gained_s / stay_s + rng.gauss(0, error)
            rows.append(((begin_s + end_s) / 2, warm_c, rate_ppm))
        else:
            rows += [
                (s, warm_c, clock.error_s(s) + rng.gauss(0, error)) for s in (begin_s, end_s - 1)
            ]
    times_s, warm, values = (list(each) for each in zip(*rows, strict=True))
    return crystal, Measurements(kind, times_s, warm, values, [])


def far_off(crystal: Crystal, fit: Fit, times: float = 1) -> list[str]:
    """The parameters that are not within what the fit says, or so many times that."""
    return [
        name
        for name, each in fit.estimates.items()
        if abs(each.value - getattr(crystal, name)) > times * each.within
    ]


@given(
    st.integers(0, 10_000),
    st.sampled_from(["rate", "offset"]),
    st.sampled_from([WIDE_C, (25.0,), (5.0,), (22.0, 23.0), (-10.0, 0.0), (30.0, 55.0)]),
    st.sampled_from([DAY_S, 10 * DAY_S]),
    st.sampled_from([0.001, 0.1]),
)
@settings(max_examples=30)
def test_planted_crystals_are_near(
    seed: int, kind: Kind, temperatures_c: tuple[float, ...], stay_s: float, error: float
) -> None:
    """Twice what holds in 95 % of cases holds in all of these."""
    crystal, measured = measure(seed, kind, temperatures_c, stay_s=stay_s, error=error)
    fit = fit_crystal(measured, MADE_S)
    assert far_off(crystal, fit, 2) == []


@pytest.mark.parametrize("kind", ["rate", "offset"])
def test_in_95_of_100_cases_they_are_within_what_is_said(kind: Kind) -> None:
    misses = 0
    for seed in range(40):
        crystal, measured = measure(seed, kind, count=20)
        misses += len(far_off(crystal, fit_crystal(measured, MADE_S)))
    assert misses <= 0.1 * 40 * len(NAMES)


def test_it_is_told_well_where_the_data_are_wide() -> None:
    _, measured = measure(1, "rate")
    fit = fit_crystal(measured, MADE_S)
    assert fit.estimates["parabola_ppm_per_c2"].within < 0.0005
    assert fit.estimates["turnover_c"].within < 0.1
    assert fit.measuring_error == pytest.approx(0.05, rel=0.5)
    assert len(fit.residuals) == 30
    assert max(map(abs, fit.residuals)) < 0.3


@pytest.mark.parametrize("kind", ["rate", "offset"])
def test_a_crystal_that_no_data_sheet_has(kind: Kind) -> None:
    odd = Crystal(tolerance_ppm=-80.0, parabola_ppm_per_c2=-0.08, turnover_c=45.0)
    _, measured = measure(2, kind, crystal=odd, error=0.01)
    fit = fit_crystal(measured, MADE_S)
    assert far_off(odd, fit, 2) == []
    said = " ".join(remarks(fit, True))
    assert "No data sheet of a tuning-fork crystal has such a parabola" in said
    assert "such a turnover" in said


def said_of(
    kind: Kind, temperatures_c: tuple[float, ...] = WIDE_C, made: bool = True, count: int = 30
) -> str:
    _, measured = measure(3, kind, temperatures_c, count=count)
    return "\n".join(remarks(fit_crystal(measured, MADE_S if made else None), made))


def test_what_the_data_cannot_tell_is_said() -> None:
    assert said_of("rate") == ""
    assert "at 25.0 to 25.0 °C, tell little of parabola and turnover" in said_of("rate", (25.0,))
    assert "tell little of parabola:" in said_of("rate", (25.0, 25.5))
    assert "In 4 days they tell little of ageing" in said_of("rate", count=5)
    assert "--made says when" in said_of("rate", made=False)
    assert "in a straight line" in said_of("offset")


def test_at_one_temperature_the_rate_there_is_told() -> None:
    """Not the tolerance, for that is at the turnover."""
    crystal, measured = measure(4, "rate", (5.0,))
    fit = fit_crystal(measured, MADE_S)
    assert fit.estimates["tolerance_ppm"].within > 3
    for each in (crystal, fit.crystal):
        at_5 = each.tolerance_ppm + each.parabola_ppm_per_c2 * (5.0 - each.turnover_c) ** 2
        assert at_5 == pytest.approx(sum(measured.values) / 30, abs=1.0)


def test_very_many_measurements() -> None:
    """Neighbours are averaged, which leaves the result as it is."""
    _, measured = measure(5, "rate", count=300, stay_s=3600.0)
    many = Measurements(
        "rate",
        [at_s + n for at_s in measured.times_s for n in range(10)],
        [warm_c for warm_c in measured.temperatures_c for _ in range(10)],
        [value for value in measured.values for _ in range(10)],
        [],
    )
    few, all = fit_crystal(measured, MADE_S), fit_crystal(many, MADE_S)
    for name in NAMES:
        assert all.estimates[name].value == pytest.approx(
            few.estimates[name].value, abs=few.estimates[name].within
        )
    assert len(all.residuals) == 3000


@pytest.mark.parametrize(
    ("change", "made_s", "message"),
    [
        (lambda m: replace(m, times_s=m.times_s[:2], values=m.values[:2]), None, "three are the"),
        (lambda m: m, MADE_S + DAY_S, "from before the crystal was made"),
        (lambda m: replace(m, kind="offset", times_s=[MADE_S] * 30), None, "three different times"),
    ],
)
def test_what_cannot_be_fitted(
    change: Callable[[Measurements], Measurements], made_s: float | None, message: str
) -> None:
    _, measured = measure(6, "rate")
    with pytest.raises(FitError, match=message):
        fit_crystal(change(measured), made_s)


def test_the_grade_file_is_read_back(tmp_path: Path) -> None:
    _, measured = measure(7, "rate")
    fit = fit_crystal(measured, MADE_S)
    text = grade_file(fit, 'a "name" ü', "calibrate")
    (tmp_path / "mine.toml").write_text(text)
    grade = read_grade(tmp_path / "mine.toml")
    assert grade.draw(SeededEntropy(1)) == fit.crystal
    assert grade.summary == "measured 2023-11-15 to 2023-12-14, 30 times"
    assert list(tomllib.loads(text)) == ['a "name" ü']


def test_few_measurements_make_nothing_less_certain_than_data_sheets() -> None:
    """Five at one temperature in five months: ±0.0086 ppm/°C² is known before."""
    times_s = [MADE_S + number * 30 * 86_400.0 for number in range(5)]
    fit = fit_crystal(Measurements("rate", times_s, [25.0] * 5, [1.0] * 5, []))
    for name in ("parabola_ppm_per_c2", "turnover_c", "ageing_ppm_first_year"):
        estimate = fit.estimates[name]
        assert estimate.within <= 1.96 * PRIOR[name][1]
        assert not estimate.told
