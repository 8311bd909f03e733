"""What the commands that serve keys have in common: which keys, who touches them, where to log."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import complain

if TYPE_CHECKING:
    from tokenkit.keys import Selector

control_option = click.option(
    "--control",
    "control_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where address and token of the control API are written. Default: a private folder.",
)
touch_option = click.option(
    "--touch",
    type=click.Choice(["at-once", "ask"]),
    help="Touch by itself, or when told to: by tokenkit keys virtual ctl.",
)
keys_option = click.option(
    "--key",
    "--profile",
    "keys",
    multiple=True,
    default=["reference"],
    show_default=True,
    metavar="PROFILE[?…]",
    help="A key, as after virtual: in a selector; once more for the next.",
)
trace_option = click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Record all that passes on the wire in a new file; see: tokenkit trace.",
)


def selectors(keys: Sequence[str]) -> "list[Selector]":
    """What ``--key`` says."""
    from tokenkit.keys.discovery import check_selector

    return [check_selector(f"virtual:{key}") for key in keys]


class _Terminal(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


def log_to_terminal() -> None:
    """What the wire and the keys have to say, a line each on standard error."""
    for name in ("firmware_sim", "tokenkit"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Terminal) for each in logger.handlers):
            logger.addHandler(_Terminal())
