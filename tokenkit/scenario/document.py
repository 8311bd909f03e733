"""A TOML file that holds a struct; what is wrong with it is told with file, line and suggestion."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

from tokenkit.errors import TokenkitError
from tokenkit.scenario.explain import arrays_of, explain, unknown_key
from tokenkit.scenario.lines import Lines
from tokenkit.scenario.syntax import explain_syntax

_LARGEST = 10_000_000  # bytes
_LONGEST_MESSAGE = 400  # it may quote what is in the file
# 9999-01-01, a year before the last date that can be written: reading codes and waiting for
# touches takes time, too
END_S = 253_370_764_800.0

S = TypeVar("S", bound=msgspec.Struct)


def read(file: str, what: str, shipped: Mapping[str, Path], error: type[TokenkitError]) -> str:
    """The text of ``file``, a path or a name in ``shipped``, which is to be a ``what``."""
    path = shipped.get(file, Path(file))
    try:
        if path.stat().st_size > _LARGEST:
            raise error(f"{file}: larger than {_LARGEST} bytes: this is no {what}")
        return path.read_text("utf-8-sig")  # editors on Windows write a byte order mark
    except FileNotFoundError:
        hint = _shipped_hint(file, what, shipped)
        raise error(f"{file}: no such file{hint}") from None
    except IsADirectoryError:
        raise error(f"{file}: this is a folder; name the files in it") from None
    except UnicodeDecodeError as wrong:
        raise error(f"{file}: not UTF-8 text at byte {wrong.start}") from None
    except (OSError, ValueError) as wrong:
        raise error(f"{file}: cannot be read: {wrong}") from None


def _shipped_hint(file: str, what: str, shipped: Mapping[str, Path]) -> str:
    close = difflib.get_close_matches(Path(file).stem, shipped, 1)
    if close:
        return f"; did you mean the shipped {what} {close[0]}?"
    return f"; shipped are: {', '.join(shipped)}" if "." not in file and shipped else ""


class Document(Generic[S]):
    """The ``text`` of ``file``, which is to hold a ``kind``: that is ``content``.

    Whatever is wrong is raised as ``error``, a message that begins with file and line.
    """

    def __init__(self, text: str, file: str, kind: type[S], error: type[TokenkitError]) -> None:
        self._text, self._file, self._kind, self._error = text, file, kind, error
        try:
            data = tomllib.loads(text)
            self.lines = Lines(text)
        except (ValueError, RecursionError) as wrong:
            self.wrong_text(wrong)
        if unknown := unknown_key(data, kind):
            self.wrong(*unknown)
        try:
            self.content: S = msgspec.convert(data, kind, dec_hook=_decode)
        except msgspec.ValidationError as wrong:
            self.wrong(*explain(str(wrong), data, kind))
        except ValueError as wrong:
            self.wrong_text(wrong)

    def wrong(self, path: Iterable[str | int], message: str) -> NoReturn:
        """Say that what is at ``path`` is wrong."""
        self._raise(self.lines[path], message)

    def check_lines(self, *members: str) -> None:
        """The text in these members goes to terminals as it is."""
        for member in members:
            if not getattr(self.content, member).isprintable():
                self.wrong((member,), f"{member!r} is one line without control characters")

    def check_start(self, start_s: float) -> None:
        if not 0 <= start_s < END_S:
            self.wrong(("start",), "'start' must be in one of the years 1970 to 9998")

    def wrong_text(self, wrong: Exception) -> NoReturn:
        """Say what tomllib or a number too long to be written says."""
        self._raise(*explain_syntax(wrong, self._text, arrays_of(self._kind)))

    def _raise(self, line: int, message: str) -> NoReturn:
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE - 1]}…"
        raise self._error(f"{self._file}:{line}: {message}") from None


def _decode(kind: type, value: Any) -> Any:
    return kind.of(value)  # type: ignore[attr-defined]  # every custom type has it
