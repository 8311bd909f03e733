"""What the verdict says: what the figures do, with their intervals, and no more."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.fleet.report.verdict import compared, verdict
from tokenkit.fleet.report.words import codes_figure, figure, interval, listed, plural
from tokenkit.fleet.result import Estimate

from .made import study_result

Batch = tuple[int, float]


def sentence(first: Batch, second: Batch) -> str:
    [text] = verdict(study_result({"a": [first], "b": [second]}, ["desk"])).sentences
    return text


def test_fewer_lock_outs_for_more_codes() -> None:
    assert sentence((520, 3.0), (100, 3.3)) == (
        "“b” has 5.2 times fewer lock-outs (95 %: 4.2 to 6.4), with 0.30 more acceptable codes on"
        " average (0.28 to 0.32)."
    )


def test_more_lock_outs_for_fewer_codes() -> None:
    assert sentence((100, 3.3), (520, 3.0)) == (
        "“b” has 5.2 times the lock-outs (95 %: 4.2 to 6.4), with 0.30 fewer acceptable codes on"
        " average (0.28 to 0.32)."
    )


def test_says_when_the_interval_includes_no_difference() -> None:
    text = sentence((100, 3.0), (90, 3.01))
    assert text.startswith(
        "“b”: the study cannot tell which locks out more: 0.9 times as many (95 %: 0.68 to 1.20), "
    )
    assert "the difference (−0.01 to +0.03) includes 0" in text


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (0, 0, "has no lock-outs either"),
        (0, 3, "has 3 lock-outs, it none"),
        (0, 1, "has 1 lock-out, it none"),
        (60, 0, "has none beside 60: at least 20 times fewer (95 %)"),
        (2, 0, "“b”: the study cannot tell which locks out more: none beside 2 (95 %: 0 to "),
    ],
)
def test_where_there_are_none(first: int, second: int, said: str) -> None:
    assert said in sentence((first, 3.0), (second, 3.0))


def test_the_opening_has_its_intervals() -> None:
    assert verdict(study_result({"a": [(120, 3.0)]}, ["desk"])).opening == (
        "“a” locks people out 20 times in 1,000 token-years (95 %: 16 to 24), and 3.00 codes are"
        " acceptable on average (2.98 to 3.02)."
    )


def test_a_batch_that_says_the_contrary_is_named() -> None:
    said = verdict(study_result({"a": [(900, 3.0), (20, 3.0)], "b": [(90, 4.0), (80, 4.0)]}, "xy"))
    assert re.search(
        r"has 5\.4 times fewer .*; but in batch “y” it has 4\.0 times the", *said.sentences
    )


def test_who_is_beaten_in_both_respects() -> None:
    made = study_result(
        {
            "a": [(300, 3.0)],
            "b": [(100, 2.0)],
            "c": [(90, 2.0)],
            "d": [(2, 9.0)],
            "e": [(400, 9.5)],
        },
        ["desk"],
    )
    assert verdict(made).beaten == ["“a” by “b” and “c”", "“e” by “a”, “b”, “c” and “d”"]


@given(st.integers(0, 5000), st.integers(0, 5000), st.floats(1, 40), st.floats(1, 40))
def test_no_claim_without_its_interval(a: int, b: int, x: float, y: float) -> None:
    """And none beyond it: "fewer" only where the whole interval is on that side."""
    text = sentence((a, x), (b, y))
    made = study_result({"a": [(a, x)], "b": [(b, y)]}, ["desk"])
    _, ratio = compared(made, "b", "a", "lock_outs")
    if ratio.high is not None and ratio.low is not None:
        assert ("fewer lock-outs" in text or "times fewer" in text) == (ratio.high < 1)
        assert ("times the lock-outs" in text) == (ratio.low > 1)
    assert "95 %" in text or min(a, b) == 0
    turned = compared(made, "a", "b", "lock_outs")[1]
    if ratio.value and turned.value:
        assert turned.value == pytest.approx(1 / ratio.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0.0, "0"), (0.0342, "0.034"), (0.996, "1.00"), (1.04, "1.04"),
        (5.23, "5.2"), (9.96, "10"),
        (52.4, "52"), (520.4, "520"), (1234.0, "1,230"), (18_000.0, "18,000"), (-5.23, "−5.2"),
    ],
)  # fmt: skip
def test_figures(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_words() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (plural(1, "token"), plural(10_000, "token")) == ("1 token", "10,000 tokens")
    assert interval(Estimate(3.0, 2.5, None), codes_figure) == "2.50 to –"
