"""index.html: whole in itself, readable for all, and never fooled by a name."""

import re
from html.parser import HTMLParser

import pytest

from tokenkit.errors import MissingExtraError
from tokenkit.report import html
from tokenkit.scenario import RunRecord
from tokenkit.scenario.report.html import html_report

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags must close in order; ``ids`` and the attributes of each tag are kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_needs_nothing_else(record: RunRecord) -> None:
    text = html_report(record)
    page = Page(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert not re.search(r"https?://|@import|url\((?!#)", text)


def test_names_are_text(record: RunRecord) -> None:
    page = Page(html_report(record))
    assert "<script>alert(1)</script>" in page.text
    assert "<b>Ünusual</b> & odd" in page.text


def test_a_plot_a_token_said_in_words_too(record: RunRecord) -> None:
    page = Page(html_report(record))
    labels = [a["aria-label"] for tag, a in page.tags if tag == "svg" and "aria-label" in a]
    assert len(labels) == 2 * 2  # of few tokens there are large and small ones
    assert all(
        re.search(r"clock error .+ to .+, 3 accepted, 2 rejected, 1 resynchronised", str(label))
        for label in labels
    )
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {
        str(attributes["href"])[1:]
        for tag, attributes in page.tags
        if tag == "use" and "href" in attributes
    }
    assert used
    assert used <= set(ids)


def test_says_what_failed(record: RunRecord) -> None:
    text = Page(html_report(record)).text
    assert "odd.toml" in text
    assert "out-of-window" in text
    assert "skipped" in text
    assert "1 step skipped" in text


def test_a_step_is_found_by_its_number(record: RunRecord) -> None:
    text = Page(html_report(record)).text
    for step in record.scenarios[0].steps:
        assert f"{step.number:02d}" in text.split()


def test_the_legend_explains_what_is_there(record: RunRecord) -> None:
    [token, _] = record.scenarios[0].devices
    run = RunRecord(3, record.scenarios[:1])
    assert "resynchronised" in Page(html_report(run)).text
    for attempt in token.attempts:
        attempt.outcome = "locked"
    token.windows.clear()
    text = Page(html_report(run)).text
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
