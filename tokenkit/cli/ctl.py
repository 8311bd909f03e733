"""``tokenkit ctl``: move the clock of a service, handle its virtual tokens, look into it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from tokenkit.cli.key_options import json_option
from tokenkit.cli.output import console, echo, print_json, print_json_text, table
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.serving.control_client import ControlClient

_serial = click.option("--serial", metavar="N", help="Which token, where there are several.")


@click.group("ctl")
@click.option(
    "--control",
    "control_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Control file of the service. Default: TOKENKIT_SERVICE, or that of the only one.",
)
@click.pass_context
def command(ctx: click.Context, control_file: Path | None) -> None:
    """Move the clock of a service, and handle its virtual tokens.

    It runs by: tokenkit serve
    """
    ctx.obj = control_file


class _ClockOfService:
    """As tokens and apps see it."""

    def __init__(self, client: "ControlClient") -> None:
        self._client = client

    def now(self) -> float:
        return float(self._client.get("/clock")["now_s"])

    def wait_until(self, true_s: float) -> None:
        if (left_s := true_s - self.now()) > 0:
            self._client.post("/clock/advance", {"by": left_s})


def _client(ctx: click.Context) -> "ControlClient":
    from tokenkit.serving.control_client import SERVICE, ControlClient, find_control_file

    return ControlClient(ctx.obj or find_control_file(SERVICE))


def _post(ctx: click.Context, to: str, /, **order: Any) -> Any:
    said = {name: value for name, value in order.items() if value is not None}
    return _client(ctx).post(to, said)


@command.group(invoke_without_command=True)
@click.pass_context
def clock(ctx: click.Context) -> None:
    """Print the service's time, or move it."""
    if ctx.invoked_subcommand is None:
        _print_clock(_client(ctx).get("/clock"))


@clock.command()
@click.argument("duration", nargs=-1, required=True)
@click.pass_context
def advance(ctx: click.Context, duration: tuple[str, ...]) -> None:
    """Move the clock forward: 90 s, 2 years, P8M."""
    _print_clock(_post(ctx, "/clock/advance", by=" ".join(duration)))


@clock.command("set")
@click.argument("time")
@click.pass_context
def set_clock(ctx: click.Context, time: str) -> None:
    """Move the clock forward to TIME, such as 2027-03-01T08:00:00Z."""
    _print_clock(_post(ctx, "/clock/set", to=time))


def _print_clock(said: dict[str, Any]) -> None:
    echo(f"{said['now']} {'running' if said['runs'] else 'standing'}")


@command.command()
@json_option
@click.pass_context
def tokens(ctx: click.Context, as_json: bool) -> None:
    """List the virtual tokens, and how far off their clocks are."""
    found = _client(ctx).get("/tokens")
    if as_json:
        print_json(found)
        return
    if not found:
        echo("none: tokenkit ctl make-tokens makes some")
        return
    from tokenkit.scenario.durations import clock_text

    shown = table("serial number", "place", "clock error", "battery")
    for each in found:
        low = "low" if each["low_battery"] else "good"
        battery = "empty" if each["battery_empty"] else low
        if each["dark_until"] is not None:
            battery = f"none until {each['dark_until']}"
        shown.add_row(each["serial_number"], each["place"], clock_text(each["error_s"]), battery)
    console().print(shown)


@command.command("make-tokens", short_help="Make virtual tokens.")
@click.argument("count", type=click.IntRange(1, 1000), default=1)
@click.option("--prefix", help="What their serial numbers begin with. Default: TKTEST.")
@click.option("--place", help="Where they lie, such as warehouse or '5 °C'. Default: desk.")
@click.pass_context
def make_tokens(ctx: click.Context, count: int, prefix: str | None, place: str | None) -> None:
    """Make virtual tokens and import their seeds; prints their serial numbers."""
    for token in _post(ctx, "/tokens", count=count, prefix=prefix, place=place):
        echo(token["serial_number"])


@command.command(short_help="Press a token's button, print the code.")
@_serial
@click.pass_context
def press(ctx: click.Context, serial: str | None) -> None:
    """Press a token's button; prints the code, or fails where the display stays dark."""
    shown = _post(ctx, "/tokens/press", serial_number=serial)
    if shown["code"] is None:
        raise TokenkitError(
            f"the display of {shown['serial_number']} stays dark: {shown['why_dark']}"
        )
    echo(shown["code"])


@command.command("two-codes", short_help="Print two consecutive codes of a token.")
@_serial
@click.pass_context
def two_codes(ctx: click.Context, serial: str | None) -> None:
    """Print two consecutive codes of a token, moving the clock on to the second."""
    shown = _post(ctx, "/tokens/two-codes", serial_number=serial)
    echo(f"{shown['code1']} {shown['code2']}")


