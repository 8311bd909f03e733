"""Grades of crystal, as data: how the crystals of one batch differ from each other.

They and their sources are in ``crystals.toml`` beside this file. A file of one grade has the same
form; ``tokenkit otp calibrate`` writes such files.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType

import msgspec

from firmware_sim.world.entropy import Entropy
from firmware_sim.world.oscillator import Crystal

_STANDARD_NORMAL = NormalDist()
_LARGEST = 100_000  # bytes of a file
# Data sheets give limits and no distribution: this is our assumption.
_DEVIATIONS_IN_LIMIT = 3


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
    summary: str = ""
    sources: tuple[str, ...] = ()

    def draw(self, entropy: Entropy) -> Crystal:
        """The crystal of one token."""
        drawn = {name: spread.draw(entropy) for name, spread in self.spreads.items()}
        return replace(self.crystal, **drawn)


class GradeFileError(ValueError):
    """A file that is no grade; the message names it and says what is wrong."""


class _Parameter(msgspec.Struct, forbid_unknown_fields=True):
    mean: float = 0.0
    limit: float | None = None
    standard_deviation: float | None = None

    def spread(self, name: str) -> Spread | None:
        if self.limit is None:
            if self.standard_deviation is not None:
                raise ValueError(f"{name}: a standard_deviation needs a limit")
            return None
        deviation = self.standard_deviation
        if deviation is None:
            deviation = self.limit / _DEVIATIONS_IN_LIMIT
        if not (0 < deviation < math.inf and 0 < self.limit < math.inf):
            raise ValueError(f"{name}: limit and standard_deviation are above 0")
        if not math.isfinite(self.mean) or self.limit / deviation > 1e3:
            raise ValueError(f"{name}: the limit is within 1000 standard deviations of a mean")
        return Spread(self.mean, deviation, self.limit)


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    summary: str = ""
    sources: tuple[str, ...] = ()
    # in the order in which they are drawn
    tolerance_ppm: _Parameter | None = None
    parabola_ppm_per_c2: _Parameter | None = None
    turnover_c: _Parameter | None = None
    ageing_ppm_first_year: _Parameter | None = None
    ageing_tau_s: float | None = None
    random_walk_adev_1day: float | None = None
    white_adev_1s: float | None = None

    def grade(self) -> Grade:
        fixed: dict[str, float] = {}
        spreads: dict[str, Spread] = {}
        for name in self.__struct_fields__[2:]:
            value = getattr(self, name)
            if isinstance(value, _Parameter):
                if spread := value.spread(name):
                    spreads[name] = spread
                else:
                    fixed[name] = value.mean
            elif value is not None:
                fixed[name] = value
        return Grade(Crystal(**fixed), MappingProxyType(spreads), self.summary, self.sources)


def _parse(text: str) -> dict[str, Grade]:
    """ValueError."""
    entries = msgspec.convert(tomllib.loads(text), dict[str, _Entry])
    return {name: entry.grade() for name, entry in entries.items()}


GRADES: Mapping[str, Grade] = MappingProxyType(
    _parse(resources.files(__package__).joinpath("crystals.toml").read_text("utf-8"))
)


def grade(name: str) -> Grade:
    """The grade called ``name``; ValueError with the names there are."""
    if name not in GRADES:
        raise ValueError(f"there is no grade {name!r}; there are {', '.join(GRADES)}")
    return GRADES[name]


def read_grade(path: Path) -> Grade:
    """The one grade in a file. GradeFileError."""
    try:
        with path.open("rb") as file:
            contents = file.read(_LARGEST + 1)
        if len(contents) > _LARGEST:
            raise ValueError("too large")
        grades = _parse(contents.decode("utf-8-sig"))
    except OSError as error:
        raise GradeFileError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        # it may quote the file
        reason = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error))
        raise GradeFileError(f"{path}: not a grade of crystal: {reason[:300]}") from None
    if len(grades) != 1:
        raise GradeFileError(f"{path}: a file has one grade, this one {len(grades)}")
    return next(iter(grades.values()))
