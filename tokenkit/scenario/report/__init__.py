"""What a run looks like: on the terminal, as JSON, as JUnit XML, as one HTML page."""

from collections.abc import Sequence
from pathlib import Path

from tokenkit.report.files import check_folder, write_whole
from tokenkit.report.html import check_installed
from tokenkit.scenario.record import RunRecord
from tokenkit.scenario.report.json import json_report
from tokenkit.scenario.report.junit import junit_report


def check_reports(folder: Path) -> None:
    """Raise TokenkitError now if :func:`write_reports` could not write there later.

    Leaves nothing behind.
    """
    check_installed()
    check_folder(folder, _REPORTS)


def write_reports(run: RunRecord, folder: Path, unfinished: Sequence[str] = ()) -> Path:
    """Write report.json, junit.xml and index.html into ``folder``; returns the last's path.

    ``unfinished`` names the scenarios that were to be in ``run``, too, had it not been cut short.
    Each file is there as a whole or not at all, and depends on nothing but the arguments.
    """
    texts = {name: report(run, unfinished) for name, report in _REPORTS.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(folder / name, text)
    return folder / "index.html"


def _html_report(run: RunRecord, unfinished: Sequence[str]) -> str:
    from tokenkit.scenario.report.html import html_report

    return html_report(run, unfinished)


_REPORTS = {"report.json": json_report, "junit.xml": junit_report, "index.html": _html_report}
