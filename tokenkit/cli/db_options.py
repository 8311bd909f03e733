"""Options of commands that open the verifier's database."""

import os
from pathlib import Path
from typing import Any

import click

from tokenkit.errors import TokenkitError

KEY_BYTES = 32
ENVIRONMENT = "TOKENKIT_SEALING_KEY"
_FORM = f"{KEY_BYTES} bytes, or {2 * KEY_BYTES} hexadecimal digits"


class SealingKeyFormError(TokenkitError):
    """A sealing key that cannot be read. Its text is not repeated: it is a secret."""


def _sealing_key(ctx: click.Context, param: click.Parameter, path: Path | None) -> bytes | None:
    """The key of the file, else that of the environment, else None."""
    if path is not None:
        return _parse(_read(path), str(path))
    text = os.environ.get(ENVIRONMENT)
    return None if not text else _parse(text.encode(errors="surrogateescape"), ENVIRONMENT)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(10 * KEY_BYTES)  # of a device without end, too


def _parse(contents: bytes, place: str) -> bytes:
    if len(contents) == KEY_BYTES:
        return contents
    try:
        key = bytes.fromhex(contents.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SealingKeyFormError(
            f"{place}: a sealing key is {_FORM}: openssl rand -hex {KEY_BYTES} makes one"
        )
    return key


# gives the command ``sealing_key: bytes | None``
sealing_key_option = click.option(
    "--sealing-key-file",
    "sealing_key",
    type=click.Path(path_type=Path),
    callback=_sealing_key,
    metavar="FILE",
    help=f"The key under which seeds are stored: {_FORM}. Else ${ENVIRONMENT}, in hexadecimal.",
)

_DATABASE: dict[str, Any] = {
    "metavar": "URL",
    "help": "The verifier's database: sqlite:///FILE or postgresql+psycopg://HOST/NAME.",
}
# give the command ``url``
database_option = click.option("--db", "url", required=True, **_DATABASE)
optional_database_option = click.option("--db", "url", **_DATABASE)
