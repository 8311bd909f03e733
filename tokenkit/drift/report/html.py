"""A diagnosis as one HTML page."""

from typing import Any

from tokenkit import __version__
from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
from tokenkit.drift.report import most_telling
from tokenkit.report.html import environment

_MOST = 50  # tokens with a picture


def html_report(diagnosis: Diagnosis) -> str:
    """The page as text: of the tokens that tell most with pictures, of all their sentences."""
    templates = environment("tokenkit.drift.report")
    pictured = {token.serial_number for token in most_telling(diagnosis, _MOST)}
    tokens = [
        {
            "token": token,
            "refused": any(row.accepted is False for row in token.placed),
            "pictures": _pictures(token, number) if token.serial_number in pictured else None,
        }
        for number, token in enumerate(diagnosis.tokens)
    ]
    return templates.get_template("template.html.j2").render(
        diagnosis=diagnosis,
        tokens=tokens,
        left_out=len(diagnosis.tokens) - len(pictured),
        server=_server_pictures(diagnosis) if diagnosis.server_faults else None,
        version=__version__,
    )


def _pictures(token: TokenDiagnosis, number: int) -> dict[str, Any]:
    from tokenkit.drift.plot import draw_token

    label = f"Clock of {token.serial_number}. {' '.join(token.sentences)}"
    return _sizes(
        lambda axes, colours, small: draw_token(axes, token, colours, small), label, f"t{number}"
    )


def _server_pictures(diagnosis: Diagnosis) -> dict[str, Any]:
    from tokenkit.drift.plot import draw_server

    label = "By what codes of all tokens are off. " + " ".join(diagnosis.sentences)
    return _sizes(
        lambda axes, colours, small: draw_server(axes, diagnosis, colours, small), label, "s"
    )


def _sizes(draw: Any, label: str, prefix: str) -> dict[str, Any]:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from tokenkit.report.svg import COLOURS, house_style, svg

    pictures = {}
    for size in ("small", "large"):
        small = size == "small"
        with house_style():
            figure = Figure(figsize=(5.4, 3.1) if small else (11, 4.2))
            axes = figure.add_axes((0.13, 0.13, 0.85, 0.75) if small else (0.07, 0.1, 0.92, 0.8))
            draw(axes, COLOURS, small)
            pictures[size] = Markup(svg(figure, label, f"{prefix}-{size}"))
    return pictures
