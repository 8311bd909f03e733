"""A 32.768 kHz tuning-fork crystal: how far a clock driven by it is off, at any true time."""

import math
from dataclasses import dataclass

from firmware_sim.world.environment import Environment
from firmware_sim.world.noise import EndlessNoise, noise_key

YEAR_S = 365.25 * 86_400.0
_LIFE_YEARS = 10_000  # as far as dates go
LIFE_S = _LIFE_YEARS * YEAR_S


@dataclass(frozen=True)
class Crystal:
    """One crystal's parameters. Fractional frequency errors are in ppm, + is fast.

    ``tolerance_ppm``: error at the turnover temperature when new. Data sheets grade ±10, ±20 and
        ±50 ppm (ACT 3x8); token makers trim below that.
    ``parabola_ppm_per_c2``: parabolic coefficient. -0.035 ±0.005 (MAX6902 manual), -0.035 ±0.0086
        (ACT), -0.030 ±0.01 (CTS TF20).
    ``turnover_c``: temperature of the highest frequency, 25 ±5 °C (the same three).
    ``ageing_ppm_first_year``: ±3 ppm at most (TF20), ±5 (ACT).
    ``ageing_tau_s``: τ in ageing a·ln(1 + t/τ); logarithmic ageing is the usual model
        (MIL-PRF-55310), 30 days is an assumption.
    ``random_walk_adev_1day``: Allan deviation at one day, 2.0e-8 for a wrist watch (USNO, "Clock
        performance"). That all of it is random walk is an assumption: it grows as √τ, to 0.9 ppm
        at five years, by when the frequency itself has moved √3 times as much (1 σ).
    ``white_adev_1s``: Allan deviation at one second; 1e-8 is an assumption, and too small to
        matter for digits that change twice a minute (56 µs in a year).
    """

    tolerance_ppm: float = 0.0
    parabola_ppm_per_c2: float = -0.034
    turnover_c: float = 25.0
    ageing_ppm_first_year: float = 3.0
    ageing_tau_s: float = 30 * 86_400.0
    random_walk_adev_1day: float = 2.0e-8
    white_adev_1s: float = 1.0e-8

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite, not {value}")
        if self.ageing_tau_s <= 0.0:
            raise ValueError(f"ageing_tau_s must be above 0, not {self.ageing_tau_s}")
        if self.random_walk_adev_1day < 0.0 or self.white_adev_1s < 0.0:
            raise ValueError("an Allan deviation cannot be negative")


# Plain functions of numbers, so that they can be compiled for whole fleets.
def ageing_ppm(first_year_ppm: float, tau_s: float) -> float:
    """a of the ageing a·ln(1 + t/τ) that comes to ``first_year_ppm`` after a year."""
    return first_year_ppm / math.log1p(YEAR_S / tau_s)


def noise_variances(white_adev_1s: float, random_walk_adev_1day: float) -> tuple[float, float]:
    """s in s²/s and q in 1/s of ``firmware_sim.world.noise``."""
    # Allan variance: s/τ for white, q·τ/3 for random-walk frequency noise
    return white_adev_1s**2, 3.0 * random_walk_adev_1day**2 / 86_400.0


def steady_error_s(
    elapsed_s: float,
    first: float,
    second: float,
    tolerance_ppm: float,
    parabola_ppm_per_c2: float,
    turnover_c: float,
    ageing_ppm: float,
    ageing_tau_s: float,
) -> float:
    """Seconds gained in ``elapsed_s``, but for the noise; ``first`` and ``second`` are moments."""
    # ∫(T - T₀)² dt
    excess = second - turnover_c * (2.0 * first - turnover_c * elapsed_s)
    aged_s = (elapsed_s + ageing_tau_s) * math.log1p(elapsed_s / ageing_tau_s) - elapsed_s
    ppm_s = tolerance_ppm * elapsed_s + parabola_ppm_per_c2 * excess + ageing_ppm * aged_s
    return 1e-6 * ppm_s


class Oscillator:
    """``crystal`` in ``environment`` from true time ``born_s`` on, for 10,000 years.

    The error is a pure function of true time: the same however often and in whatever order it is
    asked, also by another process, as long as ``entropy_key`` (1 to 64 bytes) is the same. A time
    before ``born_s`` or past the 10,000 years is a ValueError.
    """

    def __init__(
        self, crystal: Crystal, environment: Environment, entropy_key: bytes, born_s: float
    ) -> None:
        if not math.isfinite(born_s):
            raise ValueError(f"born_s must be finite, not {born_s}")
        self.crystal = crystal
        self.environment = environment
        self.born_s = born_s
        self._ageing_ppm = ageing_ppm(crystal.ageing_ppm_first_year, crystal.ageing_tau_s)
        white, random_walk = noise_variances(crystal.white_adev_1s, crystal.random_walk_adev_1day)
        self._noise = EndlessNoise(white, random_walk, noise_key(entropy_key))

    def error_s(self, true_s: float) -> float:
        """Seconds gained (+) or lost (-) since ``born_s``."""
        elapsed_s = self._elapsed_s(true_s)
        c = self.crystal
        first, second = self.environment.moments(self.born_s, true_s)
        gained_s = steady_error_s(
            elapsed_s,
            first,
            second,
            c.tolerance_ppm,
            c.parabola_ppm_per_c2,
            c.turnover_c,
            self._ageing_ppm,
            c.ageing_tau_s,
        )
        return gained_s + self._noise.phase_s(elapsed_s)

    def rate_ppm(self, true_s: float) -> float:
        """The slope of ``error_s`` at ``true_s``, in ppm (noise averaged over 64 s)."""
        elapsed_s = self._elapsed_s(true_s)
        c = self.crystal
        excess_c = self.environment.temperature_c(true_s) - c.turnover_c
        return (
            c.tolerance_ppm
            + c.parabola_ppm_per_c2 * excess_c**2
            + self._ageing_ppm * math.log1p(elapsed_s / c.ageing_tau_s)
            + 1e6 * self._noise.rate(elapsed_s)
        )

    def _elapsed_s(self, true_s: float) -> float:
        elapsed_s = true_s - self.born_s
        if not 0.0 <= elapsed_s < LIFE_S:  # also refuses NaN
            raise ValueError(
                f"this crystal exists from {self.born_s} for {_LIFE_YEARS} years;"
                f" {true_s} is outside"
            )
        return elapsed_s
