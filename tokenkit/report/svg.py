"""Pictures by matplotlib as inline SVG, in the colours of the page around them."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# told apart by those who see few colours, too; a mark goes with each all the same
SERIES = tuple(f"series-{number}" for number in range(1, 9))
_NAMES = (
    *("ink", "muted", "grid", "curve", "window", "edge", "ok", "bad", "sync", "server"),
    *("place-a", "place-b", "paper"),
    *SERIES,
)
# Colours that stand for the page's own (``--ink`` …), which follow its light or dark theme.
COLOURS = {name: f"#{number:02x}{number:02x}{number:02x}" for number, name in enumerate(_NAMES, 1)}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tokenkit",
    "text.parse_math": False,  # a name may have a $ in it
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": COLOURS["grid"],
    "axes.labelcolor": COLOURS["muted"],
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["grid"],
    "ytick.color": COLOURS["grid"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def house_style() -> Iterator[None]:
    """The context in which a figure is made, drawn and turned into SVG."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # the page's fonts are the reader's, which have what matplotlib's lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def svg(figure: Figure, label: str, prefix: str) -> str:
    """An ``<svg>`` element; ``label`` is its text alternative, ``prefix`` makes its ids unique."""
    FigureCanvasSVG(figure)
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    return _inline(file.getvalue().decode(), label, prefix)


def _inline(document: str, label: str, prefix: str) -> str:
    """The ``<svg>`` of a document, fit to stand beside others in a page."""
    text = document[document.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # namespaces are implied in HTML, and are the only addresses in the file
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    return text.replace("<svg", f'<svg role="img" aria-label={quoteattr(label)}', 1).replace(
        "xlink:href", "href"
    )
