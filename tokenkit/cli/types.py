"""What options take, beyond click's own types."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


class Directory(click.Path):
    """A directory to write into, there already or not; never the current one for want of a name."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("name a directory; . is the current one", param, ctx)
        return super().convert(value, param, ctx)


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """ISO 8601 with a zone, as seconds since the Unix epoch."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no ISO 8601 time such as 2026-11-24T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise click.BadParameter(
            f"{value!r} has no time zone: add Z for UTC, or an offset such as +01:00"
        )
    try:
        return moment.astimezone(UTC).timestamp()
    except OverflowError:
        raise click.BadParameter(f"{value!r} is not between the years 1 and 9999 in UTC") from None


def time_zone(ctx: click.Context, param: click.Parameter, value: str | None) -> "ZoneInfo | None":
    """A name such as Europe/Berlin."""
    from tokenkit.drift.server_time import time_zone as named

    return None if value is None else named(value)


def in_a_directory(value: Path | None) -> Path | None:
    """A file that can be written, as far as its folder goes."""
    if value is not None and not value.parent.is_dir():
        raise click.BadParameter(f"there is no directory {value.parent}")
    return value


def _picture(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in (".png", ".svg"):
        raise click.BadParameter(f"{value} ends neither in .png nor in .svg")
    return in_a_directory(value)


plot_option = click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture,
    metavar="FILE",
    help="Draw it into FILE, which ends in .png or .svg.",
)
zone_option = click.option(
    "--time-zone", "zone", callback=time_zone, metavar="ZONE", help="Of times that have none."
)
