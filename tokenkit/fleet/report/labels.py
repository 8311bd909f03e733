"""Names beside the points of a plot, where there is room for them."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from tokenkit.fleet.report.looks import Look

Named = tuple[float, float, Look, str]

_LINE = 15.0  # points from one line of text to the next
# Where a name stands from its point, in points: the nearest free place of these is taken.
_PLACES: list[tuple[float, float, str]] = sorted(
    (
        (side * across, _LINE * line, "left" if side > 0 else "right")
        for side in (1, -1)
        for across in (9, 24, 48)
        for line in range(-6, 7)
    ),
    key=lambda place: abs(place[0]) + abs(place[1]) + (6 if place[0] < 0 else 0),
)


def name_points(axes: Axes, points: Sequence[Named], taken: Sequence[Bbox]) -> None:
    """Write each name beside its (x, y), not over others nor over ``taken`` (in pixels).

    A line leads from a name that stands farther away to its point.
    """
    canvas: Any = FigureCanvasAgg(axes.get_figure(root=True))
    renderer = canvas.get_renderer()
    dots = axes.figure.get_dpi() / 72
    inside = axes.figure.bbox
    used = [*taken]
    for x, y, _, _ in points:
        at = axes.transData.transform((x, y))
        used.append(Bbox([at - 6 * dots, at + 6 * dots]))
    for x, y, look, text in points:
        name: Any = axes.annotate(
            text,
            (x, y),
            (0, 0),
            textcoords="offset points",
            va="center",
            color=look.colour,
            annotation_clip=False,
        )
        size = name.get_window_extent(renderer)
        at = axes.transData.transform((x, y))
        for across, up, side in _PLACES:
            left = at[0] + across * dots - (size.width if side == "right" else 0)
            middle = at[1] + up * dots
            box = Bbox.from_bounds(left, middle - size.height / 2, size.width, size.height)
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1 and axes.bbox.y0 <= box.y0
            if fits and not any(box.overlaps(other) for other in used):
                break
        used.append(box)
        name.xyann = (across, up)
        name.set_ha(side)
        if abs(across) + abs(up) > _LINE:
            axes.annotate(
                "",
                (x, y),
                (across, up),
                textcoords="offset points",
                arrowprops={
                    "arrowstyle": "-",
                    "color": look.colour,
                    "linewidth": 0.7,
                    "shrinkA": 0,
                    "shrinkB": 6,
                },
            )


def name_ends(axes: Axes, ends: Sequence[Named]) -> None:
    """Write each name at the right of the axes, as near its (x, y) as others leave room."""
    step = _LINE / 72 * axes.figure.get_dpi() / axes.bbox.height
    to_axes = axes.transData + axes.transAxes.inverted()
    placed = sorted(
        ((float(to_axes.transform((x, y))[1]), look, text) for x, y, look, text in ends),
        key=lambda each: each[0],
    )
    heights = _apart([height for height, _, _ in placed], step)
    for at, (_, look, text) in zip(heights, placed, strict=True):
        axes.annotate(
            text,
            (1, at),
            (10, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=look.colour,
            annotation_clip=False,
        )


def _apart(heights: list[float], step: float) -> list[float]:
    """``heights``, ascending, moved as little as keeps them ``step`` apart and within 0 to 1."""
    made = list(heights)
    for _ in range(200):
        for i in range(1, len(made)):
            lack = step - (made[i] - made[i - 1])
            if lack > 0:
                made[i - 1] -= lack / 2
                made[i] += lack / 2
        if made:
            made[0] = max(made[0], step / 2)
            made[-1] = min(made[-1], 1 - step / 2)
    return made
