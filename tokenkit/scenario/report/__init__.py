"""What a run looks like: on the terminal, as JSON, as JUnit XML, as one HTML page."""

import os
import tempfile
from pathlib import Path

from tokenkit.errors import TokenkitError
from tokenkit.scenario.record import RunRecord
from tokenkit.scenario.report.json import json_report
from tokenkit.scenario.report.junit import junit_report


def check_reports(folder: Path) -> None:
    """Raise TokenkitError now if :func:`write_reports` could not write there later."""
    from tokenkit.scenario.report.html import check_installed

    check_installed()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise TokenkitError(f"cannot write reports into {folder}: {error.strerror}") from None


def write_reports(run: RunRecord, folder: Path) -> Path:
    """Write report.json, junit.xml and index.html into ``folder``; returns the last's path.

    Each file is there as a whole or not at all, and depends on nothing but ``run``.
    """
    from tokenkit.scenario.report.html import html_report

    texts = {
        "report.json": json_report(run),
        "junit.xml": junit_report(run),
        "index.html": html_report(run),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        _write(folder / name, text)
    return folder / "index.html"


def _write(path: Path, text: str) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise TokenkitError(f"cannot write {path}: {error.strerror}") from None
