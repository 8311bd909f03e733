"""``tokenkit keys bio``: info, list, enroll, rename, remove."""

from typing import TYPE_CHECKING, BinaryIO

import click

from tokenkit.cli.key_options import (
    Guard,
    guarded,
    identity,
    json_option,
    report,
    selector_argument,
)
from tokenkit.cli.output import console, echo, print_json, say, table
from tokenkit.cli.pin_entry import enter_pin, pin_option

if TYPE_CHECKING:
    from tokenkit.keys import OpenKey
    from tokenkit.keys.fingerprints import Sample

_BAR = 20

_finger_option = click.option(
    "--finger", required=True, metavar="ID", help="Its id in hexadecimal, or its name."
)


@click.group("bio")
def command() -> None:
    """Enrol and manage the fingerprints that a key knows."""


@command.command()
@selector_argument
@json_option
def info(selector: str, as_json: bool) -> None:
    """Show what the fingerprint sensor is like. It takes no PIN."""
    from dataclasses import asdict

    from tokenkit.keys import open_key
    from tokenkit.keys.fingerprints import read_sensor

    with open_key(selector) as key:
        sensor = asdict(read_sensor(key))
    if as_json:
        print_json({**identity(key), **sensor})
        return
    shown = table("sensor", str(key))
    for name, value in sensor.items():
        shown.add_row(name.replace("_", " "), str(value))
    console().print(shown)


@command.command("list")
@selector_argument
@pin_option
@json_option
def list_fingerprints(selector: str, pin_file: BinaryIO | None, as_json: bool) -> None:
    """List the fingerprints."""
    from tokenkit.keys import open_key
    from tokenkit.keys.errors import printable
    from tokenkit.keys.fingerprints import Fingerprints

    with open_key(selector) as key:
        _require(key)
        found = Fingerprints(key, enter_pin(pin_file)).all()
    if as_json:
        listed = [{"id": each.template_id.hex(), "name": each.name} for each in found]
        print_json({**identity(key), "fingerprints": listed})
        return
    if not found:
        echo(f"no fingerprint is enrolled: {key}")
        return
    shown = table("id", "name")
    for each in found:
        shown.add_row(each.template_id.hex(), printable(each.name))
    console().print(shown)


@command.command()
@selector_argument
@click.option("--name", default="", help="What to call the finger.")
@pin_option
@guarded
@json_option
def enroll(
    selector: str, name: str, pin_file: BinaryIO | None, guard: Guard, as_json: bool
) -> None:
    """Enrol a finger: touch the sensor again and again, as you are told.

    Ctrl-C leaves no fingerprint behind. A key made of software is touched by a finger of its own:
    always the same one, but for those that are enrolled after it.
    """
    from tokenkit.keys import open_key
    from tokenkit.keys.fingerprints import Fingerprints

    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, "enrol a fingerprint")
        fingerprints = Fingerprints(key, enter_pin(pin_file))
        _bring_another_finger(key, name, len(fingerprints.all()))
        made = fingerprints.enroll(name, _show, say)
        report(
            key,
            as_json,
            f"enrolled {made.template_id.hex()} {made.name}".rstrip(),
            id=made.template_id.hex(),
            fingerprint_name=made.name,
        )


@command.command()
@selector_argument
@_finger_option
@click.option("--name", required=True, help="What to call it from now on.")
@pin_option
@guarded
@json_option
def rename(
    selector: str, finger: str, name: str, pin_file: BinaryIO | None, guard: Guard, as_json: bool
) -> None:
    """Give a fingerprint another name."""
    from tokenkit.keys import open_key
    from tokenkit.keys.fingerprints import Fingerprints, find_fingerprint

    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, f"rename the fingerprint {finger}")
        fingerprints = Fingerprints(key, enter_pin(pin_file))
        found = find_fingerprint(fingerprints.all(), finger)
        fingerprints.rename(found, name)
        number = found.template_id.hex()
        report(key, as_json, f"{number} is {name} now", id=number, fingerprint_name=name)


@command.command()
@selector_argument
@_finger_option
@pin_option
@guarded
@json_option
def remove(
    selector: str, finger: str, pin_file: BinaryIO | None, guard: Guard, as_json: bool
) -> None:
    """Forget a fingerprint."""
    from tokenkit.keys import open_key
    from tokenkit.keys.fingerprints import Fingerprints, find_fingerprint

    with open_key(selector) as key:
        _require(key)
        guard.confirm(key, f"remove the fingerprint {finger}")
        fingerprints = Fingerprints(key, enter_pin(pin_file))
        found = find_fingerprint(fingerprints.all(), finger)
        fingerprints.remove(found)
        number = found.template_id.hex()
        report(key, as_json, f"removed {number} {found.name}".rstrip(), id=number)


def _bring_another_finger(key: "OpenKey", name: str, known: int) -> None:
    """A virtual key's user has one finger that touches; the second to be enrolled is another."""
    from itertools import repeat

    from tokenkit.virtual import Press, ScriptedFinger

    if key.security_key is not None and known:
        press = Press(finger=f"{name} ({known + 1})")
        key.security_key.finger = ScriptedFinger(repeat(press))


def _show(sample: "Sample") -> None:
    """A line a sample, which is a bar that grows."""
    filled = _BAR * sample.made // max(sample.of, 1)
    bar = "#" * filled + "-" * (_BAR - filled)
    say(f"[{bar}] {sample.made} of {sample.of}  {sample.words}")


def _require(key: "OpenKey") -> None:
    """Before anybody types a PIN."""
    from tokenkit.keys.fingerprints import read_sensor
    from tokenkit.keys.pin import require_pin

    read_sensor(key)
    require_pin(key)
