"""One picture of several tokens, one below the other."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
from tokenkit.drift.plot import draw_server, draw_token

# the pages' own by day
_COLOURS = {
    "ink": "#1b212c",
    "muted": "#5b6577",
    "grid": "#dfe3ea",
    "curve": "#33415c",
    "window": "#bfe3cf",
    "ok": "#136f43",
    "bad": "#c9302c",
    "sync": "#6d44c4",
    "place-b": "#e9edf8",
}
_STYLE: Any = {
    "svg.hashsalt": "tokenkit",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": _COLOURS["grid"],
    "axes.labelcolor": _COLOURS["muted"],
    "text.color": _COLOURS["ink"],
    "xtick.labelcolor": _COLOURS["muted"],
    "ytick.labelcolor": _COLOURS["muted"],
}


def figure(
    diagnosis: Diagnosis, tokens: Sequence[TokenDiagnosis], file: BinaryIO, form: str
) -> None:
    """Write it into ``file`` as ``form``, png or svg."""
    servers = bool(diagnosis.server_faults)
    count = len(tokens) + servers
    with mpl.rc_context(_STYLE):
        made = Figure(figsize=(11, 3.6 * count), layout="constrained")
        FigureCanvasAgg(made)
        panels = list(made.subplots(count, 1, squeeze=False)[:, 0])
        if servers:
            axes = panels.pop(0)
            draw_server(axes, diagnosis, _COLOURS)
            axes.set_title("the server", loc="left", pad=18, fontsize=11, fontweight="bold")
        for axes, token in zip(panels, tokens, strict=True):
            draw_token(axes, token, _COLOURS)
            axes.set_title(token.serial_number, loc="left", pad=18, fontsize=11, fontweight="bold")
        metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
        made.savefig(file, format=form, dpi=110, metadata=metadata)
