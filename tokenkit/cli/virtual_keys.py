"""``tokenkit keys virtual``: profiles, and the files in which keys made of software live."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.key_options import json_option
from tokenkit.cli.output import console, echo, print_json, table
from tokenkit.cli.virtual_ctl import ctl
from tokenkit.cli.virtual_metadata import command as metadata
from tokenkit.cli.virtual_serve import serve
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.virtual import KeyState

_state = click.argument("state", type=click.Path(path_type=Path))
_snapshot = click.argument("snapshot", type=click.Path(path_type=Path))


@click.group("virtual")
def virtual_keys() -> None:
    """Models of keys made of software, and the files they live in.

    STATE is such a file: virtual:PROFILE?state=STATE makes it, virtual:?state=STATE is its key. It
    holds private keys: keep it as you keep passwords. No key may be open in it meanwhile.
    """


for command in (ctl, metadata, serve):
    virtual_keys.add_command(command)


@virtual_keys.command()
@json_option
def profiles(as_json: bool) -> None:
    """List the models: virtual:NAME is a new key of one.

    What each is modelled on, and what is assumed, is in --json.
    """
    from tokenkit.virtual import load_profile, profile_names

    found: list[dict[str, Any]] = [
        {
            "name": profile.name,
            "product_name": profile.product_name,
            "usb_id": f"{profile.vendor_id:04x}:{profile.product_id:04x}",
            "versions": list(profile.versions),
            "summary": profile.summary,
            "source": profile.source,
        }
        for profile in map(load_profile, profile_names())
    ]
    if as_json:
        print_json(found)
        return
    shown = table("name", "product name", "USB id", "versions", "summary")
    for each in found:
        versions = " ".join(each["versions"])
        shown.add_row(each["name"], each["product_name"], each["usb_id"], versions, each["summary"])
    console().print(shown)


@virtual_keys.command()
@_state
@_snapshot
@click.option("--overwrite", is_flag=True, help="Replace a snapshot that is there.")
def snapshot(state: Path, snapshot: Path, overwrite: bool) -> None:
    """Copy the key in STATE to the new file SNAPSHOT.

    A snapshot is a state file, too.
    """
    from tokenkit.virtual import snapshot_state

    with _plain_errors("choose another name, or replace it with --overwrite"):
        identity = snapshot_state(state, snapshot, overwrite=overwrite)
    echo(f"{snapshot} holds {identity.serial_number} as it is now")


@virtual_keys.command()
@_snapshot
@_state
def restore(snapshot: Path, state: Path) -> None:
    """Make the key in STATE again as it is in SNAPSHOT.

    Its signature counter goes back, too: a relying party that has seen it go further takes the key
    for a clone, as it should.
    """
    from tokenkit.virtual import restore_state

    with _plain_errors():
        identity = restore_state(snapshot, state)
    echo(f"{state} holds {identity.serial_number} as it was in {snapshot}")


@virtual_keys.command()
@_state
@click.argument("new", type=click.Path(path_type=Path))
def clone(state: Path, new: Path) -> None:
    """Make a second key with the credentials and secrets of the one in STATE.

    It differs by its serial number alone. Relying parties detect clones by the signature counter:
    sign in with one key, then with the other, whose counter has stayed behind, and see what yours
    does.
    """
    from tokenkit.virtual import OsEntropy, clone_state

    with _plain_errors("choose another name"):
        identity = clone_state(state, new, OsEntropy())
    echo(f"{new} holds {identity.serial_number}, a clone of the key in {state}")


@virtual_keys.command("inspect")
@_state
@json_option
@click.option("--secrets", is_flag=True, help="Show private keys, PIN hash and all else, too.")
def inspect_key(state: Path, as_json: bool, secrets: bool) -> None:
    """Show what the key in STATE knows; nothing is changed."""
    from tokenkit.virtual import inspect_state

    with _plain_errors():
        key = inspect_state(state)
        size = state.stat().st_size
    facts = {
        "profile": key.identity.profile,
        "serial_number": key.identity.serial_number,
        "bytes": size,
        "pin_is_set": key.pin_is_set,
        "pin_must_change": key.pin_must_change,
        "pin_retries": key.pin_retries,
        "fingerprints": key.fingerprints,
        "uv_retries": key.uv_retries,
        "signature_counter": key.signature_counter,
        "always_uv": key.always_uv,
        "enterprise_attestation": key.enterprise_attestation,
        "long_touch_for_reset": key.long_touch_for_reset,
        "pin_complexity": key.pin_complexity,
        "min_pin_length": key.min_pin_length,
        "min_pin_rp_ids": key.min_pin_rp_ids,
    }
    credentials = _credentials(key, secrets)
    flash = {name: value.hex() for name, value in key.contents.items()} if secrets else {}
    if as_json:
        extra = {"flash": flash} if secrets else {}
        print_json({**facts, "credentials": credentials, **extra})
        return
    _print(facts, credentials, flash)


def _credentials(key: "KeyState", secrets: bool) -> list[dict[str, Any]]:
    """Discoverable credentials, ready for JSON."""
    return [
        {
            "created": credential.created,
            "rp_id": credential.rp_id,
            "user": {
                name: value.hex() if isinstance(value, bytes) else value
                for name, value in (credential.user or {}).items()
            },
            "algorithm": credential.key.algorithm,
            "signature_counter": key.counters[credential.credential_id],
            "credential_id": credential.credential_id.hex(),
            "extensions": list(credential.extensions),
            **({"private_key": credential.key.secret.hex()} if secrets else {}),
        }
        for credential in key.credentials
    ]


def _print(facts: dict[str, Any], credentials: list[dict[str, Any]], flash: dict[str, str]) -> None:
    from tokenkit.keys.errors import printable
    from tokenkit.keys.info import algorithm_name

    shown = table("member", "value")
    for name, value in facts.items():
        shown.add_row(name.replace("_", " "), printable(_words(value)))
    shown.add_row("credentials", str(len(credentials)))
    if flash:
        shown.add_section()
        for name, value in flash.items():
            shown.add_row(printable(name), value)
    console().print(shown)
    if not credentials:
        return
    columns = ["created", "RP", "user", "algorithm", "counter", "credential id", "extensions"]
    listed = table(*columns, *(["private key"] if flash else []))
    for each in credentials:
        name = each["user"].get("name") or each["user"].get("id", "")
        cells = (
            each["created"],
            each["rp_id"],
            name,
            algorithm_name(each["algorithm"]),
            each["signature_counter"],
            each["credential_id"],
            " ".join(each["extensions"]),
            *([each["private_key"]] if flash else []),
        )
        listed.add_row(*(printable(str(cell)) for cell in cells))
    console().print(listed)


def _words(value: Any) -> str:
    """A fact for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none that all share"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


@contextmanager
def _plain_errors(where_there: str = "") -> Iterator[None]:
    """Turn what the device side refuses into one line; ``where_there`` mends a file in the way."""
    from tokenkit.virtual import FlashError

    try:
        yield
    except FileExistsError as error:
        raise TokenkitError(f"{error.filename} is there already: {where_there}") from error
    except (FlashError, ValueError) as error:
        raise TokenkitError(str(error)) from error
