"""Writing the page: whole or not at all, and never over what is not ours."""

import os
from pathlib import Path

import pytest

from tokenkit.errors import TokenkitError
from tokenkit.fleet.report import check_report, write_report
from tokenkit.fleet.result import StudyResult


def test_one_file_and_no_other(result: StudyResult, text: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep/er"
    check_report(folder)
    assert not folder.parent.exists()
    assert write_report(result, folder) == folder / "index.html"
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    assert (folder / "index.html").read_text("utf-8") == text
    write_report(result, folder)  # over our own
    assert (folder / "index.html").read_text("utf-8") == text


@pytest.mark.parametrize("held", [b"", b"<!doctype html><title>Mine</title>", b"\xff\x00"])
def test_a_page_of_others_stays(held: bytes, result: StudyResult, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_bytes(held)
    for write in (lambda: check_report(tmp_path), lambda: write_report(result, tmp_path)):
        with pytest.raises(TokenkitError, match="was not made by a study"):
            write()
    assert page.read_bytes() == held


def test_a_full_disk_leaves_the_old_page(
    result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(result, tmp_path)
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TokenkitError, match=r"index\.html: No space left"):
        write_report(result, tmp_path)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [before]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken/index.html").mkdir(parents=True)
    for name in ("file", "file/under", "taken", "new/" + "x" * 300):
        with pytest.raises(TokenkitError, match="cannot write"):
            check_report(tmp_path / name)
