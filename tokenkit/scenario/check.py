"""Read a scenario file; what is wrong with it is told with file, line and a suggestion."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tokenkit.errors import TokenkitError
from tokenkit.scenario.document import Document, read
from tokenkit.scenario.names import Names, WrongNameError
from tokenkit.scenario.schema import Scenario
from tokenkit.server_clock import ServerClockError
from tokenkit.verifier import ValidationError


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
    text = read(file, "scenario", shipped(), ScenarioError)
    return parse(text, file, shipped().get(file))


def parse(text: str, file: str, path: Path | None = None) -> Loaded:
    """Check the text of a scenario; ``file`` is its name in messages."""
    document = Document(text, file, Scenario, ScenarioError)
    scenario, lines = document.content, document.lines
    try:
        scenario.policy.totp()
    except ValidationError as error:
        # the verifier's name for a member begins its message, and says that it is in seconds
        name, rule = str(error).split(" ", 1)
        member = name.removesuffix("_s")
        document.wrong(("policy", member), f"{member!r} {rule}")
    except ValueError as error:
        document.wrong_text(error)
    document.check_lines("title", "summary")
    document.check_start(scenario.start_s)
    try:
        scenario.server.made(scenario.start_s, b"only looked at")
    except ServerClockError as error:
        at = () if error.event is None else ("event", error.event)
        document.wrong(("server", *at), str(error))
    names = Names(scenario.start_s)
    for number, step in enumerate(scenario.step):
        try:
            step.check(names)
        except WrongNameError as error:
            field = [int(part) if part.isdecimal() else part for part in error.field.split(".")]
            document.wrong(("step", number, *field), str(error))
    path = path or Path(file)
    step_lines = [lines["step", number] for number in range(len(scenario.step))]
    return Loaded(path.stem, path, scenario, step_lines)
