"""Showing how far a study is: a bar on a terminal, else a line now and then."""

import sys
import time
from contextlib import suppress

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tokenkit.scenario.durations import in_words
from tokenkit.scenario.report.words import on_one_line

_EVERY_S = 30.0  # a line, where there is no bar
_RATE_S = 2.0  # of counting, at least: the first parts of several workers come together


class Watch:
    """Of ``total`` token-years, on standard error."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._done = 0.0
        # since the first part that was counted: before it, code may have been compiled
        self._counted = 0.0
        self._since_s: float | None = None
        self._said_s = time.perf_counter()
        errors = Console(stderr=True)
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            console=errors,
            transient=True,
            disable=not sys.stderr.isatty() or errors.is_dumb_terminal,
        )
        self._task = self._bar.add_task(self._words(), total=total)

    def __enter__(self) -> "Watch":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def advance(self, token_years: float, kept: bool) -> None:
        """So many more are done; ``kept`` ones were there before and say nothing of the rate."""
        now_s = time.perf_counter()
        self._done += token_years
        if not kept:
            if self._since_s is None:
                self._since_s = now_s
            else:
                self._counted += token_years
        words = self._words()
        self._bar.update(self._task, completed=self._done, description=words)
        if self._bar.disable and now_s - self._said_s >= _EVERY_S:
            self._said_s = now_s
            self.say(words)

    def say(self, message: str) -> None:
        """A line of its own, above the bar."""
        self._bar.stop()
        with suppress(OSError):
            click.echo(on_one_line(message), err=True)
        self._bar.start()

    def _words(self) -> str:
        words = f"{self._done:,.0f} of {self._total:,.0f} token-years"
        if self._since_s is None:
            return f"{words}; the first time code is compiled"
        elapsed_s = time.perf_counter() - self._since_s
        if not self._counted or elapsed_s < _RATE_S:
            return words
        rate = self._counted / elapsed_s
        left_s = (self._total - self._done) / rate
        return f"{words}, {rate:,.0f} a second, {in_words(round(left_s))} left"
