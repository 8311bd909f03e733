"""The log's hash chain: a line that was changed, left out or put in shows. No storage in here."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIRST = bytes(32)  # before the first line


def chained(before: bytes, line: Mapping[str, Any]) -> bytes:
    """The hash of ``line``: SHA-256 over the hash of the line before and the line as JSON.

    The JSON has sorted keys and no spaces, so that anybody can compute it anew.
    """
    # a clock may give whole numbers, a database gives them back as float
    text = json.dumps({**line, "at_s": float(line["at_s"])}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + text.encode()).digest()
