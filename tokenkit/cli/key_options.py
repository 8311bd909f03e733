"""What the operations on keys have in common: options, the guard, and how they report."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.output import echo, print_json

if TYPE_CHECKING:
    from tokenkit.keys import OpenKey

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def selector_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Add SELECTOR, handed in as ``selector``, and ``--trace``, which records the command."""

    @wraps(command)
    def recorded(*args: Any, trace: Path | None, **options: Any) -> None:
        if trace is None:
            command(*args, **options)
            return
        from tokenkit.keys import record

        with record(trace):
            command(*args, **options)

    option = click.option(
        "--trace",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Record what is said to the key and back in a new file; see: tokenkit trace.",
    )
    return click.argument("selector", default="auto")(option(recorded))


@dataclass(frozen=True)
class Guard:
    """What ``--yes`` and ``--serial`` say."""

    yes: bool
    serial: str | None

    def confirm(self, key: "OpenKey", action: str) -> None:
        """Ask before ``action``, such as "erase everything"; RefusedError ends the command."""
        from tokenkit.keys import confirm_destructive

        confirm_destructive(key, action, self.yes, self.serial)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--yes`` and ``--serial`` to what changes a key, and hand them in as ``guard``."""

    @wraps(command)
    def with_guard(*args: Any, yes: bool, serial: str | None, **options: Any) -> None:
        command(*args, guard=Guard(yes, serial), **options)

    serial = click.option(
        "--serial", metavar="N", help="Serial number of the physical key that may be changed."
    )
    yes = click.option(
        "--yes", is_flag=True, help="Do not ask before changing a physical key; needs --serial."
    )
    return yes(serial(with_guard))


def identity(key: "OpenKey") -> dict[str, Any]:
    """Which key, for JSON."""
    return {"selector": key.selector, "name": key.name, "serial_number": key.serial_number}


def report(key: "OpenKey", as_json: bool, text: str, **facts: Any) -> None:
    """What was done: ``text`` for people, ``facts`` for programs."""
    if as_json:
        print_json({**identity(key), **facts})
    else:
        from tokenkit.keys.errors import printable

        echo(f"{printable(text)}: {key}")
