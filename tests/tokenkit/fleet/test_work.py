"""Partitions of a study: against the object model and the verifier, and against each other."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.fleet.compiled import compiled
from tokenkit.fleet.partition import Partition, partitions
from tokenkit.fleet.physics import CLOCK, begin, token_counter
from tokenkit.fleet.study import Study, parse
from tokenkit.fleet.tables import result
from tokenkit.fleet.tally import MEASURES, Tally
from tokenkit.fleet.tokens import make_tokens, serial_number
from tokenkit.fleet.work import work
from tokenkit.scenario.durations import YEAR_S
from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.totp import CodeGenerator
from tokenkit.virtual import SeededEntropy, World

from .walking import Walk

STUDY = """\
title = "t"
seed = 5
start = 2026-01-01T00:00:00Z
years = {years}
[person]
attempts = {attempts}
[[batch]]
name = "TOK"
tokens = 40
period = {period}
grade = "{grade}"
places = ["desk", "warehouse", "car"]
stay = ["20 days", "60 days"]
habit = "{habit}"
{battery}
[[policy]]
name = "offset"
learn = "offset"
[[policy]]
name = "rate"
learn = "rate"
[[policy]]
name = "narrow"
learn = "rate"
max_window_steps = 1
resync_range = "60 s"
enrol_range = "90 s"
{server}
"""
VERIFIERS = [
    TotpPolicy(),
    TotpPolicy(drift="rate"),
    TotpPolicy(drift="rate", max_window_steps=1, resync_range_s=60.0, enrol_range_s=90.0),
]
FAULTS = """\
[server]
clock = "free-running"
rate_ppm = 1.5
[[server.event]]
at = 2026-06-01T12:00:00Z
step = "-7 min"
mended_after = "10 days"
"""


def study(
    habit: str = "weekly",
    *,
    years: float = 2,
    period: int = 30,
    grade: str = "token",
    attempts: int = 3,
    battery: str = "",
    server: str = "",
) -> Study:
    text = STUDY.format(
        habit=habit,
        years=years,
        period=period,
        grade=grade,
        attempts=attempts,
        battery=battery,
        server=server,
    )
    return parse(text, "study.toml").study


CASES = {
    "weekly": study(),
    "monthly, faults of the server": study("monthly", server=FAULTS),
    "drawer, crystals as bought": study("drawer", grade="50ppm", years=4, attempts=4),
    "daily, batteries changed": study(
        "daily", years=0.5, battery='battery = { life = "9 months", outage = "3 h" }'
    ),
    "after holidays, 60 s, one attempt": study("after-holidays", years=0.5, period=60, attempts=1),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("policy", range(len(VERIFIERS)), ids=["offset", "rate", "narrow"])
def test_a_token_meets_what_the_object_model_meets(case: str, policy: int) -> None:
    """Two tokens' sign-ins, refusals, lock-outs and resynchronisations, month by month."""
    for number in (policy + 1, policy + 11):
        counted = work(CASES[case], Partition(0, number, 1))
        walked = Walk(CASES[case], number, VERIFIERS[policy]).walk()
        counts = counted.counts[policy][0]
        for name in ("sign_ins", *MEASURES):
            assert (name, counts[name]) == (name, getattr(walked, name))
        assert counted.tally.months[policy].tolist() == walked.months


def test_the_cases_have_in_them_what_is_to_be_tested() -> None:
    """Else the test above would say nothing of it."""
    totals = np.zeros(len(MEASURES), int)
    for case in CASES.values():
        for policy in range(3):
            for number in (policy + 1, policy + 11):
                counts = work(case, Partition(0, number, 1)).counts[policy][0]
                totals += [int(counts[name]) for name in MEASURES]
    assert (totals >= [50, 20, 10, 2]).all(), totals


def counters(tokens: Any, stays: Any, events: Any, clock: Any, times: Any, found: Any) -> None:
    begin(tokens[0], clock[0])
    for number in range(times.size):
        found[number] = token_counter(tokens[0], stays, events, times[number], clock[0])


def test_the_digits_are_those_of_the_counters() -> None:
    case = CASES["daily, batteries changed"]
    walk = Walk(case, 3, VERIFIERS[0])
    shown = walk.walk().shown
    made = make_tokens(case, Partition(0, 3, 1))
    found = np.zeros(len(shown), np.int64)
    times = np.array([read_s for read_s, _ in shown])
    compiled(counters)(made.tokens, made.stays, made.events, np.zeros(1, CLOCK), times, found)
    generator = CodeGenerator(walk.token.spec.seed)
    assert [code for _, code in shown] == [
        code.decode() for code in generator.codes(found.tolist())
    ]


def test_a_token_is_the_factorys_of_its_serial_number() -> None:
    case = CASES["weekly"]
    world = World(seed=case.seed, start_s=case.start_s)
    made = make_tokens(case, Partition(0, 1, 40))
    for row, spec in zip(made.tokens, world.make_batch("TOK", 40).tokens, strict=True):
        assert row["tolerance_ppm"] == spec.crystal.tolerance_ppm
        assert row["turnover_c"] == spec.crystal.turnover_c
    assert (
        serial_number(case.batch[0], 7) == world.make_batch("TOK", first=7).tokens[0].serial_number
    )


