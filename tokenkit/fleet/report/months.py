"""When people were locked out: how often, over the months since the study's start."""

from matplotlib.ticker import MultipleLocator

from tokenkit.fleet.report.axes import make_axes, set_scale
from tokenkit.fleet.report.labels import name_ends
from tokenkit.fleet.report.looks import Look
from tokenkit.fleet.result import Cell
from tokenkit.report.svg import house_style, svg

# as many points on a line, or fewer: with more, chance hides what lasts
_POINTS = 12


def months(cells: list[Cell], small: bool, label: str, prefix: str) -> str:
    """One line a policy, a point for each of some spells; ``cells`` in the study's order."""
    with house_style():
        longest = max(len(cell.policy) for cell in cells)
        picture, axes = make_axes(small, right=0.25 if small else 0.5 + 0.085 * longest)
        curves = [spells(cell) for cell in cells]
        floor = set_scale(axes, "y", [rate for curve in curves for _, rate in curve])
        axes.set_xlim(0, max(len(cells[0].months.lock_outs), 1))
        ends = []
        for number, (curve, cell) in enumerate(zip(curves, cells, strict=True)):
            look = Look(number)
            across, up = [at for at, _ in curve], [max(rate, floor) for _, rate in curve]
            axes.plot(
                across,
                up,
                color=look.colour,
                linestyle=look.line,
                linewidth=1.6,
                marker=look.marker,
                markersize=0.6 * look.size,
                clip_on=False,
                zorder=3,
            )
            ends.append((across[-1], up[-1], look, cell.policy))
        every = _every(len(cells[0].months.lock_outs), small)
        axes.xaxis.set_major_locator(MultipleLocator(every))
        axes.set_xlabel("months since the start")
        axes.set_ylabel("lock-outs per 1,000 token-years")
        if not small:
            name_ends(axes, ends)
        return svg(picture, label, prefix)


def spells(cell: Cell) -> list[tuple[float, float]]:
    """(months since the start, lock-outs per 1,000 token-years) at the middle of each spell."""
    counts = cell.months.lock_outs
    # the last month may be part of one, in which each token was for its share of all the time
    length = 12 * cell.token_years / cell.tokens
    step = -(-len(counts) // _POINTS)
    found = []
    for first in range(0, len(counts), step):
        end = min(first + step, length) if first + step >= len(counts) else first + step
        years = cell.tokens * max(end - first, 1e-9) / 12
        found.append(((first + end) / 2, 1000 * sum(counts[first : first + step]) / years))
    return found


def _every(last: int, small: bool) -> int:
    """Months between two marks of the axis: about six or twelve of them."""
    return next((step for step in (1, 2, 3, 6, 12, 24) if last / step <= (6 if small else 12)), 60)
