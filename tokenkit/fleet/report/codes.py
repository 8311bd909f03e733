"""What an attacker can hit: how often so many codes were acceptable, a row of bars a policy."""

from matplotlib.ticker import MaxNLocator

from tokenkit.fleet.report.axes import make_axes
from tokenkit.fleet.report.looks import Look
from tokenkit.fleet.result import Cell
from tokenkit.report.svg import COLOURS, house_style, svg

# more different numbers than that share bars
_MOST_BARS = 44
_ROW, _EDGES = 0.7, 0.85  # inches


def codes(cells: list[Cell], label: str, prefix: str, beside: list[Cell]) -> str:
    """Rows in the study's order; in all of them a bar's height is a share of all moments.

    The axis has room for the cells ``beside``, too, so that pictures compare.
    """
    with house_style():
        picture, axes = make_axes(True, left=0.1, height=_EDGES + _ROW * len(cells))
        most = max(len(cell.codes.moments) for cell in [*cells, *beside]) - 1
        width = -(-(most + 1) // _MOST_BARS)
        rows = [_shares(cell.codes.moments, width) for cell in cells]
        tallest = max(max(row) for row in rows) or 1.0
        for number, (row, cell) in enumerate(zip(rows, cells, strict=True)):
            look = Look(number)
            bottom = float(len(cells) - 1 - number)
            axes.bar(
                [(place + 0.5) * width - 0.5 for place in range(len(row))],
                [0.62 * share / tallest for share in row],
                width=0.86 * width,
                bottom=bottom,
                color=look.colour,
                zorder=3,
            )
            axes.axhline(bottom, color=COLOURS["grid"], linewidth=0.8, zorder=2)
            axes.annotate(
                cell.policy,
                (0, bottom + 0.94),
                (2, 0),
                xycoords=axes.get_yaxis_transform(),
                textcoords="offset points",
                va="top",
                color=look.colour,
                fontsize=10,
                zorder=4,
            )
        axes.set_xlim(-0.7, most + 0.7)
        axes.set_ylim(-0.03, len(cells))
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel("codes that would have been accepted")
        return svg(picture, label, prefix)


def _shares(moments: list[int], width: int) -> list[float]:
    """Of all moments, the share with 0 to ``width`` - 1 codes, and so on."""
    total = sum(moments) or 1
    return [sum(moments[at : at + width]) / total for at in range(0, len(moments), width)]
