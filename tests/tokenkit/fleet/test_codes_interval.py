"""The interval of the mean number of acceptable codes, and of its difference between policies."""

import numpy as np
import pytest

from tokenkit.fleet.layout import COUNTS
from tokenkit.fleet.study import parse
from tokenkit.fleet.tables import result
from tokenkit.fleet.tally import MOST_CODES, tally
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
    counts = np.zeros((3, TOKENS), COUNTS)
    counts["acceptable"], counts["moments"] = acceptable, MOMENTS
    histogram = np.zeros((3, MOST_CODES + 1), np.int64)
    histogram[:, 3] = MOMENTS * TOKENS
    months = np.zeros((3, 24, 3), np.int64)
    tallied = tally(counts, round(TOKENS * 2 * YEAR_S), histogram, months)
    found = result(parse(STUDY, "study.toml").study, [tallied])

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


def test_what_is_assumed_is_said() -> None:
    counts = np.zeros((3, TOKENS), COUNTS)
    histogram, months = np.zeros((3, MOST_CODES + 1), np.int64), np.zeros((3, 24, 3), np.int64)
    tallied = tally(counts, round(TOKENS * 2 * YEAR_S), histogram, months)
    text = " ".join(result(parse(STUDY, "study.toml").study, [tallied]).assumed)
    for said in ("3 codes are tried", "3 s to 12 s", "desk 22 ± 1.5 °C", "5 °C always", "3 ppm"):
        assert said in text
