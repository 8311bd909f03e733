"""The picture one chooses a policy by: what it costs its users against what it lets guess."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from tokenkit.fleet.report.axes import make_axes, set_scale
from tokenkit.fleet.report.labels import name_points
from tokenkit.fleet.report.looks import Look
from tokenkit.fleet.result import Cell, Estimate
from tokenkit.report.svg import COLOURS, house_style, svg


def trade_off(
    cells: Sequence[Cell], small: bool, label: str, prefix: str, beside: Sequence[Cell] = ()
) -> str:
    """One point a policy, with bars for the 95 % intervals; ``cells`` in the study's order.

    The axes are such as have room for the cells ``beside``, too, so that pictures compare.
    """
    with house_style():
        picture, axes = make_axes(small)
        every = [*cells, *beside]
        set_scale(axes, "x", [each for cell in every for each in _values(_across(cell))])
        floor = set_scale(axes, "y", [each for cell in every for each in _values(_up(cell))])
        named, bars = [], []
        for number, cell in enumerate(cells):
            x, y = _across(cell), _up(cell)
            if x.value is not None and y.value is not None:
                look = Look(number)
                bars.append(_draw(axes, look, x, y, floor))
                named.append((x.value, max(y.value, floor), look, cell.policy))
        axes.set_xlabel("acceptable codes, on average")
        axes.set_ylabel("lock-outs per 1,000 token-years")
        picture.text(0.004, 0.02, "↙ better", color=COLOURS["muted"], fontsize=10)
        if not small:
            name_points(axes, named, bars)
        return svg(picture, label, prefix)


def _across(cell: Cell) -> Estimate:
    return cell.codes.mean


def _up(cell: Cell) -> Estimate:
    return cell.lock_outs.per_1000_token_years


def _values(estimate: Estimate) -> list[float]:
    every = (estimate.low, estimate.value, estimate.high)
    return [each for each in every if each is not None]


def _draw(axes: Axes, look: Look, x: Estimate, y: Estimate, floor: float) -> Bbox:
    """Its mark is hollow where nothing was counted: the truth is somewhere on the bar above.

    Returns where its upright bar is, in pixels.
    """
    left, right = min(_values(x)), max(_values(x))
    low, high = max(min(_values(y)), floor), max(*_values(y), floor)
    middle, at = x.value or 0.0, max(y.value or 0.0, floor)
    style: Any = {"color": look.colour, "linewidth": 1.6, "solid_capstyle": "butt", "zorder": 3}
    axes.plot([middle, middle], [low, high], **style)
    axes.plot([left, right], [at, at], **style)
    axes.plot(
        [middle],
        [at],
        marker=look.marker,
        markersize=look.size,
        color=look.colour if y.value else COLOURS["paper"],
        markeredgecolor=COLOURS["paper"] if y.value else look.colour,
        markeredgewidth=1.2,
        linestyle="none",
        clip_on=False,
        zorder=4,
    )
    return Bbox(axes.transData.transform([(middle, low), (middle, high)])).padded(3)
