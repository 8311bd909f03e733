"""Crystals as pictures: their rate against temperature, and what a fit leaves."""

import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import matplotlib.dates
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokenkit.crystals.fit import Fit
from tokenkit.report.picture import DAY_COLOURS, picture_style, save_picture
from tokenkit.virtual import Crystal, Grade

_IN_ROW = 3
_calendar: Any = matplotlib.dates  # has no types yet


def draw_fit(fit: Fit, file: BinaryIO, form: str) -> None:
    """The parabola with what was measured, and below it the residuals over time."""
    measured = fit.measurements
    times_s, warm_c = np.array(measured.times_s), np.array(measured.temperatures_c)
    residuals = np.array(fit.residuals)
    low, high = min(warm_c.min(), 0.0), max(warm_c.max(), 50.0)
    curve_c = np.linspace(low, high, 200)
    with picture_style():
        figure = Figure(figsize=(9, 7), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, height_ratios=(3, 2))
        above.plot(curve_c, _rate_ppm(fit.crystal, curve_c), color=DAY_COLOURS["curve"], lw=2)
        if measured.kind == "rate":
            points = _rate_ppm(fit.crystal, warm_c) + residuals
            above.plot(warm_c, points, "o", ms=4, color=DAY_COLOURS["sync"], alpha=0.7)
        else:  # which were measured at these temperatures
            for at_c in (warm_c.min(), warm_c.max()):
                above.axvline(at_c, color=DAY_COLOURS["sync"], lw=1, ls=":")
        above.axhline(0.0, color=DAY_COLOURS["grid"], zorder=0)
        above.set_xlabel("temperature, °C")
        above.set_ylabel("rate of the new crystal, ppm")
        unit = "ppm" if measured.kind == "rate" else "s"
        dates = _calendar.date2num(times_s.astype("datetime64[s]"))
        below.axhline(0.0, color=DAY_COLOURS["grid"])
        below.plot(dates, residuals, "o", ms=4, color=DAY_COLOURS["sync"], alpha=0.7)
        locator = _calendar.AutoDateLocator()
        below.xaxis.set_major_locator(locator)
        below.xaxis.set_major_formatter(_calendar.ConciseDateFormatter(locator))
        below.set_ylabel(f"measured less fitted, {unit}")
        save_picture(figure, file, form)


def draw_grades(grades: Mapping[str, Grade], file: BinaryIO, form: str) -> None:
    """Of each grade the parabola of its middle, and how far its limits reach around it."""
    curve_c = np.linspace(-10.0, 60.0, 200)
    rows, columns = math.ceil(len(grades) / _IN_ROW), min(len(grades), _IN_ROW)
    with picture_style():
        figure = Figure(figsize=(1 + 3.6 * columns, 0.6 + 2.6 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
        for axes, (name, grade) in zip(panels, grades.items(), strict=False):
            middle, low, high = _band(grade, curve_c)
            axes.axhline(0.0, color=DAY_COLOURS["grid"], zorder=0)
            axes.fill_between(curve_c, low, high, color=DAY_COLOURS["window"], lw=0)
            axes.plot(curve_c, middle, color=DAY_COLOURS["curve"], lw=1.6)
            axes.set_title(name, loc="left", fontsize=11, fontweight="bold")
        for axes in panels[len(grades) :]:
            axes.set_axis_off()
        figure.supxlabel("temperature, °C", fontsize=10)
        figure.supylabel("rate of a new crystal, ppm", fontsize=10)
        save_picture(figure, file, form)


def _rate_ppm(crystal: Crystal, warm_c: Any) -> Any:
    excess_c = warm_c - crystal.turnover_c
    return crystal.tolerance_ppm + crystal.parabola_ppm_per_c2 * excess_c**2


def _band(grade: Grade, curve_c: Any) -> tuple[Any, Any, Any]:
    """Rates of the middle crystal, and the slowest and the fastest within all limits."""

    def corners(name: str) -> list[float]:
        spread = grade.spreads.get(name)
        if spread is None:
            return [getattr(grade.crystal, name)]
        return [spread.mean - spread.limit, spread.mean, spread.mean + spread.limit]

    tolerances, parabolas, turnovers = map(
        corners, ("tolerance_ppm", "parabola_ppm_per_c2", "turnover_c")
    )
    rates = [
        _rate_ppm(Crystal(tolerance, parabola, turnover), curve_c)
        for tolerance in tolerances
        for parabola in parabolas
        for turnover in turnovers
    ]
    middle = Crystal(*(values[len(values) // 2] for values in (tolerances, parabolas, turnovers)))
    return _rate_ppm(middle, curve_c), np.min(rates, axis=0), np.max(rates, axis=0)
