"""The run on a terminal: a table of expectations for each scenario."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tokenkit.scenario.record import ScenarioRecord, StepRecord
from tokenkit.scenario.report.words import date_text, outcomes_text, tally


def print_scenario(scenario: ScenarioRecord, console: Console) -> None:
    """One table: each step that was made, what was expected of it, and what came."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(scenario.title, "bold"),
        caption=Text(tally(scenario), "green" if scenario.held else "bold red"),
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    table.add_column("")
    table.add_column("true time (UTC)", no_wrap=True, style="dim")
    table.add_column("step", overflow="fold")
    table.add_column("expected", no_wrap=True)
    table.add_column("outcome", overflow="fold")
    for step in scenario.steps:
        table.add_row(
            _mark(step),
            date_text(step.end_s)[:16],
            Text(step.text),
            step.expected or "",
            Text(_outcome(scenario, step), "" if step.held else "red"),
        )
    console.print(table)


def _mark(step: StepRecord) -> Text:
    if step.skipped is not None:
        return Text("–", "yellow")
    if step.expected is None:
        return Text("·", "dim")
    return Text("✓", "green") if step.held else Text("✗", "bold red")


def _outcome(scenario: ScenarioRecord, step: StepRecord) -> str:
    if step.skipped is not None:
        return f"skipped: {step.skipped}"
    if step.held:
        return outcomes_text(step)
    lines = [outcomes_text(step), f"{scenario.file}:{step.line}", *step.notes]
    return "\n".join(lines)
