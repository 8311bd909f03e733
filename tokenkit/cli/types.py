"""What options take, beyond click's own types."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click


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
