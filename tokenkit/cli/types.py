"""What options take, beyond click's own types."""

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
