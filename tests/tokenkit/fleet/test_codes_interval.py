"""The interval of the mean number of acceptable codes, and of its difference between policies."""

import numpy as np
import pytest

from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.report.verdict import verdict
from tokenkit.fleet.result import StudyResult
from tokenkit.fleet.study import parse
from tokenkit.fleet.tables import result
from tokenkit.fleet.tally import MOST_CODES, Tally, tally
from tokenkit.scenario.durations import YEAR_S

STUDY = """\
title = "t"
start = 2026-01-01T00:00:00Z
years = 2
[[batch]]
name = "desk"
tokens = 400
places = ["desk", "5 °C"]
[[policy]]
name = "fixed"
learn = "offset"
[[policy]]
name = "adaptive"
learn = "offset"
[[policy]]
name = "like it"
learn = "offset"
"""
TOKENS, MOMENTS = 400, 50


def test_it_is_the_normal_one_of_means_by_token() -> None:
    number = np.arange(TOKENS)
    acceptable = np.stack([0 * number + 150, 100 + number % 97, 103 + number % 97])
    found = result(parse(STUDY, "study.toml").study, [counted(acceptable)])

    means = acceptable[1] / MOMENTS
    error = 1.959964 * means.std(ddof=1) / np.sqrt(TOKENS)
    mean = found.cell("adaptive").codes.mean
    assert mean.value == pytest.approx(means.mean())
    assert (mean.low, mean.high) == pytest.approx((means.mean() - error, means.mean() + error))
    fixed = found.cell("fixed").codes.mean
    assert (fixed.low, fixed.value, fixed.high) == pytest.approx((3.0, 3.0, 3.0))

    beside = found.comparison("adaptive", "fixed", "acceptable").difference
    assert beside.value == pytest.approx(means.mean() - 3.0)
    assert beside.high == pytest.approx(means.mean() - 3.0 + error)
    # token for token 3 more in 50 moments: no doubt is left
    alike = found.comparison("like it", "adaptive", "acceptable").difference
    assert (alike.low, alike.high) == pytest.approx((0.06, 0.06))


def counted(acceptable: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> Tally:
    """The tally of tokens for which so many codes were acceptable, (policies, tokens)."""
    counts = np.zeros(acceptable.shape, COUNTS)
    counts["acceptable"], counts["moments"] = acceptable, MOMENTS
    policies, tokens = acceptable.shape
    histogram = np.zeros((policies, MOST_CODES + 1), np.int64)
    histogram[:, 3] = MOMENTS * tokens
    months = np.zeros((policies, 24, 3), np.int64)
    return tally(counts, round(tokens * 2 * YEAR_S), histogram, months)


def test_where_all_tokens_are_alike_nothing_is_in_doubt_however_many_they_are() -> None:
    """The variance is exactly 0: rounded sums of squares would make it negative."""
    many = np.full((3, 100_001), 2701)
    many[1] += np.arange(100_001) % 97
    found = result(parse(STUDY, "study.toml").study, [counted(many)])
    mean = found.cell("fixed").codes.mean
    assert mean.low == mean.value == mean.high == 2701 / MOMENTS


def test_one_token_says_nothing_about_others() -> None:
    """Not that all are like it."""
    one = counted(np.array([[150], [120], [100]]))
    found = result(parse(STUDY, "study.toml").study, [one])
    mean = found.cell("fixed").codes.mean
    assert (mean.low, mean.value, mean.high) == (None, 3.0, None)
    compared = found.comparison("adaptive", "fixed", "acceptable")
    for estimate, value in ((compared.difference, -0.6), (compared.ratio, 0.8)):
        assert estimate.value == pytest.approx(value)
        assert (estimate.low, estimate.high) == (None, None)
    assert StudyResult.from_json(found.to_json()) == found
    assert "cannot be compared" in " ".join(verdict(found).sentences)


def test_what_is_assumed_is_said() -> None:
    counts = np.zeros((3, TOKENS), COUNTS)
    histogram, months = np.zeros((3, MOST_CODES + 1), np.int64), np.zeros((3, 24, 3), np.int64)
    tallied = tally(counts, round(TOKENS * 2 * YEAR_S), histogram, months)
    text = " ".join(result(parse(STUDY, "study.toml").study, [tallied]).assumed)
    for said in ("3 codes are tried", "3 s to 12 s", "desk 22 ± 1.5 °C", "5 °C always", "3 ppm"):
        assert said in text
