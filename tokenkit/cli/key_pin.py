"""``tokenkit keys pin``: set, change, verify, retries."""

from typing import BinaryIO

import click

from tokenkit.cli.key_options import (
    Guard,
    guarded,
    identity,
    json_option,
    report,
    selector_argument,
)
from tokenkit.cli.output import complain, console, print_json, table
from tokenkit.cli.pin_entry import enter_new_pin, enter_pin, new_pin_option, pin_option


@click.group("pin")
def command() -> None:
    """Set, change and check a key's PIN.

    PINs are typed unseen, or come from a file or the environment (TOKENKIT_PIN,
    TOKENKIT_NEW_PIN): on the command line every user of the computer could read them.
    """


@command.command("set")
@selector_argument
@new_pin_option
@guarded
@json_option
def set_first(selector: str, new_pin_file: BinaryIO | None, guard: Guard, as_json: bool) -> None:
    """Give a key without a PIN its first one."""
    from tokenkit.keys import open_key
    from tokenkit.keys.pin import require_no_pin, set_pin

    with open_key(selector) as key:
        require_no_pin(key)
        guard.confirm(key, "set a PIN, which only a reset takes away again")
        set_pin(key, enter_new_pin(new_pin_file))
        report(key, as_json, "PIN set", changed=True)


@command.command()
@selector_argument
@pin_option
@new_pin_option
@guarded
@json_option
def change(
    selector: str,
    pin_file: BinaryIO | None,
    new_pin_file: BinaryIO | None,
    guard: Guard,
    as_json: bool,
) -> None:
    """Replace the PIN. A wrong one costs a try."""
    from tokenkit.keys import open_key
    from tokenkit.keys.pin import change_pin, require_pin

    with open_key(selector) as key:
        require_pin(key)
        guard.confirm(key, "change the PIN")
        old = enter_pin(pin_file)
        change_pin(key, old, enter_new_pin(new_pin_file))
        report(key, as_json, "PIN changed", changed=True)


@command.command()
@selector_argument
@pin_option
@json_option
@click.pass_context
def verify(ctx: click.Context, selector: str, pin_file: BinaryIO | None, as_json: bool) -> None:
    """Check a PIN. A wrong one costs a try, the right one gives all tries back.

    Exit status 1 if it is wrong.
    """
    from tokenkit.keys import WrongPinError, open_key
    from tokenkit.keys.pin import require_pin, verify_pin

    with open_key(selector) as key:
        require_pin(key)
        try:
            verify_pin(key, enter_pin(pin_file))
        except WrongPinError as error:
            complain(str(error))
            if as_json:
                print_json({**identity(key), "right": False, "status": error.status})
            ctx.exit(1)
        report(key, as_json, "the PIN is right", right=True)


@command.command()
@selector_argument
@json_option
def retries(selector: str, as_json: bool) -> None:
    """Show how many wrong tries are left."""
    from tokenkit.keys import open_key
    from tokenkit.keys.pin import read_retries

    with open_key(selector) as key:
        left = read_retries(key)
    if as_json:
        from dataclasses import asdict

        print_json({**identity(key), **asdict(left)})
        return
    shown = table("tries left", str(key))
    if left.pin is not None:
        after = " after it was unplugged and plugged in" if left.needs_power_cycle else ""
        shown.add_row("PIN", f"{left.pin}{after}" if left.is_set else f"{left.pin}; none is set")
    else:
        shown.add_row("PIN", "none is set")
    if left.uv is not None:
        shown.add_row("fingerprint or the like", str(left.uv))
    console().print(shown)
