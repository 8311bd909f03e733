"""Messages out of reports (CTAP 2.1 §11.2.4) and APDUs (§11.3), whichever side spoke."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from tokenkit.keys.trace.reports import Report

BROADCAST = 0xFFFFFFFF
MAX_MESSAGE = 7609
REPORT_SIZE = 64
_INIT_DATA = 57
_HEAD = struct.Struct(">IBH")
_REST = (0xC0, 0xA5)  # GET RESPONSE, and YKOATH's own SEND REMAINING
_NFC_CLASS = 0x80
_CHAINED = 0x10
_OK = 0x9000
_STILL_BUSY = 0x9100
_CANCEL = 0x11
_NOT_TOUCHED = b"\x69\x85"


class Command(IntEnum):
    """CTAPHID commands (CTAP 2.1 §11.2.9), and NFCCTAP_GETRESPONSE, which asks once more."""

    PING = 0x01
    MSG = 0x03
    LOCK = 0x04
    INIT = 0x06
    WINK = 0x08
    CBOR = 0x10
    CANCEL = 0x11
    KEEPALIVE = 0x3B
    ERROR = 0x3F
    POLL = 0x100


@dataclass(frozen=True)
class Message:
    """One message; ``time_s`` is that of its first packet, ``channel`` is None for a card.

    What a card is sent by NFCCTAP_MSG is a CBOR message, its 9100 a keep-alive, and any other
    APDU a MSG, joined where it was chained. ``problem`` says how the framing is broken; the
    payload is then what came of it.
    """

    time_s: float
    key: str
    from_host: bool
    channel: int | None
    command: int
    payload: bytes
    problem: str | None = None


def read_messages(reports: Iterable[Report]) -> Iterator[Message]:
    """The messages of ``reports``, each as soon as it is complete, unfinished ones at the end."""
    assembler = Assembler()
    for report in reports:
        yield from assembler.feed(report)
    yield from assembler.end()


def is_by_time(message: Message) -> bool:
    """Whether how many of these there are depends on time alone."""
    return message.command in (Command.KEEPALIVE, Command.POLL) and message.problem is None


def find_polls(messages: Sequence[Message]) -> set[int]:
    """Where U2F is asked again what it refused for want of a touch, as hosts do until it comes.

    Positions of such refusals and of what was refused; the last question of each row is none.
    """
    found: set[int] = set()
    asked: dict[tuple[str, int | None], int] = {}
    refused: dict[tuple[str, int | None], tuple[int, int]] = {}
    for position, message in enumerate(messages):
        place = (message.key, message.channel)
        if message.from_host:
            before = refused.pop(place, None)
            if before is not None and _says_the_same(messages[before[0]], message):
                found.update(before)
            asked[place] = position
        elif place in asked and wants_touch(message):
            refused[place] = (asked[place], position)
    return found


def wants_touch(message: Message) -> bool:
    """Whether it is U2F's SW_CONDITIONS_NOT_SATISFIED (Raw Message Formats §3.3)."""
    return message.command == Command.MSG and message.payload == _NOT_TOUCHED


def _says_the_same(one: Message, other: Message) -> bool:
    return (one.command, one.payload) == (other.command, other.payload)


