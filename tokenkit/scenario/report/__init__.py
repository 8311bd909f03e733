"""What a run looks like: on the terminal, as JSON, as JUnit XML, as one HTML page."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tokenkit.errors import TokenkitError
from tokenkit.scenario.record import RunRecord
from tokenkit.scenario.report.json import json_report
from tokenkit.scenario.report.junit import junit_report


def check_reports(folder: Path) -> None:
    """Raise TokenkitError now if :func:`write_reports` could not write there later.

    Leaves nothing behind.
    """
    from tokenkit.scenario.report.html import check_installed

    check_installed()
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        finally:
            for each in missing:
                with suppress(OSError):
                    each.rmdir()
    except OSError as error:
        raise TokenkitError(f"cannot write reports into {folder}: {error.strerror}") from None
    for name in _REPORTS:
        if (folder / name).is_dir():
            raise TokenkitError(f"cannot write {folder / name}: there is a folder of that name")


def write_reports(run: RunRecord, folder: Path, unfinished: Sequence[str] = ()) -> Path:
    """Write report.json, junit.xml and index.html into ``folder``; returns the last's path.

    ``unfinished`` names the scenarios that were to be in ``run``, too, had it not been cut short.
    Each file is there as a whole or not at all, and depends on nothing but the arguments.
    """
    texts = {name: report(run, unfinished) for name, report in _REPORTS.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        _write(folder / name, text)
    return folder / "index.html"


def _html_report(run: RunRecord, unfinished: Sequence[str]) -> str:
    from tokenkit.scenario.report.html import html_report

    return html_report(run, unfinished)


_REPORTS = {"report.json": json_report, "junit.xml": junit_report, "index.html": _html_report}


def _write(path: Path, text: str) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode(errors="replace"))  # names of files may be no Unicode
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TokenkitError(f"cannot write {path}: {error.strerror}") from None
