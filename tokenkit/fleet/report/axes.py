"""Axes as all plots of a study have them."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from tokenkit.report.svg import COLOURS

LARGE, SMALL = (11.0, 5.0), (4.8, 3.6)
# values that differ by more than this factor get a logarithmic axis
_WIDE = 12.0


def make_axes(
    small: bool, *, left: float = 0.75, right: float = 0.25, height: float | None = None
) -> tuple[Figure, Axes]:
    """A new figure and its axes, with so many inches free at the left and the right.

    ``height`` is in inches, too, if not the usual one.
    """
    width, usual = SMALL if small else LARGE
    picture = Figure(figsize=(width, height or usual))
    top, bottom = 0.15 / (height or usual), 0.62 / (height or usual)
    across = 1 - (left + right) / width
    axes = picture.add_axes((left / width, bottom, across, 1 - top - bottom))
    axes.grid(color=COLOURS["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=6, which="both")
    return picture, axes


def set_scale(axes: Axes, which: str, values: Sequence[float]) -> float:
    """Make the axis ``which`` ("x" or "y") hold all ``values``, none below 0.

    Logarithmic where they differ much, but for 0, which is drawn at the axis' start. Returns that.
    """
    axis = getattr(axes, f"{which}axis")
    limits = getattr(axes, f"set_{which}lim")
    positive = [value for value in values if value > 0]
    low, high = min(positive, default=1.0), max(positive, default=1.0)
    if high <= _WIDE * low:
        limits(0, 1.12 * high)
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,g}"))
        return 0.0
    start = low / 1.6 if min(values) > 0 else low / 4
    getattr(axes, f"set_{which}scale")("log")
    limits(start, high * 1.6)
    zero = [] if min(values) > 0 else [start]
    ticks = [tick for tick in _log_ticks(start, high * 1.6) if not zero or tick > 1.4 * start]
    axis.set_major_locator(FixedLocator(zero + ticks))
    axis.set_major_formatter(FuncFormatter(lambda at, _: "0" if at in zero else f"{at:,g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    return start


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 …, or the powers of ten alone where there are many."""
    steps = (1, 2, 5) if high < 300 * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        step * 10.0**power
        for power in powers
        for step in steps
        if low <= step * 10.0**power <= high
    ]