@command.command(short_help="Print the code of an authenticator app.")
@click.argument("seed", metavar="SEED|FILE")
@click.option("--two", is_flag=True, help="Two consecutive codes; the clock moves on.")
@click.pass_context
def app(ctx: click.Context, seed: str, two: bool) -> None:
    """Print the code of a virtual MFA device, an authenticator app.

    SEED is IAM's Base32StringSeed; FILE has it, or the QR code as a picture, as aws iam
    create-virtual-mfa-device writes them. It is not sent to the service.
    """
    from tokenkit.service.phone import Phone, read_seed

    file = Path(seed)
    phone = Phone(read_seed(file) if file.is_file() else seed, _ClockOfService(_client(ctx)))
    echo(" ".join(phone.two_codes()) if two else phone.code())


@command.command(
    context_settings={"ignore_unknown_options": True}, short_help="Lay a token elsewhere."
)  # '-5 °C' is none
@click.argument("place")
@_serial
@click.pass_context
def move(ctx: click.Context, place: str, serial: str | None) -> None:
    """Lay a token elsewhere: desk, drawer, pocket, car, warehouse, or '5 °C'."""
    token = _post(ctx, "/tokens/move", serial_number=serial, place=place)
    echo(f"{token['serial_number']} lies at {token['place']}")


@command.command()
@_serial
@click.option("--outage", metavar="DURATION", help="Without power for so long. Default: 60 s.")
@click.pass_context
def battery(ctx: click.Context, serial: str | None, outage: str | None) -> None:
    """Change a token's battery."""
    token = _post(ctx, "/tokens/battery", serial_number=serial, outage=outage)
    if token["dark_until"] is None:  # of a clock that runs, and an outage of no time
        echo(f"{token['serial_number']} has a new battery")
    else:
        until = token["dark_until"]
        echo(f"{token['serial_number']} is without power until {until}; then a new battery")


@command.command()
@click.option("--user", help="Those of one user.")
@json_option
@click.pass_context
def devices(ctx: click.Context, user: str | None, as_json: bool) -> None:
    """List the enabled devices."""
    query = "" if user is None else "?" + urlencode({"user": user})
    found = _client(ctx).get("/devices" + query)
    if as_json:
        print_json(found)
        return
    if not found:
        echo("none")
        return
    shown = table("user", "kind", "name", "serial number", "wrong codes")
    for each in found:
        wrong = "locked" if each["locked"] else str(each["failures"])
        shown.add_row(each["user"], each["kind"], each["name"], each["serial_number"], wrong)
    console().print(shown)


@command.command()
@click.argument("serial_number")
@click.pass_context
def unlock(ctx: click.Context, serial_number: str) -> None:
    """Forget the wrong codes of a device."""
    was = _post(ctx, "/devices/unlock", serial_number=serial_number)
    if was["was_locked"]:
        echo(f"{serial_number} is unlocked")
    else:
        echo(f"{serial_number} was not locked; wrong codes forgotten: {was['failures']}")


@command.command()
@json_option
@click.pass_context
def users(ctx: click.Context, as_json: bool) -> None:
    """List the users."""
    found = _client(ctx).get("/users")
    if as_json:
        print_json(found)
        return
    shown = table("name", "ARN", "password")
    for each in found:
        shown.add_row(each["name"], each["arn"], "yes" if each["has_password"] else "no")
    console().print(shown)


@command.command("make-user")
@click.argument("name")
@click.option("--path", help="IAM's path, such as /engineering/.")
@click.option(
    "--password",
    envvar="TOKENKIT_USER_PASSWORD",
    help="For the console. Default: TOKENKIT_USER_PASSWORD, or none.",
)
@click.pass_context
def make_user(ctx: click.Context, name: str, path: str | None, password: str | None) -> None:
    """Make a user."""
    echo(_post(ctx, "/users", name=name, path=path, password=password)["arn"])


@command.command(short_help="Say what is amiss, and how to mend it.")
@json_option
@click.pass_context
def findings(ctx: click.Context, as_json: bool) -> None:
    """Say what is amiss with users and devices, and how to mend it."""
    found = _client(ctx).get("/findings")
    if as_json:
        print_json(found)
        return
    if not found:
        echo("nothing is amiss")
        return
    shown = table("user", "device", "finding", "advice")
    for each in found:
        shown.add_row(each["user"], each["serial_number"] or "", each["what"], each["advice"])
    console().print(shown)


@command.command()
@click.pass_context
def audit(ctx: click.Context) -> None:
    """Export the audit log as JSON Lines."""
    for line in _client(ctx).lines("/audit"):
        print_json_text(line.decode())
