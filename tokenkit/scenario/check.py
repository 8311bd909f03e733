"""Read a scenario file; what is wrong with it is told with file, line and a suggestion."""

import difflib
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from tokenkit.errors import TokenkitError
from tokenkit.scenario.explain import explain, unknown_key
from tokenkit.scenario.lines import Lines
from tokenkit.scenario.names import END_S, Names, WrongNameError
from tokenkit.scenario.schema import Scenario
from tokenkit.scenario.syntax import explain_syntax
from tokenkit.server_clock import ServerClockError
from tokenkit.verifier import ValidationError

_LARGEST = 10_000_000  # bytes
_LONGEST_MESSAGE = 400  # it may quote what is in the file


class ScenarioError(TokenkitError):
    """A scenario file that cannot be read or run; the message starts with file and line."""


@dataclass(frozen=True)
class Loaded:
    """A checked scenario; ``step_lines`` tells where each of its steps begins."""

    name: str
    path: Path
    scenario: Scenario
    step_lines: list[int]


def shipped() -> dict[str, Path]:
    """The scenarios that come with tokenkit, by name."""
    folder = Path(str(resources.files("tokenkit.scenario") / "shipped"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(file: str) -> Loaded:
    """Read and check ``file``, the path of a TOML file or the name of a shipped scenario.

    Raises :class:`ScenarioError`.
    """
    path = shipped().get(file, Path(file))
    try:
        if path.stat().st_size > _LARGEST:
            raise ScenarioError(f"{file}: larger than {_LARGEST} bytes: this is no scenario")
        text = path.read_text("utf-8-sig")  # editors on Windows write a byte order mark
    except FileNotFoundError:
        raise ScenarioError(f"{file}: no such file{_shipped_hint(file)}") from None
    except IsADirectoryError:
        raise ScenarioError(f"{file}: this is a folder; name the files in it") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{file}: not UTF-8 text at byte {error.start}") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{file}: cannot be read: {error}") from None
    return parse(text, file, path)


def parse(text: str, file: str, path: Path | None = None) -> Loaded:
    """Check the text of a scenario; ``file`` is its name in messages."""
    try:
        data = tomllib.loads(text)
        lines = Lines(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(file, *explain_syntax(error, text)) from None
    if unknown := unknown_key(data):
        path_of, message = unknown
        raise _wrong(file, lines[path_of], message)
    try:
        scenario = msgspec.convert(data, Scenario, dec_hook=_decode)
        scenario.policy.totp()
    except msgspec.ValidationError as error:
        path_of, message = explain(str(error), data)
        raise _wrong(file, lines[path_of], message) from None
    except ValidationError as error:
        # the verifier's name for a member begins its message, and says that it is in seconds
        name, rule = str(error).split(" ", 1)
        member = name.removesuffix("_s")
        raise _wrong(file, lines["policy", member], f"{member!r} {rule}") from None
    except ValueError as error:
        raise _wrong(file, *explain_syntax(error, text)) from None
    for member in ("title", "summary"):
        if not getattr(scenario, member).isprintable():
            raise _wrong(file, lines[member,], f"{member!r} is one line without control characters")
    if not 0 <= scenario.start_s < END_S:
        raise _wrong(file, lines["start",], "'start' must be in one of the years 1970 to 9998")
    try:
        scenario.server.made(scenario.start_s, b"only looked at")
    except ServerClockError as error:
        where = ("server",) if error.event is None else ("server", "event", error.event)
        raise _wrong(file, lines[where], str(error)) from None
    names = Names(scenario.start_s)
    for number, step in enumerate(scenario.step):
        try:
            step.check(names)
        except WrongNameError as error:
            field = [int(part) if part.isdecimal() else part for part in error.field.split(".")]
            raise _wrong(file, lines["step", number, *field], str(error)) from None
    path = path or Path(file)
    step_lines = [lines["step", number] for number in range(len(scenario.step))]
    return Loaded(path.stem, path, scenario, step_lines)


def _wrong(file: str, line: int, message: str) -> ScenarioError:
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[: _LONGEST_MESSAGE - 1]}…"
    return ScenarioError(f"{file}:{line}: {message}")


def _shipped_hint(file: str) -> str:
    close = difflib.get_close_matches(Path(file).stem, shipped(), 1)
    if close:
        return f"; did you mean the shipped scenario {close[0]}?"
    return f"; shipped are: {', '.join(shipped())}" if "." not in file else ""


def _decode(kind: type, value: Any) -> Any:
    return kind.of(value)  # type: ignore[attr-defined]  # every custom type has it
