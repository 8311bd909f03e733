"""Where PINs come from: a file, the environment or a person, never the command line."""

import os
import sys
from typing import BinaryIO

import click

from tokenkit.errors import TokenkitError

_PIN = "TOKENKIT_PIN"
_NEW_PIN = "TOKENKIT_NEW_PIN"

pin_option = click.option(
    "--pin-file",
    type=click.File("rb"),
    metavar="FILE",
    help=f"Take the PIN from the first line of FILE, - for standard input; or set {_PIN}.",
)
new_pin_option = click.option(
    "--new-pin-file",
    type=click.File("rb"),
    metavar="FILE",
    help=f"Take the new PIN from the first line of FILE, - for standard input; or set {_NEW_PIN}.",
)


def enter_pin(file: BinaryIO | None) -> str:
    """The key's PIN: from ``file``, the environment, or a person who types it unseen."""
    given = _given(file, _PIN)
    return _ask("PIN: ", "--pin-file", _PIN) if given is None else given


def enter_new_pin(file: BinaryIO | None) -> str:
    """The PIN to be; a person must type it twice."""
    given = _given(file, _NEW_PIN)
    if given is not None:
        return given
    new = _ask("New PIN: ", "--new-pin-file", _NEW_PIN)
    if _ask("New PIN again: ", "--new-pin-file", _NEW_PIN) != new:
        raise TokenkitError("the two PINs differ: nothing was changed")
    return new


def _given(file: BinaryIO | None, variable: str) -> str | None:
    if file is None:
        return os.environ.get(variable)
    name = getattr(file, "name", "the PIN file")
    try:
        # a PIN may begin or end with spaces
        pin = file.readline().decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise TokenkitError(f"{name}: the PIN is not UTF-8") from None
    if not pin:
        raise TokenkitError(f"{name}: the first line, where the PIN should be, is empty")
    return pin


def _ask(prompt: str, option: str, variable: str) -> str:
    if not _is_terminal():
        raise TokenkitError(
            f"a PIN is needed: run this on a terminal, add {option} FILE, or set {variable}"
        )
    import getpass

    return getpass.getpass(prompt)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
