"""The distribution that a batch's crystals are drawn from."""

import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.factory import Factory
from firmware_sim.otp.grade import GRADES, Spread, grade
from firmware_sim.world.entropy import SeededEntropy

draws = st.integers(0, 2**64 - 1)


class ChosenEntropy:
    """Gives one number of 64 bits."""

    reproducible = True

    def __init__(self, number: int) -> None:
        self.number = number

    def bytes(self, count: int) -> bytes:
        return self.number.to_bytes(count, "big")


def truncated_normal_cdf(deviation: float, limit: float) -> float:
    """Of a normal distribution cut off at ``± limit``; both in standard deviations."""
    whole = math.erf(limit / math.sqrt(2))
    return (math.erf(deviation / math.sqrt(2)) + whole) / (2 * whole)


spreads = st.builds(
    lambda mean, deviation, limit: Spread(mean, deviation, limit * deviation),
    st.floats(-30, 30),
    st.floats(0.001, 20),
    st.floats(0.5, 4),
)


@given(spreads, draws)
def test_a_draw_is_the_quantile_of_the_cut_normal_distribution(spread: Spread, number: int) -> None:
    value = spread.draw(ChosenEntropy(number))
    assert abs(value - spread.mean) <= spread.limit * (1 + 1e-12) + 1e-12
    deviation = (value - spread.mean) / spread.standard_deviation
    limit = spread.limit / spread.standard_deviation
    assert truncated_normal_cdf(deviation, limit) == pytest.approx(number / 2**64, abs=1e-9)


@given(spreads, draws, draws)
def test_a_larger_random_number_is_a_larger_value(spread: Spread, one: int, two: int) -> None:
    low, high = sorted((one, two))
    # but for the rounding of the inverse distribution, which neighbours can show
    assert spread.draw(ChosenEntropy(low)) <= spread.draw(ChosenEntropy(high)) + 1e-11


@pytest.mark.parametrize("number", [0, 2**64 - 1])
def test_the_ends_are_the_limits(number: int) -> None:
    value = Spread(1.0, 2.0, 6.0).draw(ChosenEntropy(number))
    assert value == pytest.approx(7.0 if number else -5.0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "limit_ppm", "deviation_ppm"), [("token", 10, 3), ("20ppm", 20, 20 / 3)]
)
def test_the_crystals_of_a_batch_vary_as_their_grade_says(
    name: str, limit_ppm: float, deviation_ppm: float
) -> None:
    batch = Factory(SeededEntropy(1), 0.0).make_batch("TKTEST", 2_000, grade=name)
    values = [spec.crystal.tolerance_ppm for spec in batch.tokens]
    assert max(map(abs, values)) <= limit_ppm
    # six standard errors of the mean, and of the root mean square
    assert abs(sum(values) / 2_000) < 6 * deviation_ppm / math.sqrt(2_000)
    root_mean_square = math.sqrt(sum(value**2 for value in values) / 2_000)
    assert 0.9 * deviation_ppm < root_mean_square < 1.1 * deviation_ppm


@pytest.mark.parametrize("name", GRADES)
def test_only_the_named_fields_vary_each_by_its_own_draw(name: str) -> None:
    made = grade(name)
    one, two = (asdict(made.draw(SeededEntropy(seed))) for seed in (1, 2))
    assert {field for field in one if one[field] != two[field]} == set(made.spreads)
    fixed = asdict(made.crystal)
    assert all(one[field] == fixed[field] for field in fixed if field not in made.spreads)
    for field, spread in made.spreads.items():
        assert abs(one[field] - spread.mean) <= spread.limit


def test_an_unknown_grade_is_told_the_names() -> None:
    with pytest.raises(ValueError, match="no grade 'quartz'; there are token, 20ppm"):
        grade("quartz")
