"""index.html of a study: whole in itself, readable for all, and never fooled by a name."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tokenkit import __version__
from tokenkit.errors import MissingExtraError
from tokenkit.fleet.report.html import html_report
from tokenkit.fleet.result import Cell, StudyResult
from tokenkit.report import html

from .made import COUNTS, NAMES, study_result


def test_names_are_text(page: Any) -> None:
    assert "<script>adaptive</script>" in page.text
    assert "A <study> & more" in page.text
    assert "drawer <b>" in page.text


def test_is_the_same_again(result: StudyResult, text: str) -> None:
    assert html_report(StudyResult.from_json(result.to_json())) == text


def test_the_table_has_every_policy_and_batch(result: StudyResult, page: Any) -> None:
    rows = [attributes for tag, attributes in page.tags if tag == "th"]
    assert len([a for a in rows if a.get("scope") == "row"]) == len(COUNTS) * (len(NAMES) + 1)
    assert len([a for a in rows if a.get("scope") == "rowgroup"]) == len(NAMES) + 1
    assert "all batches · 6,000 tokens" in page.text
    cells = [a for tag, a in page.tags if tag == "td"]
    assert all(a["data-label"] for a in cells)


def test_says_which_tokens_are_replaced(page: Any) -> None:
    assert any(a.get("data-label") == "replaced" for tag, a in page.tags if tag == "td")
    words = " ".join(page.text.split())
    assert "that two consecutive codes did not find after a lock-out, and those that enrol" in words


def test_pictures_are_said_in_words_too(page: Any) -> None:
    trade, months, codes = (
        [label for label in page.labels if label.startswith(f"{start} ")]
        for start in (
            "Lock-outs per 1,000 token-years against",
            "Lock-outs per 1,000 token-years over",
            "How often",
        )
    )
    assert (len(trade), len(months), len(codes)) == (2 + len(NAMES), 2, len(NAMES))
    assert all(name in label for name in COUNTS for label in page.labels)
    assert "29 (27 to 32) lock-outs, 3.00 codes" in trade[0]


def test_says_what_was_assumed_and_how_to_run_it_again(page: Any) -> None:
    for words in (
        "Three codes are tried before one gives up.",
        "2000 tokens in warehouse",
        "rules of wide",
        "tokenkit fleet study STUDY.toml --report report",
        "seed (7)",
        f"tokenkit[fleet]=={__version__}",
        "3 years from 2026-01-01 on",
    ):
        assert words in page.text


def test_no_percent_sign_stands_alone_on_a_line(text: str) -> None:
    assert not re.search(r"\d %", text)


def test_every_policy_has_a_look_of_its_own(read_page: Any) -> None:
    many = {f"policy {n}": [(n, 3.0 + n)] for n in range(20)}
    page = read_page(html_report(study_result(many, ["desk"])))
    marks = [
        (a["d"], a["fill"])
        for tag, a in page.tags
        if tag == "path" and "series" in str(a.get("fill"))
    ]
    assert len(set(marks)) == 20


def test_one_batch_is_not_shown_twice(read_page: Any) -> None:
    page = read_page(html_report(study_result({"a": [(5, 3.0)], "b": [(1, 3.0)]}, ["desk"])))
    assert "all batches" not in page.text
    assert len([label for label in page.labels if "against" in label]) == 2


def test_any_printable_name_will_do(read_page: Any) -> None:
    names = ["$x^", "$\\frac$", "日本語 & ελληνικά", "x" * 60, "a%s{b}"]
    made = study_result({name: [(n, 3.0)] * 2 for n, name in enumerate(names)}, ["desk", "$"])
    page = read_page(html_report(made))
    for name in names:
        assert page.text.count(name) >= 8  # in the pictures, too


@pytest.mark.parametrize("counts", [0, 1])
@pytest.mark.parametrize("policies", [1, 2])
def test_little_happened(counts: int, policies: int, read_page: Any) -> None:
    made = study_result({f"p{n}": [(counts * n, 0.0)] for n in range(policies)}, ["desk"])
    read_page(html_report(made))


def test_a_month_and_none(read_page: Any) -> None:
    made = study_result({"a": [(2, 3.0)]}, ["desk"])
    short = [_cut(cell) for cell in made.cells]
    made = msgspec.structs.replace(
        made, cells=short, years=0.05, start=datetime(9990, 1, 1, tzinfo=UTC)
    )
    assert "0.05 years from 9990-01-01" in read_page(html_report(made)).text


def _cut(cell: Cell) -> Cell:
    months = msgspec.structs.replace(cell.months, lock_outs=[2], rejections=[2], sign_ins=[9])
    return msgspec.structs.replace(cell, months=months)


def test_a_missing_package_is_named(result: StudyResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tokenkit\[report\]'"):
        html_report(result)
