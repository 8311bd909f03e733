"""``tokenkit keys creds``: list, delete, rename."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tokenkit.cli.key_options import (
    Guard,
    guarded,
    identity,
    json_option,
    report,
    selector_argument,
)
from tokenkit.cli.output import console, echo, print_json, table
from tokenkit.cli.pin_entry import enter_pin, pin_option

if TYPE_CHECKING:
    from tokenkit.keys import OpenKey
    from tokenkit.keys.credentials import StoredCredential


@click.group("creds")
def command() -> None:
    """List, delete and rename passkeys.

    These are the discoverable credentials on a key.

    One is chosen by --id, the first four digits or more of its id, or by --rp and --user.
    """


@dataclass(frozen=True)
class Choice:
    """What ``--id``, ``--rp`` and ``--user`` say; its text is for questions."""

    prefix: str | None
    rp_id: str | None
    user: str | None

    def find(self, credentials: "list[StoredCredential]") -> "StoredCredential":
        """The one of ``credentials`` that is meant; NoSuchItemError."""
        from tokenkit.keys.credentials import find_credential

        return find_credential(credentials, self.prefix, self.rp_id, self.user)

    def __str__(self) -> str:
        named = (("id", self.prefix), ("user", self.user), ("at", self.rp_id))
        return " ".join(f"{name} {value}" for name, value in named if value is not None)


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--id``, ``--rp`` and ``--user``, and hand them in as ``choice``."""

    @wraps(command)
    def with_choice(
        *args: Any, prefix: str | None, rp_id: str | None, user: str | None, **options: Any
    ) -> None:
        if prefix is None and rp_id is None and user is None:
            raise click.UsageError("choose a credential with --id, or with --rp and --user")
        command(*args, choice=Choice(prefix, rp_id, user), **options)

    for option in (
        click.option("--user", metavar="NAME", help="The user's name, or id in hexadecimal."),
        click.option("--rp", "rp_id", metavar="ID", help="Of this relying party."),
        click.option("--id", "prefix", metavar="HEX", help="Digits its id begins with, 4 or more."),
    ):
        with_choice = option(with_choice)
    return with_choice


@command.command("list")
@selector_argument
@pin_option
@json_option
def list_credentials(selector: str, pin_file: BinaryIO | None, as_json: bool) -> None:
    """List the credentials. It takes the PIN."""
    from tokenkit.keys import open_key
    from tokenkit.keys.credentials import Credentials

    with open_key(selector) as key:
        _require(key)
        store = Credentials(key, enter_pin(pin_file))
        existing, remaining = store.counts()
        found = store.all()
    if as_json:
        counts = {"existing": existing, "remaining": remaining}
        print_json({**identity(key), **counts, "credentials": [facts(each) for each in found]})
        return
    if found:
        _print(found)
    echo(f"{existing} on the key, room for {remaining} more at most: {key}")


@command.command()
@selector_argument
@choosing
@pin_option
@guarded
@json_option
def delete(
    selector: str,
    choice: Choice,
    pin_file: BinaryIO | None,
    guard: Guard,
    as_json: bool,
) -> None:
    """Erase a credential for good, and its large blob."""
    from tokenkit.keys import open_key
    from tokenkit.keys.blobs import BlobWriter, supports_blobs
    from tokenkit.keys.credentials import Credentials

    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, f"erase the credential {choice}")
        pin = enter_pin(pin_file)
        blobs = BlobWriter(key, pin) if supports_blobs(key) else None
        store = blobs.credentials if blobs else Credentials(key, pin)
        credential = choice.find(store.all())
        if blobs and credential.large_blob_key is not None:
            blobs.delete(credential)
        store.delete(credential)
        report(key, as_json, f"erased {credential}", deleted=facts(credential))


@command.command()
@selector_argument
@choosing
@click.option("--name", help="The user's new name.")
@click.option("--display-name", help="The user's new display name.")
@pin_option
@guarded
@json_option
def rename(
    selector: str,
    choice: Choice,
    name: str | None,
    display_name: str | None,
    pin_file: BinaryIO | None,
    guard: Guard,
    as_json: bool,
) -> None:
    """Change the names that a credential shows for its user."""
    from tokenkit.keys import open_key
    from tokenkit.keys.credentials import Credentials

    if name is None and display_name is None:
        raise click.UsageError("give the new --name, the new --display-name, or both")
    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, f"rename the user of the credential {choice}")
        store = Credentials(key, enter_pin(pin_file))
        credential = choice.find(store.all())
        renamed = store.rename(credential, name, display_name)
        report(key, as_json, f"{credential} is {renamed} now", renamed=facts(renamed))


def facts(credential: "StoredCredential") -> dict[str, Any]:
    """A credential for JSON, without its secret."""
    return {
        "rp_id": credential.rp_id,
        "credential_id": credential.credential_id.hex(),
        "user_id": credential.user_id.hex(),
        "user_name": credential.user_name,
        "display_name": credential.display_name,
        "algorithm": credential.algorithm,
        "protection": credential.protection,
        "has_large_blob_key": credential.large_blob_key is not None,
    }


def _require(key: "OpenKey") -> None:
    """Before anybody types a PIN."""
    from tokenkit.keys.credentials import require_credentials
    from tokenkit.keys.pin import require_pin

    require_credentials(key)
    require_pin(key)


def _print(found: "list[StoredCredential]") -> None:
    from tokenkit.keys.errors import printable
    from tokenkit.keys.info import algorithm_name

    shown = table(
        "relying party", "user", "display name", "id", "algorithm", "credProtect", "largeBlobKey"
    )
    for each in found:
        shown.add_row(
            printable(each.rp_id),
            printable(each.user_name or each.user_id.hex()),
            printable(each.display_name or ""),
            each.credential_id.hex(),
            "" if each.algorithm is None else algorithm_name(each.algorithm),
            "" if each.protection is None else str(each.protection),
            "yes" if each.large_blob_key is not None else "no",
        )
    console().print(shown)
