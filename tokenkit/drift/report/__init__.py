"""A diagnosis as pictures and as one HTML page."""

from importlib.util import find_spec
from pathlib import Path

from tokenkit.drift.diagnosis import Diagnosis, TokenDiagnosis
from tokenkit.errors import MissingExtraError, TokenkitError
from tokenkit.report.files import check_folder, whole_file, write_whole
from tokenkit.report.html import check_installed

_NAME = "index.html"
_OURS = b'<meta name="generator" content="tokenkit drift diagnose">'
_MOST = 8  # tokens in one picture


def check_plot(path: Path) -> None:
    """Raise TokenkitError now if :func:`write_plot` could not write there later."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError("a plot", "report")
    check_folder(path.parent, [path.name])


def check_report(folder: Path) -> None:
    """The same for :func:`write_report`; a page that no diagnosis made is not overwritten."""
    check_installed()
    check_folder(folder, [_NAME])
    path = folder / _NAME
    if path.exists():
        with path.open("rb") as file:
            if _OURS not in file.read(1000):
                raise TokenkitError(
                    f"{path} was not made by a diagnosis and is not overwritten:"
                    " name another folder"
                )


def most_telling(diagnosis: Diagnosis, most: int) -> list[TokenDiagnosis]:
    """Up to so many tokens of which there is something to draw, first those with events."""
    drawn = [token for token in diagnosis.tokens if token.track]
    drawn.sort(key=lambda token: (not token.changes, token.serial_number))
    return sorted(drawn[:most], key=lambda token: token.serial_number)


def write_plot(diagnosis: Diagnosis, path: Path) -> None:
    """PNG or SVG, as ``path`` ends, of the tokens that tell most, and of the server's faults."""
    from tokenkit.drift.report.figure import figure

    tokens = most_telling(diagnosis, _MOST)
    if not tokens:
        raise TokenkitError(f"there is nothing to draw into {path}: no code could be placed")
    with whole_file(path) as file:
        figure(diagnosis, tokens, file, path.suffix.lower().removeprefix("."))


def write_report(diagnosis: Diagnosis, folder: Path) -> Path:
    """Write ``index.html`` into ``folder``, whole or not at all; returns its path."""
    check_report(folder)
    from tokenkit.drift.report.html import html_report

    text = html_report(diagnosis)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _NAME, text)
    return folder / _NAME
