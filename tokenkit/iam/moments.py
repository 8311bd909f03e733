"""Moments as AWS writes them: whole seconds, UTC."""

from datetime import UTC, datetime
from functools import lru_cache


def iso(time_s: float) -> str:
    """Of seconds since the Unix epoch: 2026-01-01T00:00:15Z."""
    return _iso(int(time_s // 1))


@lru_cache(maxsize=1024)
def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