def test_tokens_are_in_stock_carried_and_worn_as_the_study_says() -> None:
    case = study(years=8, battery='battery = { life = "2 years", outage = "1 h" }')
    made = make_tokens(case, Partition(0, 1, 2000))
    tokens = made.tokens
    stock = (tokens["enrolled_s"] - tokens["born_s"]) / YEAR_S * 12
    assert (stock.min(), stock.max()) == (pytest.approx(0, abs=0.1), pytest.approx(24, abs=0.1))
    assert stock.mean() == pytest.approx(12, abs=0.7)
    assert (
        (tokens["enrolled_s"] - case.start_s) % 86_400 == tokens["enrolled_s"] - case.start_s
    ).all()
    firsts = tokens["first_stay"]
    assert (made.stays["from_s"][firsts] == tokens["born_s"]).all()
    assert (made.lies[firsts] == 0).all()
    lengths = np.diff(made.stays["from_s"])
    moves = np.delete(np.arange(made.stays.size), firsts)
    assert (made.lies[moves] != made.lies[moves - 1]).all()
    later = np.setdiff1d(moves, firsts + 1)
    days = lengths[later - 1] / 86_400
    assert (days.min(), days.max()) == (pytest.approx(20, abs=0.1), pytest.approx(60, abs=0.1))
    ages = made.events["at_s"][tokens["first_event"]] - tokens["born_s"]
    assert ages.mean() / YEAR_S == pytest.approx(2.0, abs=0.02)
    assert (ages.min() / YEAR_S, ages.max() / YEAR_S) == (
        pytest.approx(1.8, abs=0.01),
        pytest.approx(2.2, abs=0.01),
    )
    assert made.events["until_s"] == pytest.approx(made.events["at_s"] + 3600)


PARTS = study("monthly", years=1, server=FAULTS)


def counted(sizes: list[int]) -> Tally:
    first, tallies = 1, []
    for size in sizes:
        tallies.append(work(PARTS, Partition(0, first, size)).tally)
        first += size
    total = tallies[-1]
    for tally in tallies[:-1]:
        total = total + tally
    return total


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
@settings(max_examples=20)
def test_partitions_of_any_size_give_the_same_sums(sizes: list[int]) -> None:
    whole = work(PARTS, Partition(0, 1, sum(sizes))).tally
    parts = counted(sizes)
    for name, array in vars(whole).items():
        assert np.array_equal(getattr(parts, name), array), name
    assert result(PARTS, [parts]).to_json() == result(PARTS, [whole]).to_json()


def test_partitions_are_all_of_a_study() -> None:
    parts = list(partitions([5, 1, 4], 2))
    assert parts == [
        Partition(0, 1, 2),
        Partition(0, 3, 2),
        Partition(0, 5, 1),
        Partition(1, 1, 1),
        Partition(2, 1, 2),
        Partition(2, 3, 2),
    ]


def test_another_seed_makes_other_tokens_and_people() -> None:
    case = study("monthly", years=1)
    one = make_tokens(case, Partition(0, 1, 5)).tokens
    text = STUDY.replace("seed = 5", "seed = 6")
    other_case = parse(
        text.format(
            habit="monthly", years=1, period=30, grade="token", attempts=3, battery="", server=""
        ),
        "study.toml",
    ).study
    other = make_tokens(other_case, Partition(0, 1, 5)).tokens
    for name in ("noise_key", "person_key", "tolerance_ppm", "born_s", "enrolled_s"):
        assert len({*one[name].tolist(), *other[name].tolist()}) == 10
    assert SeededEntropy(5).bytes(8) != SeededEntropy(6).bytes(8)


def test_codes_are_looked_at_every_week() -> None:
    case = study("monthly", years=1)
    found = work(case, Partition(0, 1, 40))
    assert set(found.counts[0]["moments"].tolist()) <= {52, 53}
    assert found.tally.histogram.sum(axis=1).tolist() == [found.counts["moments"][0].sum()] * 3
    assert found.tally.histogram[0, 3] > 0.98 * found.tally.histogram[0].sum()
    assert found.counts[0]["most_acceptable"].tolist() == [3] * 40


def test_after_a_wrong_code_more_are_acceptable_where_the_rate_is_followed() -> None:
    """By 30 ppm of half a month to either side, 2.6 codes; never more than the policy says."""
    found = work(study("monthly", years=1), Partition(0, 1, 40)).counts
    offset, rate, narrow = found
    assert offset["acceptable_next"].tolist() == offset["acceptable"].tolist()
    more = rate["acceptable_next"].sum() - rate["acceptable"].sum()
    assert 1.5 < more / rate["moments"].sum() < 3.5
    assert (rate["acceptable_next"] <= 11 * rate["moments"]).all()
    assert (narrow["acceptable_next"] <= 3 * narrow["moments"]).all()
