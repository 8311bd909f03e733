"""A study as one HTML page with plots."""

from pathlib import Path

from tokenkit.errors import TokenkitError
from tokenkit.fleet.result import StudyResult
from tokenkit.report.files import check_folder, write_whole
from tokenkit.report.html import check_installed

_NAME = "index.html"
# stands in every page of ours, near its beginning
_OURS = b'<meta name="generator" content="tokenkit fleet study">'


def check_report(folder: Path) -> None:
    """Raise TokenkitError now if :func:`write_report` could not write into ``folder`` later.

    An ``index.html`` that no study made is not overwritten. Leaves nothing behind.
    """
    check_installed()
    check_folder(folder, [_NAME])
    path = folder / _NAME
    if path.exists():
        with path.open("rb") as file:
            if _OURS not in file.read(1000):
                raise TokenkitError(
                    f"{path} was not made by a study and is not overwritten: name another folder"
                )


def write_report(result: StudyResult, folder: Path, study: str = "STUDY.toml") -> Path:
    """Write ``index.html`` into ``folder``, whole or not at all; returns its path.

    ``study`` is what ``tokenkit fleet study`` was told to count. The same arguments give the same
    bytes. TokenkitError as of :func:`check_report`.
    """
    check_report(folder)
    from tokenkit.fleet.report.html import html_report

    text = html_report(result, study)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _NAME, text)
    return folder / _NAME