class Assembler:
    """Takes reports one by one, from both sides and any number of keys."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, bool], _Stream] = {}
        self._cards: dict[str, _Card] = {}

    def feed(self, report: Report) -> list[Message]:
        """What this report completes, or shows to be broken."""
        if report.card:
            return self._cards.setdefault(report.key, _Card()).feed(report)
        place = (report.key, report.from_host)
        return self._streams.setdefault(place, _Stream()).feed(report)

    def end(self) -> list[Message]:
        """What never was completed."""
        parts: list[_Stream | _Card] = [*self._streams.values(), *self._cards.values()]
        return sorted((each for part in parts for each in part.end()), key=lambda each: each.time_s)


@dataclass
class _Pending:
    """A message of which ``length`` bytes were announced."""

    start: Message
    length: int
    data: bytearray
    sequence: int = 0

    def finished(self) -> Message:
        return replace(self.start, payload=bytes(self.data[: self.length]))

    def broken(self, why: str) -> Message:
        why = f"{why}: {len(self.data)} of {self.length} bytes"
        return replace(self.start, payload=bytes(self.data), problem=why)


class _Stream:
    """One direction of one key on HID."""

    def __init__(self) -> None:
        self._pending: dict[int, _Pending] = {}

    def feed(self, report: Report) -> list[Message]:
        data = report.data
        message = Message(report.time_s, report.key, report.from_host, None, 0, data)
        if report.missing or len(data) != REPORT_SIZE:
            size = len(data) + report.missing
            lost = f", of which {report.missing} were not captured" if report.missing else ""
            return [replace(message, problem=f"a report of {size} bytes{lost}")]
        channel, kind, length = _HEAD.unpack_from(data)
        message = replace(message, channel=channel)
        if not kind & 0x80:
            return self._continue(message, kind, data[5:])
        start = replace(message, command=kind & 0x7F, payload=b"")
        before = []
        # a cancellation goes between the packets of others
        if start.command != Command.CANCEL and channel in self._pending:
            before.append(self._pending.pop(channel).broken("cut off"))
        if length > MAX_MESSAGE:
            problem = f"announces {length} bytes, more than the {MAX_MESSAGE} that fit"
            return [*before, replace(start, payload=data[7:], problem=problem)]
        pending = _Pending(start, length, bytearray(data[7:][:length]))
        if length <= _INIT_DATA:
            return [*before, pending.finished()]
        self._pending[channel] = pending
        return before

    def _continue(self, message: Message, sequence: int, data: bytes) -> list[Message]:
        channel = message.channel
        assert channel is not None
        pending = self._pending.get(channel)
        if pending is None:
            problem = f"packet {sequence} of a message that did not begin"
            return [replace(message, payload=data, problem=problem)]
        if sequence != pending.sequence:
            del self._pending[channel]
            return [pending.broken(f"packet {sequence} where {pending.sequence} was due")]
        pending.sequence += 1
        pending.data += data[: pending.length - len(pending.data)]
        if len(pending.data) < pending.length:
            return []
        del self._pending[channel]
        return [pending.finished()]

    def end(self) -> list[Message]:
        return [pending.broken("unfinished") for pending in self._pending.values()]


class _Card:
    """Both directions of one card: a card speaks when it is spoken to."""

    def __init__(self) -> None:
        self._asked: Message | None = None  # what the answers to come belong to
        self._chain: Message | None = None  # chained parts so far
        self._chain_goes_on = False
        self._answer: Message | None = None  # what a card sent before 61xx

    def feed(self, report: Report) -> list[Message]:
        message = Message(
            report.time_s, report.key, report.from_host, None, Command.MSG, report.data
        )
        if report.missing:
            problem = f"an APDU of which {report.missing} bytes were not captured"
            return [replace(message, problem=problem)]
        return self._command(message) if report.from_host else self._response(message)

    def _command(self, message: Message) -> list[Message]:
        apdu = parse_apdu(message.payload)
        if apdu is None:
            return [*self.end(), replace(message, problem="no APDU")]
        if apdu.ins in _REST and self._answer is not None:
            return []
        before = self.end() if self._answer is not None else []
        start = self._chain or replace(message, payload=b"")
        data = start.payload + apdu.data
        self._chain_goes_on = bool(apdu.cla & _CHAINED)
        if self._chain_goes_on:
            self._chain = replace(start, payload=data)
            return before
        self._asked = _joined(start, apdu, data, message.payload)
        self._chain = None
        return [*before, self._asked]

    def _response(self, message: Message) -> list[Message]:
        data = message.payload
        if len(data) < 2:
            return [replace(message, problem="an answer without status word")]
        sw = int.from_bytes(data[-2:], "big")
        if self._chain_goes_on and self._chain is not None:
            if sw == _OK:
                return []
            return [*self.end(), message]
        whole = (self._answer.payload if self._answer else b"") + data[:-2]
        message = replace(self._answer or message, payload=whole)
        if sw >> 8 == 0x61:
            self._answer = message
            return []
        self._answer = None
        asked = self._asked.command if self._asked else Command.MSG
        if asked != Command.MSG and sw == _OK:
            return [replace(message, command=Command.CBOR)]
        if asked != Command.MSG and sw == _STILL_BUSY:
            return [replace(message, command=Command.KEEPALIVE)]
        return [replace(message, payload=whole + data[-2:])]

    def end(self) -> list[Message]:
        """What was begun and not finished; both sides begin afresh."""
        parts = [each for each in (self._chain, self._answer) if each is not None]
        self._chain = self._answer = None
        self._chain_goes_on = False
        return [replace(each, problem="unfinished") for each in parts]


@dataclass(frozen=True)
class Apdu:
    """A command APDU (ISO 7816-4 §5.1) without its Le."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes


def parse_apdu(data: bytes) -> Apdu | None:
    """A short or extended APDU; None if it is neither."""
    if len(data) < 4:
        return None
    (cla, ins, p1, p2), rest = data[:4], data[4:]
    if len(rest) <= 1:
        return Apdu(cla, ins, p1, p2, b"")  # at most Le
    start, length = 1, rest[0]
    if length == 0:
        if len(rest) == 3:
            return Apdu(cla, ins, p1, p2, b"")  # an extended Le
        start, length = 3, int.from_bytes(rest[1:3], "big")
    body = rest[start:]
    if length == 0 or len(body) < length or len(body) > length + (1 if start == 1 else 2):
        return None
    return Apdu(cla, ins, p1, p2, body[:length])


def _joined(start: Message, apdu: Apdu, data: bytes, whole: bytes) -> Message:
    """What an APDU says, the parts before it included."""
    if apdu.cla == _NFC_CLASS and apdu.ins == 0x10:
        return replace(start, command=Command.CBOR, payload=data)
    if apdu.cla == _NFC_CLASS and apdu.ins == 0x11:
        command = Command.CANCEL if apdu.p1 == _CANCEL else Command.POLL
        return replace(start, command=command, payload=data)
    if len(data) == len(apdu.data):
        return replace(start, payload=whole)
    head = bytes((apdu.cla, apdu.ins, apdu.p1, apdu.p2, 0)) + len(data).to_bytes(2, "big")
    return replace(start, payload=head + data)
