"""index.html: whole in itself, readable for all, and never fooled by a name."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tokenkit.errors import MissingExtraError
from tokenkit.report import html
from tokenkit.scenario import RunRecord
from tokenkit.scenario.report.html import html_report

# of the text of a page: see tests/tokenkit/page.py
ReadPage = Callable[[str], Any]


def test_names_are_text(record: RunRecord, read_page: ReadPage) -> None:
    page = read_page(html_report(record))
    assert "<script>alert(1)</script>" in page.text
    assert "<b>Ünusual</b> & odd" in page.text


def test_a_plot_a_token_said_in_words_too(record: RunRecord, read_page: ReadPage) -> None:
    page = read_page(html_report(record))
    labels = page.labels
    assert len(labels) == 2 * 2  # of few tokens there are large and small ones
    assert all(
        re.search(r"clock error .+ to .+, 3 accepted, 2 rejected, 1 resynchronised", str(label))
        for label in labels
    )
    assert any(tag == "use" and "href" in attributes for tag, attributes in page.tags)


def test_says_what_failed(record: RunRecord, read_page: ReadPage) -> None:
    text = read_page(html_report(record)).text
    assert "odd.toml" in text
    assert "out-of-window" in text
    assert "skipped" in text
    assert "1 step skipped" in text


def test_a_step_is_found_by_its_number(record: RunRecord, read_page: ReadPage) -> None:
    text = read_page(html_report(record)).text
    for step in record.scenarios[0].steps:
        assert f"{step.number:02d}" in text.split()


def test_the_legend_explains_what_is_there(record: RunRecord, read_page: ReadPage) -> None:
    [token, _] = record.scenarios[0].devices
    run = RunRecord(3, record.scenarios[:1])
    assert "resynchronised" in read_page(html_report(run)).text
    for attempt in token.attempts:
        attempt.outcome = "locked"
    token.windows.clear()
    text = read_page(html_report(run)).text
    assert "rejected" in text
    for word in ("resynchronised", "the verifier’s window", "too far off"):
        assert word not in text


def test_nothing_is_wider_than_a_phone(record: RunRecord) -> None:
    text = html_report(record)
    assert "overflow-x" not in text
    assert "min-width: 34rem" not in text


def test_is_the_same_again(record: RunRecord) -> None:
    assert html_report(record) == html_report(record)


def test_a_missing_package_is_named(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tokenkit\[report\]'"):
        html_report(record)
