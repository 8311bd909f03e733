"""How commands print: tables for people, JSON for programs."""

import io
import json
import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# wide enough for most tables, where nobody says how wide the paper is
_UNKNOWN_WIDTH = 110


def table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def console() -> "Console":
    """Standard output; as wide as the terminal or COLUMNS says."""
    from rich.console import Console

    class PlainConsole(Console):
        def on_broken_pipe(self) -> None:
            raise  # Rich would exit with status 1

    # what devices and files say is text, not markup
    return PlainConsole(
        markup=False,
        highlight=False,
        emoji=False,
        width=shutil.get_terminal_size((_UNKNOWN_WIDTH, 24)).columns,
    )


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """click.echo in the stream's own encoding: click takes ASCII for a mistake and writes UTF-8."""
    click.echo(text, file=sys.stderr if err else sys.stdout, nl=nl)


def print_json(value: Any) -> None:
    print_json_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_json_line(value: Any) -> None:
    """One of many, as JSON Lines has it."""
    print_json_text(json.dumps(value, ensure_ascii=False) + "\n")


def print_json_text(text: str) -> None:
    """In UTF-8 whatever the terminal's encoding, as RFC 8259 section 8.1 demands."""
    click.echo(text.encode(errors="replace"), nl=False)


def say(message: str) -> None:
    """Lines on standard error for whoever is there, without what could drive a terminal."""
    from tokenkit.keys.errors import printable

    with suppress(OSError):
        echo("\n".join(printable(line) for line in message.split("\n")), err=True)


def complain(message: str) -> None:
    """What went wrong, as :func:`say` says it."""
    say(f"tokenkit: {message}")


def mend_output() -> None:
    """Let a closed stream swallow all, and an encoding replace the characters it lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 for good
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def drop_output() -> None:
    """Let go of what could not be written, or Python fails once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
