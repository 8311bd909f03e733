"""Play the host's part of a recording: packet by packet on HID, message by message to a card."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from fido2.ctap import CtapDevice, CtapError
from fido2.hid.base import CtapHidConnection

from tokenkit.keys.errors import UnreadableKeyError
from tokenkit.keys.trace.compare import Difference, Reader, difference
from tokenkit.keys.trace.decode import FIDO_APPLET
from tokenkit.keys.trace.messages import (
    BROADCAST,
    Assembler,
    Command,
    Message,
    find_polls,
    is_by_time,
    parse_apdu,
    read_messages,
    wants_touch,
)
from tokenkit.keys.trace.reports import Report

# U2F says nothing while it waits for a touch: it is asked again, for half a minute
POLL_S = 0.1
_POLLS = 300
_INVALID_CHANNEL = bytes((0x0B,))
_LIVE = "live"


@dataclass(frozen=True)
class Replay:
    """How many answers were the same, and the first that was not."""

    same: int
    difference: Difference | None = None


@dataclass(frozen=True)
class Pace:
    """How time passes for the key: up to a recorded moment, and between two polls."""

    wait_until: Callable[[float], None]
    pause: Callable[[], None]


def without_polls(reports: list[Report]) -> list[Report]:
    """All but what :func:`find_polls` finds: how many it takes is for the live key to say."""
    assembler = Assembler()
    messages: list[Message] = []
    spans: list[list[int]] = []
    begun: dict[tuple[bool, bytes], list[int]] = {}
    for index, report in enumerate(reports):
        place = (report.from_host, b"" if report.card else report.data[:4])
        begun.setdefault(place, []).append(index)
        for message in assembler.feed(report):
            messages.append(message)
            spans.append(begun.pop(place, []))
    dropped = {index for position in find_polls(messages) for index in spans[position]}
    return [report for index, report in enumerate(reports) if index not in dropped]


class _Silence(Exception):
    """The key has nothing to say."""


class Comparison:
    """What was recorded, and what comes now, message by message."""

    def __init__(self, exact: bool) -> None:
        self._recorded = Reader(exact)
        self._live = Reader(exact)
        self._number = 0
        self._same = 0

    def sent(self, recorded: Message, live: Message) -> None:
        """The host said this."""
        self._number += not is_by_time(recorded)
        self._recorded.read(recorded)
        self._live.read(live)

    def answered(self, recorded: Message, live: Message | None) -> Difference | None:
        """The key answered this."""
        self._number += 1
        left = self._recorded.read(recorded)
        right = None if live is None else self._live.read(live)
        if right is not None and left[1] == right[1]:
            self._same += 1
            return None
        return difference(self._number, left, right)

    def outcome(self, found: Difference | None = None) -> Replay:
        return Replay(self._same, found)


class PacketPlayer:
    """Packet by packet, so that broken framing, cancellation and channels are replayed, too."""

    def __init__(self, connection: CtapHidConnection, exact: bool, pace: Pace) -> None:
        self._connection = connection
        self._pace = pace
        self._comparison = Comparison(exact)
        self._channels: dict[int, int] = {}
        self._live = Assembler()
        self._inbox: deque[Message] = deque()
        self._sent: dict[int, list[bytes]] = {}  # packets of the last message, by live channel
        self._silent = False  # nothing comes until something is sent

    def play(self, reports: list[Report]) -> Replay:
        assembler = Assembler()
        self._open_channels(read_messages(reports))
        for report in without_polls(reports):
            if report.from_host:
                self._send(report)
            for message in assembler.feed(report):
                if message.from_host:
                    live = replace(message, key=_LIVE, channel=self._channel(message.channel))
                    self._comparison.sent(message, live)
                elif is_by_time(message):
                    self._await_keepalive()
                elif found := self._compare(message):
                    return self._comparison.outcome(found)
        return self._comparison.outcome()

    def _send(self, report: Report) -> None:
        self._pace.wait_until(report.time_s)
        channel = self._channel(int.from_bytes(report.data[:4], "big")) or 0
        packet = channel.to_bytes(4, "big") + report.data[4:]
        if packet[4:5] >= b"\x80":
            self._sent[channel] = []
        self._sent.setdefault(channel, []).append(packet)
        self._connection.write_packet(packet)
        self._silent = False

    def _compare(self, recorded: Message) -> Difference | None:
        try:
            live = self._answer()
            polls = 0 if wants_touch(recorded) else _POLLS
            while wants_touch(live) and polls:
                polls -= 1
                self._pace.pause()
                for packet in self._sent.get(live.channel or 0, ()):
                    self._connection.write_packet(packet)
                live = self._answer()
        except _Silence:
            return self._comparison.answered(recorded, None)
        if recorded.command == live.command == Command.INIT:
            self._channels[_allotted(recorded)] = _allotted(live)
        return self._comparison.answered(recorded, live)

    def _answer(self) -> Message:
        while is_by_time(live := self._next()):
            pass
        return live

    def _await_keepalive(self) -> None:
        """Once a key was at work when the host went on: be no faster than that host."""
        try:
            live = self._next()
        except _Silence:
            return
        if not is_by_time(live):
            self._inbox.appendleft(live)

    def _next(self) -> Message:
        while not self._inbox:
            if self._silent:
                raise _Silence
            try:
                data = self._connection.read_packet()
            except OSError as error:
                self._silent = True
                raise _Silence from error
            self._inbox += self._live.feed(Report(0.0, _LIVE, False, False, data))
        return self._inbox.popleft()

    def _channel(self, recorded: int | None) -> int | None:
        return recorded if recorded is None else self._channels.get(recorded, recorded)

    def _open_channels(self, messages: Iterable[Message]) -> None:
        """Open those that were open before the recording began."""
        known = {0, BROADCAST}
        for message in messages:
            if message.from_host or message.channel is None:
                continue
            if message.command == Command.INIT:
                known.add(_allotted(message))
            elif message.channel not in known:
                known.add(message.channel)
                if message.command != Command.ERROR or message.payload != _INVALID_CHANNEL:
                    self._channels[message.channel] = self._open_channel(message.channel)

    def _open_channel(self, recorded: int) -> int:
        head = BROADCAST.to_bytes(4, "big") + bytes((0x80 | Command.INIT, 0, 8))
        nonce = recorded.to_bytes(8, "big")
        self._connection.write_packet((head + nonce).ljust(64, b"\0"))
        try:
            while (live := self._next()).payload[:8] != nonce:
                pass
        except _Silence:
            raise UnreadableKeyError("the key opens no channel: unplug it and try again") from None
        return _allotted(live)


def _allotted(message: Message) -> int:
    """The channel that an answer to INIT tells (CTAP 2.1 §11.2.9.1.3)."""
    return int.from_bytes(message.payload[8:12], "big")


class MessagePlayer:
    """What a card was told, whole messages: how they are chained is python-fido2's matter."""

    def __init__(self, device: CtapDevice, exact: bool, pace: Pace) -> None:
        self._device = device
        self._pace = pace
        self._comparison = Comparison(exact)

    def play(self, reports: list[Report]) -> Replay:
        asked: Message | None = None
        for message in read_messages(without_polls(reports)):
            if is_by_time(message) or message.command == Command.CANCEL:
                continue
            if message.from_host:
                asked = self._ask(message)
            elif asked is not None:
                answer = self._call(asked)
                polls = 0 if wants_touch(message) else _POLLS
                while wants_touch(answer) and polls:
                    polls -= 1
                    self._pace.pause()
                    answer = self._call(asked)
                if found := self._comparison.answered(message, answer):
                    return self._comparison.outcome(found)
                asked = None
        return self._comparison.outcome()

    def _ask(self, message: Message) -> Message | None:
        """What the live key is to be asked, None for what was done when it was opened."""
        apdu = parse_apdu(message.payload) if message.command == Command.MSG else None
        live = replace(message, key=_LIVE)
        self._comparison.sent(message, live)
        if apdu is not None and apdu.ins == 0xA4 and apdu.data == FIDO_APPLET:
            return None
        self._pace.wait_until(message.time_s)
        return live

    def _call(self, message: Message) -> Message:
        """The answer to a message of the host."""
        answer = replace(message, from_host=False)
        try:
            return replace(answer, payload=self._device.call(message.command, message.payload))
        except CtapError as error:
            return replace(answer, command=Command.ERROR, payload=bytes((int(error.code),)))
