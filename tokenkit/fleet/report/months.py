"""When people were locked out: lock-outs so far, over the months since the study's start."""

from itertools import accumulate

from matplotlib.ticker import MultipleLocator

from tokenkit.fleet.report.axes import make_axes
from tokenkit.fleet.report.labels import name_ends
from tokenkit.fleet.report.looks import Look
from tokenkit.fleet.result import Cell
from tokenkit.report.svg import house_style, svg


def months(cells: list[Cell], small: bool, label: str, prefix: str) -> str:
    """One line a policy, whose slope is how often it locks out; ``cells`` in the study's order."""
    with house_style():
        longest = max(len(cell.policy) for cell in cells)
        picture, axes = make_axes(small, right=0.25 if small else 0.4 + 0.085 * longest)
        curves = [_so_far(cell) for cell in cells]
        last = max(len(curve) for curve in curves) - 1
        axes.set_xlim(0, max(last, 1))
        axes.set_ylim(0, 1.06 * max(max(max(curve) for curve in curves), 1e-9))
        for number, curve in enumerate(curves):
            look = Look(number)
            axes.plot(
                range(len(curve)),
                curve,
                color=look.colour,
                linestyle=look.line,
                linewidth=1.8,
                marker=look.marker,
                markevery=[len(curve) - 1],
                markersize=7,
                clip_on=False,
                zorder=3,
            )
        axes.xaxis.set_major_locator(MultipleLocator(_every(last, small)))
        axes.set_xlabel("months since the start")
        axes.set_ylabel("lock-outs so far, per 1,000 tokens")
        if not small:
            name_ends(
                axes,
                [
                    (len(curve) - 1, curve[-1], Look(number), cell.policy)
                    for number, (curve, cell) in enumerate(zip(curves, cells, strict=True))
                ],
            )
        return svg(picture, label, prefix)


def _so_far(cell: Cell) -> list[float]:
    """Lock-outs per 1,000 tokens up to the end of each month, from 0 at the start."""
    return [0.0, *(1000 * count / cell.tokens for count in accumulate(cell.months.lock_outs))]


def _every(last: int, small: bool) -> int:
    """Months between two marks of the axis: about six or twelve of them."""
    return next((step for step in (1, 2, 3, 6, 12, 24) if last / step <= (6 if small else 12)), 60)
