"""The person beside a physical key: told what to do on the terminal."""

import sys

import click

from tokenkit.scenario.outcomes import SkippedError


class Person:
    """Reads standard error and answers on standard input, if that is a terminal."""

    def tell(self, text: str) -> None:
        """Say ``text``; nothing if it is empty."""
        if text:
            click.echo(text, err=True)

    def ask(self, text: str) -> None:
        """Say ``text`` and wait for Enter; SkippedError if nobody is there."""
        if not sys.stdin.isatty():
            raise SkippedError("this needs a person at a terminal")
        click.echo(f"{text} ", err=True, nl=False)
        input()
