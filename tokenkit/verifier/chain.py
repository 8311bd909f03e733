"""The log's hash chain: a line that was changed, left out or put in shows. No storage in here.

A line's hash is SHA-256 over the hash of the line before, which for the first is 32 zero bytes,
and the line as JSON: at_s, event, user, serial_number and detail, with sorted keys, no spaces and
ASCII alone. So anybody can compute it anew. Whoever can write to the database can compute it, too:
what shows their changes is a hash that was noted elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from tokenkit.verifier.errors import BrokenChain

FIRST = bytes(32)  # before the first line
_LONGEST_LINE = 1 << 20  # bytes: a line that goes on is none


def chained(before: bytes, line: Mapping[str, Any]) -> bytes:
    """The hash of ``line``, which has the five members, after ``before``."""
    # a clock may give whole numbers, a database gives them back as float
    text = json.dumps({**line, "at_s": float(line["at_s"])}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + text.encode()).digest()


class LogLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the log; the first is number 1. ``hash`` is in hexadecimal."""

    line: int
    at_s: float
    event: str
    user: str | None
    serial_number: str | None
    detail: dict[str, Any]
    hash: str

    def to_json(self) -> str:
        """As a line of JSON Lines, without its end."""
        return json.dumps(msgspec.structs.asdict(self), separators=(",", ":"))

    def hash_after(self, before: bytes) -> bytes:
        """What the hash must be."""
        members = msgspec.structs.asdict(self)
        del members["line"], members["hash"]
        return chained(before, members)


@dataclass(frozen=True)
class Chain:
    """An unbroken chain: how many lines, the last one's hash, and which line has the noted one."""

    lines: int
    head: bytes
    noted_line: int | None = None


def verify_chain(lines: Iterable[LogLine], noted: bytes | None = None) -> Chain:
    """Follow the chain from its first line to its end; BrokenChain names the first broken line.

    ``noted`` is the hash that was the last once: if no line has it, the end was cut off, or all
    was made anew.
    """
    head, count = FIRST, 0
    noted_line = 0 if noted == FIRST else None
    for line in lines:
        count += 1
        if line.line != count:
            raise BrokenChain(count, f"the next line is number {line.line}")
        head = line.hash_after(head)
        if line.hash != head.hex():
            raise BrokenChain(count, "it, or what was before it, is not what was written")
        if head == noted:
            noted_line = count
    if noted is not None and noted_line is None:
        raise BrokenChain(
            count + 1,
            "no line has the hash that was noted: the end was cut off, or all made anew",
            f"after its last line, {count}" if count else "and empty",
        )
    return Chain(count, head, noted_line)


def parse_log(file: BinaryIO) -> Iterator[LogLine]:
    """The lines of an exported log, read as they are asked for. BrokenChain for what is none."""
    number = 0
    while text := file.readline(_LONGEST_LINE):
        number += 1
        if not text.endswith(b"\n"):
            raise BrokenChain(number, "it has no end: the file was cut off")
        try:
            yield msgspec.convert(json.loads(text), LogLine)
        except (ValueError, RecursionError):
            raise BrokenChain(number, "it is no line of an exported log") from None
