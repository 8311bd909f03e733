"""Rows of a server's log: which code came when, and whether it was accepted."""

from pathlib import Path

import msgspec


class Observation(msgspec.Struct, frozen=True):
    """One row of a log; ``server_s`` is what the server's clock said."""

    line: int
    serial_number: str
    code: str
    server_s: float
    accepted: bool | None


def read_observations(path: str | Path) -> list[Observation]:
    """All rows of a CSV file."""
    raise NotImplementedError
