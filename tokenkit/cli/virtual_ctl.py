"""``tokenkit keys virtual ctl``: touch, unplug and look into keys that are being served."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from tokenkit.cli.key_options import json_option
from tokenkit.cli.output import console, echo, print_json, table
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.serving.control_client import ControlClient

_PLAN = click.Path(exists=True, dir_okay=False, path_type=Path)
_serial = click.option("--serial", metavar="N", help="Which key, where several are served.")


@click.group("ctl")
@click.option(
    "--control",
    "control_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Control file of the program that serves. Default: TOKENKIT_CONTROL, or the only one.",
)
@click.pass_context
def ctl(ctx: click.Context, control_file: Path | None) -> None:
    """Touch, unplug and look into keys that are being served.

    They are served by: tokenkit keys virtual serve
    """
    ctx.obj = control_file


def _client(ctx: click.Context) -> "ControlClient":
    from tokenkit.serving.control_client import ControlClient, find_control_file

    return ControlClient(ctx.obj or find_control_file())


def _order(ctx: click.Context, serial: str | None, order: str, **says: Any) -> dict[str, Any]:
    answer: dict[str, Any] = _client(ctx).post(
        f"/keys/{quote(serial or '-', safe='')}/{order}", says
    )
    return answer


@ctl.command("list")
@json_option
@click.pass_context
def list_keys(ctx: click.Context, as_json: bool) -> None:
    """List the keys that are served, and what they wait for."""
    keys = _client(ctx).get("/keys")
    if as_json:
        print_json(keys)
        return
    shown = table("serial number", "profile", "where", "power", "waits for a touch to")
    for key in keys:
        power = "on" if key["powered"] else "off"
        where = key["where"] or "unplugged"
        waits = key["awaits_touch"] or ""
        shown.add_row(key["serial_number"], key["profile"], where, power, waits)
    console().print(shown)


@ctl.command()
@click.argument(
    "action", type=click.Choice(["tap", "hold", "refuse", "at-once", "ask"]), default="tap"
)
@_serial
@click.option("--finger", default="right index", show_default=True, help="Whose finger, by name.")
@click.option("--placement", default="good", show_default=True, help="Such as too-fast, too-left.")
@click.option("--seconds", type=click.FloatRange(0), default=15.0, help="How long hold holds.")
@click.option("--wait", type=click.FloatRange(0), default=0.0, help="Seconds for the key to ask.")
@click.pass_context
def touch(
    ctx: click.Context,
    action: str,
    serial: str | None,
    finger: str,
    placement: str,
    seconds: float,
    wait: float,
) -> None:
    """Touch a key that waits for it.

    \b
    tap      touch for a moment (a sensor sees --finger, lying as --placement says)
    hold     touch for --seconds, as for a reset that wants a long touch
    refuse   tell the key no
    at-once  from now on touch by itself
    ask      from now on wait to be told
    """
    says: dict[str, Any] = {"action": action, "wait_s": wait}
    if action in ("tap", "hold"):
        says |= {"finger": finger, "placement": placement}
        says["action"] = "tap"
        says["held_s"] = seconds if action == "hold" else 0.3
    answer = _order(ctx, serial, "touch", **says)
    done = {"tap": "touched", "hold": "held", "refuse": "refused"}.get(action)
    if done is None:
        how = "by itself" if action == "at-once" else "when told"
        echo(f"{answer['serial_number']} is touched {how}")
    else:
        echo(f"{done} {answer['serial_number']} to {answer['touched_to']}")


@ctl.command()
@click.argument("state", type=click.Choice(["on", "off"]))
@_serial
@click.pass_context
def power(ctx: click.Context, state: str, serial: str | None) -> None:
    """Let a key die or wake while it stays plugged in."""
    answer = _order(ctx, serial, "power", on=state == "on")
    echo(f"{answer['serial_number']} has {'power' if answer['powered'] else 'no power'}")


@ctl.command()
@_serial
@click.pass_context
def plug(ctx: click.Context, serial: str | None) -> None:
    """Plug a key in again."""
    answer = _order(ctx, serial, "plug", **{"in": True})
    echo(f"{answer['serial_number']} is at {answer['where']}")


@ctl.command()
@_serial
@click.pass_context
def unplug(ctx: click.Context, serial: str | None) -> None:
    """Pull a key out."""
    answer = _order(ctx, serial, "plug", **{"in": False})
    echo(f"{answer['serial_number']} is unplugged")


@ctl.command()
@click.argument("file", type=click.Path(path_type=Path))
@_serial
@click.option("--overwrite", is_flag=True, help="Replace a snapshot that is there.")
@click.pass_context
def snapshot(ctx: click.Context, file: Path, serial: str | None, overwrite: bool) -> None:
    """Copy a key's state to FILE while it is in use.

    FILE is a state file: virtual:?state=FILE is the key as it is now.
    """
    answer = _order(ctx, serial, "snapshot", file=str(file.absolute()), overwrite=overwrite)
    echo(f"{file} holds {answer['serial_number']} as it is now")


@ctl.command()
@click.argument(
    "plan", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--clear", is_flag=True, help="Let nothing go wrong any more.")
@_serial
@click.pass_context
def faults(ctx: click.Context, plan: Path | None, clear: bool, serial: str | None) -> None:
    """Let things go wrong on a key's wire and in its flash, as the TOML file PLAN says.

    It takes the place of the plan before, and counts anew.
    """
    if (plan is None) != clear:
        raise click.UsageError("name a PLAN, or write --clear")
    try:
        text = None if plan is None else plan.read_text("utf-8")
    except UnicodeDecodeError:
        raise TokenkitError(f"{plan}: it is not UTF-8") from None
    answer = _order(ctx, serial, "faults", plan=text, name=str(plan))
    what = "nothing goes wrong any more" if plan is None else f"things go wrong as {plan} says"
    echo(f"{answer['serial_number']}: {what}")


@ctl.command()
@click.pass_context
def metrics(ctx: click.Context) -> None:
    """Print what was counted since serving began, as JSON."""
    print_json(_client(ctx).get("/metrics"))
