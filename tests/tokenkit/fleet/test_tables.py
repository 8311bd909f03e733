"""Rates and their confidence intervals, against simulation and against the exact Poisson ones."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from tokenkit.fleet.intervals import count_interval
from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.result import Estimate, StudyResult
from tokenkit.fleet.study import Study, parse
from tokenkit.fleet.tables import result, rows
from tokenkit.fleet.tally import MEASURES, MOST_CODES, Tally, tally
from tokenkit.scenario.durations import YEAR_S

STUDY = """\
title = "t"
start = 2026-01-01T00:00:00Z
years = 2
[[batch]]
name = "desk"
tokens = 100
[[batch]]
name = "cold"
tokens = 100
[[policy]]
name = "wide"
learn = "offset"
window_steps = 3
[[policy]]
name = "narrow"
peer = "rsa-securid"
resync_range = "1 h"
"""
Numbers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def study() -> Study:
    return parse(STUDY, "study.toml").study


def counts_of(events: Numbers, codes: int = 3) -> "np.ndarray[tuple[int, int], np.dtype[np.void]]":
    """COUNTS in which every measure came out as ``events``: (policies, tokens)."""
    counts = np.zeros(events.shape, COUNTS)
    for name in MEASURES:
        counts[name] = events
    counts["sign_ins"] = 100
    counts["moments"] = 10
    counts["acceptable"] = 10 * codes
    counts["most_acceptable"] = codes + events
    return counts


def tally_of(events: Numbers, codes: int = 3) -> Tally:
    policies, tokens = events.shape
    histogram = np.zeros((policies, MOST_CODES + 1), np.int64)
    histogram[:, codes] = 10 * tokens
    months = np.zeros((policies, 24, 3), np.int64)
    months[:, 1, 0] = tokens
    return tally(counts_of(events, codes), round(tokens * 2 * YEAR_S), histogram, months)


@given(st.integers(0, 5000))
def test_without_overdispersion_the_interval_is_the_exact_one(count: int) -> None:
    low, high = count_interval(count, 0.5 * count)
    assert poisson.cdf(count, high) == pytest.approx(0.025)
    assert count == 0 or poisson.sf(count - 1, low) == pytest.approx(0.025)


@given(st.integers(1, 10**6), st.floats(1, 1e4))
def test_with_many_events_the_interval_is_the_normal_one(count: int, dispersion: float) -> None:
    low, high = count_interval(count, dispersion * count)
    assert low < count < high
    if count > 1000 * dispersion:
        sigma = 1.96 * math.sqrt(dispersion * count)
        assert (high - low) / 2 == pytest.approx(sigma, rel=0.02)


@pytest.mark.parametrize(
    ("tokens", "mean", "shape"),
    [(50, 0.01, 0.5), (500, 0.02, 0.1), (1000, 0.05, 0.05), (1000, 1.0, 0.2), (300, 3.0, 1.0)],
    ids=["hardly any", "few", "few tokens, many each", "many", "most tokens"],
)
def test_intervals_hold_what_they_promise(tokens: int, mean: float, shape: float) -> None:
    """Tokens differ by a gamma law, and under the second policy have three tenths as many."""
    drawn = np.random.default_rng(tokens)
    held = np.zeros(4)
    runs = 200
    for _ in range(runs):
        expected = drawn.gamma(shape, mean / shape, (2, tokens))
        tallies = [
            tally_of(np.stack([drawn.poisson(batch), drawn.poisson(0.3 * batch)]))
            for batch in expected
        ]
        found = result(study(), tallies)
        truth = 1000 * mean / 2  # in 1,000 token-years, of two years each
        compared = found.comparison("narrow", "wide", "rejections")
        held += [
            holds(found.cell("wide", "desk").rejections.per_1000_token_years, truth),
            holds(found.cell("narrow").rejections.per_1000_token_years, 0.3 * truth),
            holds(compared.difference, -0.7 * truth),
            holds(compared.ratio, 0.3),
        ]
    assert (held / runs > 0.90).all()  # 0.95 less three standard deviations of 200 runs


@pytest.mark.parametrize(("troubled", "least", "most"), [(1, 0.3, 0.7), (10, 0.89, 1.0)])
def test_how_few_tokens_may_have_trouble(troubled: int, least: float, most: float) -> None:
    """Of one or none nobody can tell how many more there are: docs/fleet.md says so."""
    drawn = np.random.default_rng(troubled)
    tokens, each, runs, held = 1000, 20, 200, 0
    for _ in range(runs):
        bad = drawn.random(tokens) < troubled / tokens
        events = drawn.poisson(each * drawn.gamma(1, 1, tokens) * bad)
        variance = tokens * float(events.var(ddof=1))
        low, high = count_interval(int(events.sum()), variance)
        held += low <= troubled * each <= high
    assert least < held / runs <= most


def holds(estimate: Estimate, truth: float) -> bool:
    low, high = estimate.low, estimate.high
    return (low is None or low <= truth) and (high is None or truth <= high)


def test_pairs_of_policies_are_compared_on_the_same_tokens() -> None:
    """What makes tokens differ cancels: a policy with one event less each is better for sure."""
    drawn = np.random.default_rng(1)
    wide = drawn.negative_binomial(0.5, 0.05, 100) + 1
    found = result(study(), [tally_of(np.stack([wide, wide - 1]))] * 2)
    compared = found.comparison("narrow", "wide", "lock_outs", "desk")
    assert compared.difference.value == pytest.approx(-500.0)
    assert compared.difference.low is not None
    assert compared.difference.high is not None
    assert compared.difference.low < -500 < compared.difference.high < 0
    # each alone is less sure than that
    rate = found.cell("wide", "desk").lock_outs.per_1000_token_years
    assert rate.low is not None
    assert rate.high is not None
    assert rate.high - rate.low > 2 * (compared.difference.high - compared.difference.low)


def test_nothing_that_happened_is_said_with_its_bound() -> None:
    none = np.zeros((2, 100), np.int64)
    some = np.array([[1] * 20 + [0] * 80, [0] * 100])
    found = result(study(), [tally_of(none), tally_of(some)])
    rate = found.cell("wide", "desk").lost.per_1000_token_years
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(3.689 / 0.2, rel=1e-3)  # the rule of three, two-sided
    nothing = found.comparison("narrow", "wide", "lost", "desk")
    assert (nothing.ratio.value, nothing.ratio.low, nothing.ratio.high) == (None, 0.0, None)
    assert (nothing.difference.low, nothing.difference.high) == (
        pytest.approx(-rate.high),
        pytest.approx(rate.high),
    )
    fewer = found.comparison("narrow", "wide", "lost", "cold")
    assert (fewer.ratio.value, fewer.ratio.low) == (0.0, 0.0)
    assert fewer.ratio.high == pytest.approx(3.689 / 12.22, rel=1e-2)


def test_one_token_makes_no_variance() -> None:
    found = result(study(), [tally_of(np.array([[5], [0]]))] * 2)
    rate = found.cell("wide", "desk").rejections.per_1000_token_years
    assert rate.low == pytest.approx(500 * 1.6235, rel=1e-3)  # Poisson's for 5


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=30),
    st.data(),
)
def test_any_parts_in_any_order_add_up_to_the_same(
    events: list[tuple[int, int]], data: st.DataObject
) -> None:
    both = np.array(events).T
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events) - 1))))
    edges = [0, *cuts, len(events)]
    parts = [both[:, start:end] for start, end in pairwise(edges)]
    shuffled = data.draw(st.permutations(parts))
    total = tally_of(shuffled[0])
    for part in shuffled[1:]:
        total = total + tally_of(part)
    whole = tally_of(both)
    for name, array in vars(whole).items():
        if name != "exposure_s":  # rounded for each part in this test
            assert (getattr(total, name) == array).all(), name


def test_codes_and_months() -> None:
    events = np.array([[0] * 99 + [9], [0] * 100])
    found = result(study(), [tally_of(events, 3), tally_of(events, 5)])
    codes = found.cell("wide").codes
    assert (codes.mean.value, codes.percentile_99, codes.most) == (4.0, 5, 14)
    assert codes.moments == [0, 0, 0, 1000, 0, 1000]
    assert found.cell("narrow", "desk").codes.most == 3
    assert found.cell("wide").months.sign_ins == [0, 200] + [0] * 22
    assert found.cell("wide").token_years == pytest.approx(400.0)


def test_policies_and_batches_are_put_into_words() -> None:
    found = result(study(), [tally_of(np.zeros((2, 100), np.int64))] * 2)
    own, peer = (note.rules for note in found.policies)
    assert own == "learn offset, window steps 3"
    assert peer.startswith("as RSA SecurID; resync range 1 h. Its codes are no TOTP")
    assert [(note.name, note.tokens) for note in found.batches] == [("desk", 100), ("cold", 100)]
    assert found.batches[0].summary == "daily, desk; grade token, 30 s, 0 to 24 months in stock"


def test_a_result_goes_through_json_and_into_rows() -> None:
    drawn = np.random.default_rng(1)
    found = result(study(), [tally_of(drawn.poisson(0.2, (2, 100))) for _ in range(2)])
    text = found.to_json()
    assert StudyResult.from_json(text) == found
    assert StudyResult.from_json(text).to_json() == text
    table = list(rows(found))
    assert [(row["policy"], row["batch"]) for row in table] == [
        (policy, batch) for policy in ("wide", "narrow") for batch in ("desk", "cold", None)
    ]
    low, value, high = (
        table[0][f"lock_outs_per_1000_token_years{end}"] for end in ("_low", "", "_high")
    )
    assert isinstance(low, float)
    assert isinstance(value, float)
    assert isinstance(high, float)
    assert low < value < high
    with pytest.raises(KeyError):
        found.cell("none")
    with pytest.raises(KeyError):
        found.comparison("wide", "narrow", "lost")
