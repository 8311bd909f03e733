"""What the commands that serve keys have in common: which keys, who touches them, where to log."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokenkit.cli.output import complain
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.keys import Selector
    from tokenkit.verifier.seed_file import Seed

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

PSKC_KEY = "TOKENKIT_PSKC_KEY"
_PSKC_KEY_BYTES = (16, 24, 32)
_LONGEST_KEY = 1000  # bytes of a file, with spaces


def _pskc_key(ctx: click.Context, param: click.Parameter, path: Path | None) -> bytes | None:
    """The key of the file, else that of the environment, else None. It is not repeated."""
    if path is not None:
        place = str(path)
        with path.open("rb") as file:
            text = file.read(_LONGEST_KEY).decode(errors="replace")
    else:
        place, text = PSKC_KEY, os.environ.get(PSKC_KEY, "")
        if not text:
            return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) not in _PSKC_KEY_BYTES:
        raise TokenkitError(f"{place}: a pre-shared key is 32, 48 or 64 hexadecimal digits")
    return key


# gives the command ``pskc_key: bytes | None``
pskc_key_option = click.option(
    "--pskc-key-file",
    "pskc_key",
    type=click.Path(path_type=Path),
    callback=_pskc_key,
    metavar="FILE",
    help=f"Pre-shared key of an encrypted PSKC file, in hexadecimal. Else ${PSKC_KEY}.",
)


def read_seeds(file: Path, pskc_key: bytes | None) -> "list[Seed]":
    """All of a seed file; TokenkitError, which says how to give a key that is missing."""
    from tokenkit.verifier import SeedFileError
    from tokenkit.verifier.seed_file import read_seed_file

    try:
        return read_seed_file(file, pskc_key)
    except SeedFileError as error:
        if pskc_key is None and str(error).endswith("give the pre-shared key"):
            raise TokenkitError(f"{error}: --pskc-key-file FILE or {PSKC_KEY}") from None
        raise


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
