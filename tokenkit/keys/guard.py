"""A physical key is precious: ask before anything that cannot be undone."""

import sys
from typing import Protocol

import click

from tokenkit.keys.errors import RefusedError
from tokenkit.keys.opened import OpenKey


class Terminal(Protocol):
    """Where a person can be asked."""

    def is_interactive(self) -> bool:
        """Whether a person is there."""

    def ask(self, question: str) -> str:
        """The answer to ``question``; EOFError if none comes."""


class StandardTerminal:
    """Standard input, with the question on standard error."""

    def is_interactive(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        click.echo(question, err=True, nl=False)
        return input()


def confirm_destructive(
    key: OpenKey,
    action: str,
    yes: bool = False,
    serial: str | None = None,
    terminal: Terminal | None = None,
) -> None:
    """Return if ``action`` (like "erase everything") may be done to ``key``, else RefusedError.

    To be called before whatever resets, erases, changes a PIN or fills slots. A virtual key
    passes. For a physical one a person must answer yes on the terminal, or have given both
    ``yes`` and ``serial`` (the options ``--yes --serial N``); a serial number that is not the
    key's never passes.
    """
    if key.is_virtual:
        return
    if serial is not None and serial != key.serial_number:
        raise RefusedError(f"nothing done: --serial {serial} is not this key ({key})")
    if yes and serial is not None:
        return
    terminal = terminal or StandardTerminal()
    if yes or not terminal.is_interactive():
        raise RefusedError(f"nothing done: {_how(key, action)}")
    try:
        answer = terminal.ask(f"About to {action}: {key}.\nType yes to go on: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() != "yes":
        raise RefusedError(f"nothing done: {action} was not confirmed for {key}")


def _how(key: OpenKey, action: str) -> str:
    head = f"to {action} on {key}"
    if key.serial_number is None:
        return f"{head}, run this on a terminal: the key tells no serial number to name it by"
    return f"{head}, run this on a terminal or add --yes --serial {key.serial_number}"
