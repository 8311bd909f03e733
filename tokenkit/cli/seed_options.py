"""How commands are told of a seed file, and of what opens it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tokenkit.cli.output import complain
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.verifier.seed_file import Seed, SeedFilePreview

PSKC_KEY = "TOKENKIT_PSKC_KEY"
PSKC_PASSWORD = "TOKENKIT_PSKC_PASSWORD"
_PSKC_KEY_BYTES = (16, 24, 32)
_LONGEST = 1000  # bytes of a file, with spaces
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _secret(path: Path | None, variable: str) -> tuple[str, str]:
    """Where a secret is from, and the text of the file, else that of the environment, else ""."""
    if path is None:
        return variable, os.environ.get(variable, "")
    with path.open("rb") as file:
        return str(path), file.read(_LONGEST).decode(errors="surrogateescape")


def _pskc_key(ctx: click.Context, param: click.Parameter, path: Path | None) -> bytes | None:
    """The pre-shared key, if there is one. It is not repeated."""
    place, text = _secret(path, PSKC_KEY)
    if path is None and not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) not in _PSKC_KEY_BYTES:
        raise TokenkitError(f"{place}: a pre-shared key is 32, 48 or 64 hexadecimal digits")
    return key


def _pskc_password(ctx: click.Context, param: click.Parameter, path: Path | None) -> str | None:
    """The password, if there is one: the first line, and the only one. It is not repeated."""
    place, text = _secret(path, PSKC_PASSWORD)
    if path is None and not text:
        return None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or not password.isprintable():
        raise TokenkitError(f"{place}: a password is one line of UTF-8 that is not empty")
    return password


def pskc_password_option(what: str) -> Callable[[_Command], _Command]:
    """Gives the command ``pskc_password: str | None``; ``what`` it is for, one sentence."""
    return click.option(
        "--pskc-password-file",
        "pskc_password",
        type=click.Path(path_type=Path),
        callback=_pskc_password,
        metavar="FILE",
        help=f"{what} Else ${PSKC_PASSWORD}.",
    )


_pskc_key_option = click.option(
    "--pskc-key-file",
    "pskc_key",
    type=click.Path(path_type=Path),
    callback=_pskc_key,
    metavar="FILE",
    help=f"Pre-shared key of an encrypted PSKC file, in hexadecimal. Else ${PSKC_KEY}.",
)
_skip_option = click.option(
    "--skip-faulty",
    is_flag=True,
    help="Use what is right in a file with faults, which are told. Else nothing of it is used.",
)


def pskc_options(command: _Command) -> _Command:
    """Gives the command what opens a seed file: ``pskc_key`` and ``pskc_password``."""
    password_option = pskc_password_option("Password of an encrypted PSKC file.")
    return _pskc_key_option(password_option(command))


def seed_options(command: _Command) -> _Command:
    """Gives the command what :func:`read_seeds` takes, and ``skip_faulty`` for other files."""
    return pskc_options(_skip_option(command))


def open_seeds(path: Path, pskc_key: bytes | None, pskc_password: str | None) -> "SeedFilePreview":
    """What is in a seed file, faults and all. TokenkitError if nothing of it can be read."""
    from tokenkit.verifier.seed_file import SeedKeyError, open_seed_file

    try:
        return open_seed_file(path, pskc_key, pskc_password)
    except SeedKeyError as error:
        how = {
            "": "",
            "pre-shared key": f": --pskc-key-file FILE or {PSKC_KEY}",
            "password": f": --pskc-password-file FILE or {PSKC_PASSWORD}",
        }[error.missing]
        raise TokenkitError(f"{error}{how}") from None


def read_seeds(
    path: Path, pskc_key: bytes | None, pskc_password: str | None, skip_faulty: bool
) -> "list[Seed]":
    """The tokens of a seed file; what is left out is told on standard error. SeedFileError."""
    from tokenkit.tables import listed

    found = open_seeds(path, pskc_key, pskc_password)
    seeds = found.usable(str(path), skip_faulty)
    if found.faults:
        complain(listed(str(path), found.faults, "left out"))
    return seeds
