"""Writing the reports: each whole or not at all."""

import os
from pathlib import Path

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.scenario import RunRecord
from tokenkit.scenario.report import check_reports, write_reports

NAMES = {"index.html", "junit.xml", "report.json"}


def test_three_files_and_no_other(record: RunRecord, tmp_path: Path) -> None:
    folder = tmp_path / "deep/er"
    assert write_reports(record, folder) == folder / "index.html"
    assert {path.name for path in folder.iterdir()} == NAMES
    before = {path: path.read_bytes() for path in folder.iterdir()}
    write_reports(record, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_full_disk_leaves_the_old_report(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reports(record, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TokenkitError, match=r"report\.json: No space left"):
        write_reports(RunRecord(4), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_found_before_the_run(tmp_path: Path) -> None:
    check_reports(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenkitError, match="cannot write reports into"):
        check_reports(tmp_path / "file")
