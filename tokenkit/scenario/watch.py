"""Showing a run while it goes on."""

import sys

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tokenkit.scenario.record import ScenarioRecord
from tokenkit.scenario.report.terminal import print_scenario
from tokenkit.scenario.report.words import on_one_line, tally


class Watch:
    """A bar on standard error while a step repeats, if that is a terminal; tables on ``console``.

    ``quiet`` leaves the console alone and says one plain line a scenario. Where nothing can be
    written any more the run goes on, for the sake of its report; leaving then raises the OSError.
    """

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._failed: OSError | None = None
        errors = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            console=errors,
            transient=True,
            disable=not sys.stderr.isatty() or errors.is_dumb_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._bar.stop()
        if kind is None and self._failed is not None:
            raise self._failed

    def progress(self, text: str, made: int, of: int) -> None:
        """The bar is gone before anybody else may write on the same terminal."""
        if made == of:
            self._bar.stop()
            return
        self._bar.update(self._task, description=on_one_line(text), completed=made, total=of)
        self._bar.start()

    def end(self, record: ScenarioRecord) -> None:
        """Show what came of a scenario."""
        self._bar.stop()
        if self._failed is not None:
            return
        try:
            if self._quiet:
                word = "held" if record.held else "failed"
                click.echo(on_one_line(f"{record.name}: {word}, {tally(record)}"), err=True)
            else:
                print_scenario(record, self._console)
        except OSError as error:
            self._failed = error
