"""``tokenkit otp``: make, show, watch; check, crystals and calibrate are beside it."""

import base64
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokenkit.cli.otp_check import check
from tokenkit.cli.otp_crystals import calibrate, crystals, grade_of
from tokenkit.cli.output import console, echo, print_json, table
from tokenkit.cli.seed_options import pskc_password_option
from tokenkit.cli.types import Directory, moment
from tokenkit.errors import TokenkitError

if TYPE_CHECKING:
    from tokenkit.virtual import Clock, Display, HardwareToken, TokenSpec

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _in_directory(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    if not value.is_dir():
        return value
    if not (batch_file := value / "batch.json").exists():
        raise click.BadParameter(
            f"there is no batch.json in {value}: "
            f"tokenkit otp make PREFIX --out {shlex.quote(str(value))} writes it"
        )
    return batch_file


_batch = click.argument(
    "batch_file",
    type=click.Path(exists=True, path_type=Path),
    callback=_in_directory,
    metavar="BATCH",
)


@click.group("otp")
def command() -> None:
    """Make and read hardware TOTP/HOTP tokens.

    A batch of tokens is a directory with batch.json, which show and watch run, and seed files for
    a verifier: seeds.pskcxml (PSKC, RFC 6030) and seeds.csv.
    """


command.add_command(check)
command.add_command(crystals)
command.add_command(calibrate)


def _hex(ctx: click.Context, param: click.Parameter, value: str | None) -> bytes | None:
    try:
        return None if value is None else bytes.fromhex(value)
    except ValueError:
        # not repeated: it is a key
        raise click.BadParameter("not hexadecimal: give 32, 48 or 64 digits 0-9 a-f") from None


def _text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        return value if value is None else value.encode().decode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"{value!r} is not UTF-8") from None


