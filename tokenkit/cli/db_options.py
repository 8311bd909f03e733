"""Options of commands that open the verifier's database."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from sqlalchemy import URL

KEY_BYTES = 32
ENVIRONMENT = "TOKENKIT_SEALING_KEY"
_FORM = f"{KEY_BYTES} bytes, or {2 * KEY_BYTES} hexadecimal digits"


class DatabaseUrlError(TokenkitError):
    """A database of a kind that the verifier does not know."""


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


def demand_sealing_key(url: "URL", sealing_key: bytes | None) -> None:
    """TokenkitError if the database at ``url`` stays and there is no key for its seeds."""
    from tokenkit.verifier.store import is_in_memory

    if sealing_key is None and not is_in_memory(url):
        raise SealingKeyFormError(
            "a database that stays needs a sealing key, under which seeds are stored: give it by"
            f" --sealing-key-file FILE or {ENVIRONMENT}; openssl rand -hex {KEY_BYTES} makes one"
        )


def database_url(text: str) -> "URL":
    """What ``--db`` says. StoreError, DatabaseUrlError."""
    from tokenkit.verifier.store import parse_url

    url = parse_url(text)
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        shown = url.render_as_string(hide_password=True)
        raise DatabaseUrlError(
            f"{shown}: only SQLite and PostgreSQL are known: write sqlite:///FILE or"
            " postgresql+psycopg://HOST/NAME"
        )
    return url


_DATABASE: dict[str, Any] = {
    "metavar": "URL",
    "help": "The verifier's database: sqlite:///FILE or postgresql+psycopg://HOST/NAME.",
}
# give the command ``url``
database_option = click.option("--db", "url", required=True, **_DATABASE)
optional_database_option = click.option("--db", "url", **_DATABASE)
