"""``tokenkit keys config``: show, and one command a setting."""

from collections.abc import Callable
from dataclasses import asdict
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
from tokenkit.cli.output import console, print_json, table
from tokenkit.cli.pin_entry import enter_pin, pin_option

if TYPE_CHECKING:
    from tokenkit.keys.config import Configuration, Settings


@click.group("config")
def command() -> None:
    """Show and change a key's settings, which stay until a reset."""


@command.command()
@selector_argument
@json_option
def show(selector: str, as_json: bool) -> None:
    """Show the settings, and which of them can be changed."""
    from tokenkit.keys import open_key
    from tokenkit.keys.config import read_settings

    with open_key(selector) as key:
        settings = read_settings(key)
    if as_json:
        print_json({**identity(key), **_facts(settings)})
        return
    shown = table("setting", "value")
    for name, value in _facts(settings).items():
        shown.add_row(name.replace("_", " "), _words(value))
    console().print(shown)


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """The options that :func:`_change` takes."""
    return selector_argument(pin_option(guarded(json_option(command))))


@command.command("always-uv")
@click.argument("state", type=click.Choice(["on", "off"]))
@_common
def always_uv(state: str, **common: Any) -> None:
    """Demand user verification, such as the PIN, for each use: on or off."""
    _change(
        "always-uv", f"turn {state} always-uv", lambda c: c.set_always_uv(state == "on"), **common
    )


@command.command("min-pin-length")
@click.argument("length", type=click.IntRange(4, 63))
@click.option(
    "--rp-id",
    "rp_ids",
    multiple=True,
    metavar="ID",
    help="A relying party that may be told the length (extension minPinLength); once for each.",
)
@click.option("--force-change", is_flag=True, help="Make the PIN of no use until it is changed.")
@_common
def min_pin_length(length: int, rp_ids: tuple[str, ...], force_change: bool, **common: Any) -> None:
    """Demand PINs of LENGTH characters or more; only a reset takes it back."""
    _change(
        "min-pin-length",
        f"demand PINs of {length} characters or more until a reset",
        lambda c: c.set_min_pin_length(length, rp_ids or None, force_change),
        **common,
    )


@command.command("force-pin-change")
@_common
def force_pin_change(**common: Any) -> None:
    """Make the PIN of no use until it is changed."""
    _change("force-pin-change", "force a change of PIN", lambda c: c.force_pin_change(), **common)


@command.command("pin-complexity")
@_common
def pin_complexity(**common: Any) -> None:
    """Take no simple PINs; only a reset takes it back."""
    _change(
        "pin-complexity",
        "take no simple PINs until a reset",
        lambda c: c.enable_pin_complexity(),
        **common,
    )


@command.command("enterprise-attestation")
@_common
def enterprise_attestation(**common: Any) -> None:
    """Let listed relying parties ask which key it is; only a reset takes it back."""
    _change(
        "enterprise-attestation",
        "enable enterprise attestation until a reset",
        lambda c: c.enable_enterprise_attestation(),
        **common,
    )


@command.command("long-touch-for-reset")
@_common
def long_touch_for_reset(**common: Any) -> None:
    """Demand a long touch for a reset; only a reset takes it back."""
    _change(
        "long-touch-for-reset",
        "demand a long touch for a reset until there is one",
        lambda c: c.enable_long_touch_for_reset(),
        **common,
    )


def _change(
    setting: str,
    action: str,
    make: "Callable[[Configuration], bool | None]",
    *,
    selector: str,
    pin_file: BinaryIO | None,
    guard: Guard,
    as_json: bool,
) -> None:
    """``make`` returns False if the setting was so already."""
    from tokenkit.keys import open_key
    from tokenkit.keys.config import Configuration, Setting, read_settings, require_setting
    from tokenkit.keys.pin import has_pin

    with open_key(selector) as key:
        require_setting(key, Setting(setting))
        guard.confirm(key, action)
        pin = enter_pin(pin_file) if has_pin(key) else None
        changed = make(Configuration(key, pin)) is not False
        text = f"{setting} set" if changed else f"{setting} was so already"
        report(key, as_json, text, changed=changed, **_facts(read_settings(key)))


def _facts(settings: "Settings") -> dict[str, Any]:
    return {**asdict(settings), "changeable": [*settings.changeable]}


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "nothing"
    return "not offered" if value is None else str(value)