def _svg(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """A file that a picture may replace; a batch or its counters never are one."""
    if value is None:
        return None
    if value.suffix.lower() != ".svg":
        raise click.BadParameter(f"{value} does not end in .svg")
    if not value.parent.is_dir():
        raise click.BadParameter(f"there is no directory {value.parent}")
    return value


@command.command()
@click.argument("prefix")
@click.option("--count", default=1, type=click.IntRange(1), show_default=True, help="Tokens.")
@click.option(
    "--kind",
    default="TOTP",
    type=click.Choice(["TOTP", "HOTP"], case_sensitive=False),
    show_default=True,
)
@click.option(
    "--algorithm",
    default="SHA1",
    type=click.Choice(["SHA1", "SHA256", "SHA512"], case_sensitive=False),
    show_default=True,
)
@click.option("--digits", default=6, type=click.IntRange(6, 8), show_default=True)
@click.option(
    "--period",
    type=click.Choice(["30", "60"]),
    show_default="30",
    help="Time step of TOTP in seconds.",
)
@click.option(
    "--grade",
    default="token",
    show_default=True,
    metavar="GRADE",
    help="Crystals: token (trimmed by its maker), 20ppm, 50ppm, perfect or another that tokenkit"
    " otp crystals shows; or a file of one that ends in .toml.",
)
@click.option(
    "--seed", callback=_text, help="Make the same tokens each time; without it they are random."
)
@click.option(
    "--out",
    required=True,
    type=Directory(),
    help="Directory for the three files.",
)
@click.option(
    "--pskc-key", callback=_hex, metavar="HEX", help="Encrypt the PSKC file (AES) with this key."
)
@pskc_password_option("Encrypt the PSKC file under this password.")
@click.option("--show-seeds", is_flag=True, help="Print the secret keys as well.")
@_json_option
@click.pass_obj
def make(
    clock: "Clock | None",
    prefix: str,
    count: int,
    kind: str,
    algorithm: str,
    digits: int,
    period: str | None,
    grade: str,
    seed: str | None,
    out: Path,
    pskc_key: bytes | None,
    pskc_password: str | None,
    show_seeds: bool,
    as_json: bool,
) -> None:
    """Make a batch of tokens, with serial numbers PREFIX00000001 and so on.

    All files are readable by you only; batch.json and seeds.csv hold the secret keys in the
    clear. Nothing is overwritten.
    """
    if period is not None and kind == "HOTP":
        raise click.UsageError("--period is the time step of TOTP: an HOTP token counts presses")

    from tokenkit.virtual import SystemClock, World, ship_batch

    with _plain_errors():
        batch = World(seed, clock=clock or SystemClock()).make_batch(
            prefix,
            count,
            kind=kind,
            algorithm=algorithm,
            digits=digits,
            period_s=int(period or 30),
            grade=grade_of(grade),
        )
        paths = ship_batch(batch, out, pskc_key, pskc_password)
    rows = [_row(spec, show_seeds) for spec in batch.tokens]
    if as_json:
        written = {name: click.format_filename(path) for name, path in paths.items()}
        print_json({**written, "tokens": rows})
        return
    listing = table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        listing.add_row(*map(str, row.values()))
    console().print(listing)
    for path in paths.values():
        echo(f"wrote {click.format_filename(path)}")


def _row(spec: "TokenSpec", show_seed: bool) -> dict[str, Any]:
    row = {
        "serial_number": spec.serial_number,
        "kind": str(spec.kind),
        "algorithm": spec.algorithm,
        "digits": spec.digits,
        "period_s": spec.period_s if spec.kind == "TOTP" else None,
        "tolerance_ppm": round(spec.crystal.tolerance_ppm, 3),
    }
    if show_seed:
        row["seed"] = base64.b32encode(spec.seed).decode()
    return {name: value for name, value in row.items() if value is not None}


@command.command()
@_batch
@click.argument("serial_number", metavar="SERIAL")
@click.option(
    "--at",
    "at_s",
    callback=moment,
    metavar="TIME",
    help="True time, ISO 8601 with zone; now if not set.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_svg,
    help="Draw the token into this file, which ends in .svg; it is replaced.",
)
@_json_option
@click.pass_obj
def show(
    clock: "Clock | None",
    batch_file: Path,
    serial_number: str,
    at_s: float | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Press the button of token SERIAL and show its display and its clock's error.

    BATCH is the directory, or the batch.json in it. The token has been lying on a desk since it was
    made. An HOTP token goes on by one code with
    each press; its counter is kept beside the batch file, in a file that ends in .flash.
    """
    from tokenkit.virtual import SimulatedClock, SystemClock, write_private_files

    true_clock = SimulatedClock(at_s) if at_s is not None else clock or SystemClock()
    with _plain_errors(), _token(batch_file, serial_number, true_clock) as token:
        now_s = true_clock.now()
        display = token.press()
        error_s = token.token_clock.error_s(now_s)
        if svg is not None:
            picture = display.svg(serial_number).encode()
            write_private_files({svg: picture}, overwrite=True)
    if as_json:
        print_json(
            {
                "serial_number": serial_number,
                "kind": str(token.spec.kind),
                "true_time": _iso(now_s),
                "clock_error_s": _rounded(error_s, 6),
                "lit": display.lit,
                "code": display.digits or None,
                "bars": display.bars,
                "low_battery": display.low_battery,
            }
        )
        return
    echo(_picture(token, display, now_s))
    echo(f"code {display.digits}" if display.lit else "dark: the battery is empty")


@command.command()
@_batch
@click.argument("serial_number", metavar="SERIAL")
@click.option(
    "--for", "for_s", type=click.FloatRange(0), metavar="SECONDS", help="Stop after so long."
)
@click.pass_obj
def watch(clock: "Clock | None", batch_file: Path, serial_number: str, for_s: float | None) -> None:
    """Redraw the display of token SERIAL each second, until Ctrl-C.

    BATCH is the directory, or the batch.json in it. The button is pressed at the start; that of a
    TOTP token again whenever the display has gone to sleep.
    """
    from tokenkit.virtual import SystemClock, TokenKind

    clock = clock or SystemClock()
    with _plain_errors(), _token(batch_file, serial_number, clock) as token:
        start_s = clock.now()
        display = token.press()
        with suppress(KeyboardInterrupt):
            echo(_picture(token, display, start_s))
            second = 1
            while for_s is None or second <= for_s:
                clock.wait_until(start_s + second)
                display = token.display()
                if not display.lit and token.spec.kind is TokenKind.TOTP:
                    display = token.press()
                # up to the first of the picture's lines, and clear; click leaves it out of a pipe
                echo("\x1b[5A\x1b[J", nl=False)
                echo(_picture(token, display, clock.now()))
                second += 1


@contextmanager
def _token(batch_file: Path, serial_number: str, clock: "Clock") -> "Iterator[HardwareToken]":
    from tokenkit.virtual import SqliteFlash, TokenKind, World, read_batch

    spec = read_batch(batch_file).find(serial_number)
    world = World(clock=clock)
    token = world.token(spec)  # refused, if it is, before there is a state file
    if spec.kind is TokenKind.TOTP:
        yield token
        return
    flash = SqliteFlash(batch_file.with_suffix(".flash"))
    try:
        yield world.token(spec, flash=flash)
    finally:
        flash.close()


def _picture(token: "HardwareToken", display: "Display", true_s: float) -> str:
    """Five lines."""
    error_s = _rounded(token.token_clock.error_s(true_s), 3)
    return (
        f"{display.text()}\n\n{token.serial_number}  {_iso(true_s)}  clock error {error_s:+.3f} s"
    )


def _rounded(error_s: float, digits: int) -> float:
    return round(error_s, digits) + 0.0  # -0.0 becomes 0.0


def _iso(true_s: float) -> str:
    return datetime.fromtimestamp(true_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what the device side refuses into one line."""
    from tokenkit.virtual import FlashError

    try:
        yield
    except FileExistsError as error:
        raise TokenkitError(
            f"{error.filename} is there already and is not overwritten: choose another directory"
        ) from error
    except (FlashError, ValueError) as error:
        raise TokenkitError(str(error)) from error
