"""Two sessions side by side, and what in them differs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tokenkit.keys.trace.decode import Decoded, Decoder
from tokenkit.keys.trace.messages import BROADCAST, Message, find_polls, is_by_time
from tokenkit.keys.trace.notation import comparable, diagnostic


@dataclass(frozen=True)
class Difference:
    """The message that is number ``number`` of the first session, counted from 1, and the other's.

    One of them is None where the other session has no such message. ``members`` are the paths of
    what differs inside, if both are alike otherwise.
    """

    number: int
    first: Decoded | None
    second: Decoded | None
    members: tuple[str, ...] = ()


class Reader:
    """One session's messages in words, with channels and keys counted in the order they came."""

    def __init__(self, exact: bool = False) -> None:
        self._decoder = Decoder()
        self._exact = exact
        self._numbers: dict[tuple[str, str | int | None], int] = {}

    def read(self, message: Message) -> tuple[Decoded, Any]:
        """The message in words, and what of it is to be compared."""
        decoded = self._decoder.decode(message)
        content = {
            "key": self._number("key", message.key),
            "from_host": message.from_host,
            "channel": self._channel(message),
            "command": decoded.command,
            "name": decoded.name,
            "problem": message.problem,
            "content": comparable(decoded.content, self._exact),
        }
        return decoded, content

    def _channel(self, message: Message) -> Any:
        if self._exact or message.channel in (None, 0, BROADCAST):
            return message.channel
        return self._number(message.key, message.channel)

    def _number(self, of: str, what: str | int | None) -> int:
        return self._numbers.setdefault((of, what), len(self._numbers))


def compare(
    first: Iterable[Message], second: Iterable[Message], exact: bool = False
) -> Iterator[Difference]:
    """Align two sessions and tell what differs, in order.

    Times are not compared, nor how often a key asked for patience or a host for news; nor, unless
    ``exact``, what differs by its nature: channel ids, nonces, challenges, keys, credential ids,
    signatures and their counters, whatever is encrypted.
    """
    lefts, rights = _read(first, exact), _read(second, exact)
    one, other = ([diagnostic(content) for _, content in side] for side in (lefts, rights))
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, low, high, start, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        for at in range(max(high - low, end - start)):
            left = lefts[low + at] if low + at < high else None
            right = rights[start + at] if start + at < end else None
            yield difference(min(low + at, high) + 1, left, right)


def difference(
    number: int, left: tuple[Decoded, Any] | None, right: tuple[Decoded, Any] | None
) -> Difference:
    """Of two that :meth:`Reader.read` gave."""
    if left is None or right is None:
        return Difference(number, left and left[0], right and right[0])
    alike = all(left[1][each] == right[1][each] for each in left[1] if each != "content")
    members = tuple(_paths(left[1]["content"], right[1]["content"])) if alike else ()
    return Difference(number, left[0], right[0], members)


def _read(messages: Iterable[Message], exact: bool) -> list[tuple[Decoded, Any]]:
    reader, messages = Reader(exact), list(messages)
    polls = find_polls(messages)
    return [
        reader.read(message)
        for position, message in enumerate(messages)
        if position not in polls and not is_by_time(message)
    ]


def _paths(first: Any, second: Any, path: str = "") -> Iterator[str]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in dict.fromkeys([*first, *second]):
            inner = f"{path}.{name}" if path else str(name)
            if name not in first or name not in second:
                yield inner
            else:
                yield from _paths(first[name], second[name], inner)
    elif first != second and path:
        yield path
