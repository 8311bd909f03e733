"""The run on a terminal: a table of expectations for each scenario."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tokenkit.scenario.record import ScenarioRecord, StepRecord
from tokenkit.scenario.report.words import date_text, on_one_line, outcomes_text, tally

# columns that give way where the terminal is narrower than this
_ROOM_FOR_TIME = 76
_ROOM_FOR_EXPECTED = 56


def print_scenario(scenario: ScenarioRecord, console: Console) -> None:
    """One table: each step that was made, what was expected of it, and what came."""
    timed, expecting = console.width >= _ROOM_FOR_TIME, console.width >= _ROOM_FOR_EXPECTED
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(on_one_line(scenario.title), "bold"),
        caption=Text(tally(scenario), "green" if scenario.held else "bold red"),
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    marks = _MARKS_IN_ASCII if console.options.ascii_only else _MARKS
    table.add_column("", no_wrap=True, min_width=max(map(len, marks.values())))
    if timed:
        table.add_column("true time (UTC)", no_wrap=True, style="dim")
    table.add_column("step", overflow="fold", min_width=12)
    if expecting:
        table.add_column("expected", no_wrap=True)
    table.add_column("outcome", overflow="fold", min_width=12)
    for step in scenario.steps:
        state = _state(step)
        cells: list[str | Text] = [Text(marks[state], _STYLES[state])]
        if timed:
            cells.append(date_text(step.end_s)[:16])
        cells.append(Text(on_one_line(step.text)))
        if expecting:
            cells.append(step.expected or "")
        lines = _outcome(scenario, step)
        if not expecting and not step.held:
            lines.insert(1, f"expected {step.expected}")
        cells.append(Text("\n".join(map(on_one_line, lines)), "" if step.held else "red"))
        table.add_row(*cells)
    console.print(table)


_MARKS = {"held": "✓", "failed": "✗", "skipped": "–", "made": "·"}
_MARKS_IN_ASCII = {"held": "ok", "failed": "FAIL", "skipped": "skip", "made": ""}
_STYLES = {"held": "green", "failed": "bold red", "skipped": "yellow", "made": "dim"}


def _state(step: StepRecord) -> str:
    if step.skipped is not None:
        return "skipped"
    if not step.held:
        return "failed"
    return "made" if step.expected is None else "held"


def _outcome(scenario: ScenarioRecord, step: StepRecord) -> list[str]:
    if step.skipped is not None:
        return [f"skipped: {step.skipped}"]
    if step.held:
        return [outcomes_text(step)]
    notes = [line for note in step.notes for line in note.split("\n")]
    return [outcomes_text(step), f"{scenario.file}:{step.line}", *notes]
