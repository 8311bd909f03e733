"""What the operations on keys have in common: options, the guard, and how they report."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.output import echo, print_json

if TYPE_CHECKING:
    from tokenkit.keys import OpenKey

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
selector_argument = click.argument("selector", default="auto")


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
