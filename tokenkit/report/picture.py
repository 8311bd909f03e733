"""Pictures by matplotlib as files, PNG or SVG, in the colours that the pages have by day."""

from typing import Any, BinaryIO

import matplotlib as mpl
from matplotlib.figure import Figure

DAY_COLOURS = {
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
    "axes.edgecolor": DAY_COLOURS["grid"],
    "axes.labelcolor": DAY_COLOURS["muted"],
    "text.color": DAY_COLOURS["ink"],
    "xtick.labelcolor": DAY_COLOURS["muted"],
    "ytick.labelcolor": DAY_COLOURS["muted"],
}


def picture_style() -> Any:
    """The context in which a figure is made, drawn and saved."""
    return mpl.rc_context(_STYLE)


def save_picture(figure: Figure, file: BinaryIO, form: str) -> None:
    """Write it as ``form``, png or svg: the same bytes for the same figure."""
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    figure.savefig(file, format=form, dpi=110, metadata=metadata)
