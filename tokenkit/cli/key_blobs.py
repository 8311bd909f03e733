"""``tokenkit keys blobs``: list, get, put, delete."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tokenkit.cli.key_creds import Choice, choosing, facts
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
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.keys import OpenKey
    from tokenkit.keys.blobs import BlobEntry


@click.group("blobs")
def command() -> None:
    """List, read and write large blobs.

    A large blob is data that a site keeps with its credential.

    Only credentials that were made with largeBlobKey can have one.
    """


@command.command("list")
@selector_argument
@pin_option
@json_option
def list_blobs(selector: str, pin_file: BinaryIO | None, as_json: bool) -> None:
    """List the blobs, and the credentials that can read them.

    It takes the PIN to know those; on a key without one only the sizes are shown.
    """
    from tokenkit.keys import open_key
    from tokenkit.keys.blobs import capacity, read_entries, require_blobs
    from tokenkit.keys.credentials import Credentials, require_credentials
    from tokenkit.keys.pin import has_pin

    with open_key(selector) as key:
        require_blobs(key)
        credentials = []
        if has_pin(key):
            require_credentials(key)
            credentials = Credentials(key, enter_pin(pin_file)).all()
        entries, room = read_entries(key, credentials), capacity(key)
    if as_json:
        blobs = [_entry(each) for each in entries]
        print_json({**identity(key), "capacity": room, "blobs": blobs})
        return
    if entries:
        _print(entries)
    stored = sum(each.stored_size for each in entries)
    echo(f"{len(entries)} blobs take {stored} of about {room} bytes: {key}")


@command.command()
@selector_argument
@choosing
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write into this new file, readable by you only; standard output if not set.",
)
@pin_option
@json_option
def get(
    selector: str,
    choice: Choice,
    out: Path | None,
    pin_file: BinaryIO | None,
    as_json: bool,
) -> None:
    """Write out the blob of a credential; with --json as base64."""
    from tokenkit.keys import NoSuchItemError, open_key
    from tokenkit.keys.blobs import read_blob
    from tokenkit.keys.credentials import Credentials

    with open_key(selector) as key:
        _require(key)
        found = Credentials(key, enter_pin(pin_file)).all()
        credential = choice.find(found)
        data = read_blob(key, credential)
    if data is None:
        raise NoSuchItemError(f"{key}: {credential} has no large blob")
    if out is not None:
        _write(out, data)
        report(key, as_json, f"wrote {len(data)} bytes to {out}", size=len(data), file=str(out))
    elif as_json:
        from base64 import b64encode

        print_json({**identity(key), "size": len(data), "data": b64encode(data).decode()})
    else:
        click.echo(data, nl=False)


@command.command()
@selector_argument
@choosing
@click.option(
    "--in",
    "source",
    type=click.File("rb"),
    required=True,
    metavar="FILE",
    help="What to store, - for standard input.",
)
@pin_option
@guarded
@json_option
def put(
    selector: str,
    choice: Choice,
    source: BinaryIO,
    pin_file: BinaryIO | None,
    guard: Guard,
    as_json: bool,
) -> None:
    """Store a blob with a credential, in place of the one before."""
    from tokenkit.keys import open_key
    from tokenkit.keys.blobs import BlobWriter

    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, f"store a large blob for the credential {choice}")
        pin = enter_pin(pin_file)
        data = source.read()
        writer = BlobWriter(key, pin)
        credential = choice.find(writer.credentials.all())
        writer.put(credential, data)
        report(
            key,
            as_json,
            f"stored {len(data)} bytes for {credential}",
            size=len(data),
            credential=facts(credential),
        )


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
    """Erase the blob of a credential."""
    from tokenkit.keys import NoSuchItemError, open_key
    from tokenkit.keys.blobs import BlobWriter

    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, f"erase the large blob of the credential {choice}")
        writer = BlobWriter(key, enter_pin(pin_file))
        credential = choice.find(writer.credentials.all())
        if not writer.delete(credential):
            raise NoSuchItemError(f"{key}: {credential} has no large blob")
        report(key, as_json, f"erased the blob of {credential}", credential=facts(credential))


def _require(key: "OpenKey") -> None:
    """Before anybody types a PIN."""
    from tokenkit.keys.blobs import require_blobs
    from tokenkit.keys.credentials import require_credentials
    from tokenkit.keys.pin import require_pin

    require_blobs(key)
    require_credentials(key)
    require_pin(key)


def _write(path: Path, data: bytes) -> None:
    from tokenkit.virtual import write_private_files

    try:
        write_private_files({path: data}, overwrite=False)
    except FileExistsError:
        raise TokenkitError(f"{path} is there already and is not overwritten") from None


def _entry(entry: "BlobEntry") -> dict[str, Any]:
    owner = None if entry.owner is None else facts(entry.owner)
    return {"size": entry.size, "stored_size": entry.stored_size, "credential": owner}


def _print(entries: "list[BlobEntry]") -> None:
    from tokenkit.keys.errors import printable

    shown = table("bytes", "stored as", "credential", "id")
    for entry in entries:
        owner = entry.owner
        shown.add_row(
            str(entry.size),
            str(entry.stored_size),
            "unknown" if owner is None else printable(str(owner)),
            "" if owner is None else owner.credential_id.hex(),
        )
    console().print(shown)
