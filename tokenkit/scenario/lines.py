"""On which line of a TOML text a value stands: tomllib tells only what it is."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable

Path = tuple[str | int, ...]


class Lines:
    """The lines of ``text``, which tomllib has accepted.

    ``lines[path]`` is the line (from 1) of the key or array element at ``path``, such as
    ``("step", 3, "user")``; of its nearest ancestor if it is not there.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [newline.start() for newline in re.finditer("\n", text)]
        self._at = 0
        self._found: dict[Path, int] = {(): 1}
        self._tables: dict[Path, int] = {}  # arrays of tables: index of the last one
        self._scan()

    def __getitem__(self, path: Iterable[str | int]) -> int:
        path = tuple(path)
        while path not in self._found:
            path = path[:-1]
        return self._found[path]

    def _scan(self) -> None:
        table: Path = ()
        while self._skip(" \t\r\n"):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _skip(self, blanks: str) -> bool:
        """Go past ``blanks`` and comments; False at the end."""
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                self._to(self._text.find("\n", self._at))
            elif self._text[self._at] not in blanks:
                return True
            else:
                self._at += 1
        return False

    def _to(self, position: int) -> None:
        self._at = position if position >= 0 else len(self._text)

    def _note(self, path: Path) -> None:
        self._found.setdefault(path, bisect_left(self._ends, self._at) + 1)

    def _header(self) -> Path:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        start = self._at
        self._at += brackets
        names = self._key("]")
        end, self._at = self._at, start
        path: Path = ()
        for number, name in enumerate(names):
            path += (name,)
            if brackets == 2 and number == len(names) - 1:
                self._note(path)
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path += (self._tables[path],)
            self._note(path)
        self._at = end + brackets
        return path

    def _key(self, end: str) -> list[str]:
        """A dotted key up to ``end``."""
        names: list[str] = []
        while True:
            self._skip(" \t.")
            char = self._text[self._at]
            if char == end:
                return names
            start = self._at
            if char in "\"'":
                self._string()
                names.append(_unquote(self._text[start : self._at]))
            else:
                while self._text[self._at] not in f" \t.{end}":
                    self._at += 1
                names.append(self._text[start : self._at])

    def _pair(self, table: Path) -> None:
        start = self._at
        names = self._key("=")
        end, self._at = self._at, start
        for name in names:
            table += (name,)
            self._note(table)
        self._at = end + 1
        self._value(table)

    def _value(self, path: Path) -> None:
        self._skip(" \t")
        char = self._text[self._at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self._array(path)
        elif char == "{":
            self._inline_table(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\r\n":
                self._at += 1

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._skip(" \t\r\n,") and self._text[self._at] != "]":
            self._note((*path, index))
            self._value((*path, index))
            index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip(" \t\r\n,") and self._text[self._at] != "}":
            self._pair(path)
        self._at += 1

    def _string(self) -> None:
        quote = self._text[self._at]
        fence = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(fence)
        while not self._text.startswith(fence, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(fence)
        # """a"""" ends in a quote of its own
        while len(fence) == 3 and self._text.startswith(quote, self._at):
            self._at += 1


def _unquote(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 0")))
