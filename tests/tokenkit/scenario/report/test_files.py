"""Writing the reports: each whole or not at all."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.scenario import RunRecord, parse, run
from tokenkit.scenario.report import check_reports, write_reports

SCENARIO = 'title = "A user"\nstep = [{do = "create-user", user = "ann"}]\n'
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
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "taken/junit.xml").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    for name in ("new", "deep/er/still", "deep/../new"):
        check_reports(tmp_path / name)
    for name in ("file", "file/under", "nowhere", "taken", "new/" + "x" * 300):
        with pytest.raises(TokenkitError, match="cannot write"):
            check_reports(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_was_cut_short_is_said_in_each(tmp_path: Path) -> None:
    write_reports(RunRecord(3, [run(parse(SCENARIO, "held.toml"), 3)]), tmp_path, ["held", "never"])
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (report["held"], report["unfinished"]) == (False, ["held", "never"])
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [suite.get("name") for suite in root] == ["held", "held-2", "never"]
    assert (root.get("tests"), root.get("errors")) == ("3", "2")
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "The run was cut short" in page
    assert "held, never" in page
