"""``tokenkit keys``: list, info, ping, wink; what changes a key has a file each."""

from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli import (
    key_attest,
    key_bio,
    key_blobs,
    key_config,
    key_creds,
    key_pin,
    key_reset,
)
from tokenkit.cli.key_options import identity, json_option, selector_argument
from tokenkit.cli.output import complain, console, echo, print_json, table
from tokenkit.cli.virtual_keys import virtual_keys

if TYPE_CHECKING:
    from tokenkit.keys import FoundKey

_OPERATIONS = (key_attest, key_bio, key_blobs, key_config, key_creds, key_pin, key_reset)


@click.group("keys")
def command() -> None:
    """Find, inspect and test security keys, real or virtual.

    \b
    SELECTOR says which key:
      auto                      the only one plugged in (default)
      hid:/dev/hidraw3          a path, as shown by: tokenkit keys list
      pcsc:READER               a smart-card reader, or a part of its name
      serial:NUMBER             a serial number
      virtual:PROFILE[?seed=N]  a key made of software, such as virtual:reference

    PROFILE is a model (tokenkit keys virtual profiles), or a TOML file of your own.

    A key made of software is gone when the command ends, unless it lives in a file:
    virtual:PROFILE?state=FILE, made if need be, and then virtual:?state=FILE, too. With
    seed=N&state=FILE the new key and all that follows come out the same each time. With
    faults=FILE things go wrong on its wire and in its flash, as the TOML file FILE plans.

    Whatever changes a physical key asks first, or wants --yes --serial N.
    """


command.add_command(virtual_keys)


@command.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys that are plugged in.

    One that cannot be read shows why, and hides no other.
    """
    from tokenkit.keys import survey

    keys, notes = survey()
    for note in notes:
        complain(note)
    if as_json:
        from dataclasses import asdict

        print_json([asdict(key) for key in keys])
    elif keys:
        _print_keys(keys)
    else:
        echo("no security key is plugged in")
    if not as_json:
        from tokenkit.virtual import profile_names

        names = "  ".join(f"virtual:{name}" for name in profile_names())
        echo(f"made of software: {names}")


@command.command()
@selector_argument
@json_option
def info(selector: str, as_json: bool) -> None:
    """Show every member of getInfo."""
    from tokenkit.keys import open_key, read_info

    with open_key(selector) as key:
        members = read_info(key)
        whose = identity(key)
    if as_json:
        print_json({**whose, "info": members})
        return
    shown = table("member", "value")
    for name, value in whose.items():
        shown.add_row(name.replace("_", " "), "unknown" if value is None else value)
    shown.add_section()
    for name, value in members.items():
        shown.add_row(name, _value(name, value))
    console().print(shown)


@command.command("ping")
@selector_argument
@click.option("--count", default=10, type=click.IntRange(1), show_default=True, help="Messages.")
@click.option(
    "--size", default=57, type=click.IntRange(0, 7609), show_default=True, help="Bytes in each."
)
@json_option
@click.pass_context
def ping_key(ctx: click.Context, selector: str, count: int, size: int, as_json: bool) -> None:
    """Measure round trips.

    Exit status 1 if a message comes back changed.
    """
    from tokenkit.keys import EchoError, open_key, ping

    with open_key(selector) as key:
        try:
            result = ping(key, count, size)
        except EchoError as error:
            complain(str(error))
            ctx.exit(1)
    if as_json:
        from dataclasses import asdict

        print_json({"selector": key.selector, "name": key.name, **asdict(result)})
        return
    times = ", ".join(
        f"{name} {seconds * 1000:.3f} ms"
        for name, seconds in (
            ("min", result.min_s),
            ("median", result.median_s),
            ("max", result.max_s),
        )
    )
    echo(f"{key}\n{count} × {size} bytes came back the same: {times}")


@command.command("wink")
@selector_argument
def wink_key(selector: str) -> None:
    """Make a key blink, to see which one it is."""
    from tokenkit.keys import open_key, wink

    with open_key(selector) as key:
        wink(key)
    echo(f"winked: {key}")


for operation in _OPERATIONS:
    command.add_command(operation.command)


def _print_keys(keys: "list[FoundKey]") -> None:
    shown = table("selector", "key", "serial number", "versions")
    for key in keys:
        says = key.problem or " ".join(key.versions)
        shown.add_row(key.selector, key.name, key.serial_number or "", says)
    console().print(shown)


def _value(name: str, value: Any) -> str:
    """A getInfo member for people."""
    from tokenkit.keys.info import algorithm_name

    if name == "algorithms":
        numbers = [each["alg"] for each in value if isinstance(each, dict) and "alg" in each]
        return ", ".join(f"{algorithm_name(number)} ({number})" for number in numbers)
    if isinstance(value, dict):
        return ", ".join(f"{key}={_value('', each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_value("", each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
