"""The smoother beside the same algebra on one large matrix."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.drift.smoother import RATE_WALK, Belief, Factor, Node, log_mass, smooth

PRIOR = Belief(3.0, -2.0, 400.0, 5.0, 30.0)

nodes = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.5, 3.0]),  # since the node before
        st.sampled_from([0.0, 0.0, 900.0]),
        st.sampled_from([0.0, 0.0, 25.0]),
        st.floats(-20.0, 20.0),
        st.sampled_from([0.0, 0.02, 1.0]),
    ),
    min_size=1,
    max_size=6,
)


@given(nodes)
def test_it_is_what_one_large_normal_distribution_gives(drawn: list[tuple[float, ...]]) -> None:
    chain, factors, at = [], [], 0.0
    for since, step, turn, shift, precision in drawn:
        at += since
        chain.append(Node(at, step, turn))
        factors.append(Factor(shift if precision else 0.0, precision))
    made = smooth(PRIOR, chain, factors)
    mean, covariance = dense(chain)
    information = np.zeros(len(mean))
    precision = np.zeros(len(mean))
    information[0::2] = [factor.shift for factor in factors]
    precision[0::2] = [factor.precision for factor in factors]
    gain = covariance @ np.linalg.inv(np.eye(len(mean)) + np.diag(precision) @ covariance)
    after = mean + gain @ (information - precision * mean)
    spread = gain
    for number, belief in enumerate(made.beliefs):
        assert belief.offset == pytest.approx(after[2 * number], abs=1e-6)
        assert belief.rate == pytest.approx(after[2 * number + 1], abs=1e-6)
        assert belief.offset_variance == pytest.approx(spread[2 * number, 2 * number], abs=1e-6)
        assert belief.covariance == pytest.approx(spread[2 * number, 2 * number + 1], abs=1e-6)
        assert belief.rate_variance == pytest.approx(
            spread[2 * number + 1, 2 * number + 1], abs=1e-6
        )


def dense(chain: list[Node]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of offset and rate at all nodes, before any factor."""
    mean = np.array([PRIOR.offset, PRIOR.rate])
    here = np.array(
        [
            [PRIOR.offset_variance, PRIOR.covariance],
            [PRIOR.covariance, PRIOR.rate_variance],
        ]
    )
    means, size = [], 2 * len(chain)
    covariance = np.zeros((size, size))
    before = chain[0].at
    for number, node in enumerate(chain):
        time, before = node.at - before, node.at
        move = np.array([[1.0, time], [0.0, 1.0]])
        noise = RATE_WALK * np.array([[time**3 / 3, time**2 / 2], [time**2 / 2, time]])
        mean = move @ mean
        here = move @ here @ move.T + noise + np.diag([node.step_variance, node.rate_variance])
        means.append(mean)
        now = slice(2 * number, 2 * number + 2)
        if number:
            crossed = covariance[2 * number - 2 : 2 * number, : 2 * number]
            covariance[now, : 2 * number] = move @ crossed
            covariance[: 2 * number, now] = covariance[now, : 2 * number].T
        covariance[now, now] = here
    return np.concatenate(means), covariance


@given(st.floats(-5.0, 5.0), st.floats(0.0, 3.0), st.floats(-3.0, 3.0), st.floats(0.1, 9.0))
def test_mass_of_a_factor(shift: float, precision: float, mean: float, variance: float) -> None:
    deviation = math.sqrt(variance)
    x = np.linspace(mean - 40.0 * deviation, mean + 40.0 * deviation, 200_001)
    power = shift * x - precision * x**2 / 2 - (x - mean) ** 2 / (2 * variance)
    top = power.max()
    mass = top + math.log(np.exp(power - top).sum() * (x[1] - x[0]))
    expected = mass - math.log(deviation * math.sqrt(2 * math.pi))
    assert log_mass(Factor(shift, precision), mean, variance) == pytest.approx(expected, abs=1e-6)
