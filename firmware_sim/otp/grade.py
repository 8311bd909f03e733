"""Grades of crystal, as data: how the crystals of one batch differ from each other.

Sources: data sheets of the ACT 3x8 mm watch crystal (tolerance by grade ±10, ±20, ±50 ppm; parabola
-0.035 ±0.0086 ppm/°C²), of the CTS TF20 (ageing in the first year ±3 ppm at most) and of the
MAX6902 (turnover 25 ±5 °C, parabola -0.035 ±0.005 ppm/°C²). Data sheets give limits and no
distribution: a normal one with its standard deviation at a third of the limit is our assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from types import MappingProxyType

from firmware_sim.world.entropy import Entropy
from firmware_sim.world.oscillator import Crystal

_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True)
class Spread:
    """A normal distribution whose parts outside ``mean ± limit`` were sorted out."""

    mean: float
    standard_deviation: float
    limit: float

    def draw(self, entropy: Entropy) -> float:
        """One value, from 8 random bytes."""
        u = (int.from_bytes(entropy.bytes(8), "big") + 0.5) / 2.0**64
        limit = self.limit / self.standard_deviation
        tail = _STANDARD_NORMAL.cdf(-limit)
        # the inverse of the normal distribution's middle part; min and max undo rounding
        deviation = _STANDARD_NORMAL.inv_cdf(tail + u * (1.0 - 2.0 * tail))
        return self.mean + self.standard_deviation * max(-limit, min(limit, deviation))


@dataclass(frozen=True)
class Grade:
    """What is the same in all crystals of a grade, and how the fields named in ``spreads`` vary."""

    crystal: Crystal
    spreads: Mapping[str, Spread]

    def draw(self, entropy: Entropy) -> Crystal:
        """The crystal of one token."""
        drawn = {name: spread.draw(entropy) for name, spread in self.spreads.items()}
        return replace(self.crystal, **drawn)


def _tuning_fork(tolerance_ppm: Spread) -> Grade:
    return Grade(
        Crystal(),
        MappingProxyType(
            {
                "tolerance_ppm": tolerance_ppm,
                "parabola_ppm_per_c2": Spread(-0.034, 0.005 / 3, 0.005),
                "turnover_c": Spread(25.0, 5 / 3, 5.0),
                "ageing_ppm_first_year": Spread(0.0, 1.0, 3.0),
            }
        ),
    )


GRADES: Mapping[str, Grade] = MappingProxyType(
    {
        # Token makers measure and trim: Feitian states 2.9 ppm (c200), 1,500 in the field agree
        "token": _tuning_fork(Spread(0.0, 3.0, 10.0)),
        # the crystals as bought
        "20ppm": _tuning_fork(Spread(0.0, 20 / 3, 20.0)),
        "50ppm": _tuning_fork(Spread(0.0, 50 / 3, 50.0)),
        # keeps true time for ever: for tests of everything but drift
        "perfect": Grade(
            Crystal(
                parabola_ppm_per_c2=0.0,
                ageing_ppm_first_year=0.0,
                random_walk_adev_1day=0.0,
                white_adev_1s=0.0,
            ),
            MappingProxyType({}),
        ),
    }
)


def grade(name: str) -> Grade:
    """The grade called ``name``; ValueError with the names there are."""
    if name not in GRADES:
        raise ValueError(f"there is no grade {name!r}; there are {', '.join(GRADES)}")
    return GRADES[name]
