"""Showing a run while it goes on."""

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tokenkit.scenario.check import Loaded
from tokenkit.scenario.record import ScenarioRecord
from tokenkit.scenario.report.terminal import print_scenario
from tokenkit.scenario.report.words import tally


class Watch:
    """A bar on standard error while steps repeat, if that is a terminal; then a table.

    ``quiet`` leaves standard output alone and says one plain line a scenario.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        # text from scenarios and devices is text, not markup
        width = None if sys.stdout.isatty() else 110
        self._console = Console(markup=False, highlight=False, emoji=False, width=width)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "Watch":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def begin(self, loaded: Loaded) -> None:
        self._bar.reset(self._task, description=loaded.scenario.title, total=1)

    def progress(self, text: str, made: int, of: int) -> None:
        self._bar.update(self._task, description=text, completed=made, total=of)

    def end(self, record: ScenarioRecord) -> None:
        if self._quiet:
            word = "held" if record.held else "failed"
            click.echo(f"{record.name}: {word}, {tally(record)}", err=True)
        else:
            print_scenario(record, self._console)
