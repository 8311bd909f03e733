"""An HTML page as a test looks at it."""

import re
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags must close in order, ids be unique and used ones there; nothing comes from elsewhere.

    ``tags`` are all with their attributes, ``text`` is all of the text.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []
        self._needs_nothing_else(text)
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        used = {a["href"] for tag, a in self.tags if tag in {"use", "a"} and "href" in a}
        assert used <= {f"#{each}" for each in ids}

    def _needs_nothing_else(self, text: str) -> None:
        assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in self.tags}
        for _, attributes in self.tags:
            for name in ("href", "src", "xlink:href"):
                assert (attributes.get(name) or "#").startswith("#")
        assert not re.search(r"https?://|@import|url\((?!#)", text)

    @property
    def labels(self) -> list[str]:
        """The text alternatives of all pictures."""
        return [str(a["aria-label"]) for tag, a in self.tags if tag == "svg" and "aria-label" in a]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
