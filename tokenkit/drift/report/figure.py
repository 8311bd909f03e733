"""One picture of several tokens, one below the other."""

from collections.abc import Sequence
from typing import BinaryIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
from tokenkit.drift.plot import draw_server, draw_token
from tokenkit.report.picture import DAY_COLOURS, picture_style, save_picture

_WIDTH, _PANEL = 11.0, 3.7  # inches


def figure(
    diagnosis: Diagnosis, tokens: Sequence[TokenDiagnosis], file: BinaryIO, form: str
) -> None:
    """Write it into ``file`` as ``form``, png or svg."""
    servers = bool(diagnosis.server_faults)
    count = len(tokens) + servers
    with picture_style():
        made = Figure(figsize=(_WIDTH, _PANEL * count))
        FigureCanvasAgg(made)
        panels = [
            made.add_axes((0.07, 1.0 - (number + 0.85) / count, 0.92, 0.68 / count))
            for number in range(count)
        ]
        if servers:
            axes = panels.pop(0)
            draw_server(axes, diagnosis, DAY_COLOURS)
            axes.set_title("the server", loc="left", pad=18, fontsize=11, fontweight="bold")
        for axes, token in zip(panels, tokens, strict=True):
            draw_token(axes, token, DAY_COLOURS)
            axes.set_title(token.serial_number, loc="left", pad=18, fontsize=11, fontweight="bold")
        save_picture(made, file, form)
