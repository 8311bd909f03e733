"""How a policy looks in every picture: a colour and a mark of its own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

from tokenkit.report.svg import COLOURS, SERIES

# Twelve marks and eight colours: no two policies of a study of up to 24 look alike.
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*")
_LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))


@dataclass(frozen=True)
class Look:
    """Of the policy that is ``number`` in its study, from 0 on."""

    number: int

    @property
    def name(self) -> str:
        """Of the page's colour: ``var(--NAME)``."""
        return SERIES[self.number % len(SERIES)]

    @property
    def colour(self) -> str:
        """For matplotlib."""
        return COLOURS[self.name]

    @property
    def marker(self) -> str:
        """For matplotlib."""
        return _MARKS[self.number % len(_MARKS)]

    @property
    def size(self) -> float:
        """Of the mark, in points: what is drawn later leaves the rim of what it hides."""
        return max(11 - 0.5 * self.number, 8)

    @property
    def line(self) -> Any:
        """A line style for matplotlib."""
        return _LINES[self.number % len(_LINES)]

    @property
    def outline(self) -> str:
        """The mark as the ``d`` of an SVG path, in a square of -1 to 1."""
        style = MarkerStyle(self.marker)
        path = style.get_path().transformed(style.get_transform())
        size = np.abs(path.vertices).max()
        parts = []
        for points, code in path.iter_segments(simplify=False):
            corners = points.reshape(-1, 2) / (size, -size)  # in SVG y grows downwards
            parts.append(_LETTERS[code] + " ".join(f"{x:.3f},{y:.3f}" for x, y in corners))
        return "".join("Z" if part[0] == "Z" else part for part in parts)


_LETTERS: dict[Any, str] = {
    Path.MOVETO: "M",
    Path.LINETO: "L",
    Path.CURVE3: "Q",
    Path.CURVE4: "C",
    Path.CLOSEPOLY: "Z",
}
