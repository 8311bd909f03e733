"""Say to a key what a recorded host said, and look whether it answers the same."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread

from fido2.ctap import CtapDevice, CtapError
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection

from tokenkit import virtual
from tokenkit.keys.discovery import check_selector, make_virtual, open_key
from tokenkit.keys.errors import UnreadableKeyError, UnsupportedError, talking_to
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.selector import Selector
from tokenkit.keys.trace.capture import TraceError
from tokenkit.keys.trace.compare import Difference, Reader, difference, is_by_time
from tokenkit.keys.trace.decode import FIDO_APPLET
from tokenkit.keys.trace.messages import (
    BROADCAST,
    Assembler,
    Command,
    Message,
    parse_apdu,
    read_messages,
)
from tokenkit.keys.trace.reports import Report, Trace

# a key at work says so every 0.1 s; then it may take its time to be touched
_PATIENCE_S = 5.0
_INVALID_CHANNEL = bytes((0x0B,))
_LIVE = "live"


@dataclass(frozen=True)
class Replay:
    """How many answers were the same, and the first that was not."""

    same: int
    difference: Difference | None = None


class _Silence(Exception):
    """The key has nothing to say."""


def replay(
    trace: Trace,
    selector: str,
    confirm: Callable[[OpenKey, str], None],
    *,
    device: str | None = None,
    exact: bool = False,
) -> Replay:
    """Send the host's part of ``trace`` to the key that ``selector`` means, up to a difference.

    ``confirm`` is asked before anything is sent to a physical key, with what is about to be done:
    it raises RefusedError if that may not be. ``device`` is the key of the trace, needed if it
    holds several. What is compared is said at :func:`tokenkit.keys.trace.compare.compare`.

    A virtual key is fresh from its seed or state file, gets its power when the recorded one did,
    and lives at the time of the recording: nothing sleeps. TraceError if the trace is not whole.
    """
    reports = _of_one_key(trace, device)
    chosen = check_selector(selector)
    if chosen.scheme == "virtual":
        with _fresh(chosen, trace.plugged_s[reports[0].key]) as key:
            return _play(reports, _virtual_target(key), exact, key.clock.wait_until)
    with open_key(chosen) as opened:
        confirm(opened, f"replay {_count(reports)} recorded messages and whatever they change")
        with talking_to(opened.selector):
            if opened.security_key is not None:
                target = _virtual_target(opened.security_key)
            else:
                target = _Target(opened.device, lambda: _physical(opened))
            return _play(reports, target, exact, lambda true_s: None)


def _of_one_key(trace: Trace, device: str | None) -> list[Report]:
    trace.require_whole()
    keys = list(dict.fromkeys(report.key for report in trace.reports))
    if device is None and len(keys) > 1:
        listed = ", ".join(keys)
        raise TraceError(f"{trace.path}: {len(keys)} keys are in it; choose by --device: {listed}")
    chosen = [report for report in trace.reports if device in (None, report.key)]
    if not chosen:
        listed = ", ".join(keys)
        raise TraceError(f"{trace.path}: device {device} is not in it; there are: {listed}")
    return chosen


def _count(reports: list[Report]) -> int:
    return sum(message.from_host for message in read_messages(reports))


@dataclass(frozen=True)
class _Target:
    """The key: ``device`` for messages, or packet by packet through ``connect``."""

    device: CtapDevice | None
    connect: Callable[[], CtapHidConnection]
    open: Callable[[], CtapDevice] | None = None

    def messenger(self) -> CtapDevice:
        if self.device is None:
            assert self.open is not None
            return self.open()
        return self.device


@contextmanager
def _fresh(selector: Selector, start_s: float) -> Iterator[virtual.SecurityKey]:
    world = virtual.World(selector.seed, start_s=start_s)
    key, state = make_virtual(selector, world)
    try:
        yield key
    finally:
        key.power_off()
        if state is not None:
            state.close()


def _virtual_target(key: virtual.SecurityKey) -> _Target:
    # no connection of ours first: what a key draws at random depends on all that it is told
    return _Target(
        None, lambda: virtual.InProcessConnection(key), open=lambda: virtual.connect(key)
    )


def _physical(key: OpenKey) -> CtapHidConnection:
    if not isinstance(key.device, CtapHidDevice):
        raise UnsupportedError(
            f"{key}: a session over USB cannot be replayed over PC/SC, which has no channels"
        )
    return _Patient(key.device._connection)


def _play(
    reports: list[Report], target: _Target, exact: bool, wait_until: Callable[[float], None]
) -> Replay:
    if reports[0].card:
        return _Messages(target.messenger(), exact, wait_until).play(reports)
    return _Packets(target.connect(), exact, wait_until).play(reports)


class _Comparison:
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


class _Packets:
    """Packet by packet, so that broken framing, cancellation and channels are replayed, too."""

    def __init__(
        self, connection: CtapHidConnection, exact: bool, wait_until: Callable[[float], None]
    ) -> None:
        self._connection = connection
        self._wait_until = wait_until
        self._comparison = _Comparison(exact)
        self._channels: dict[int, int] = {}
        self._live = Assembler()
        self._inbox: deque[Message] = deque()

    def play(self, reports: list[Report]) -> Replay:
        assembler = Assembler()
        self._open_channels(read_messages(reports))
        for report in reports:
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
        self._wait_until(report.time_s)
        channel = int.from_bytes(report.data[:4], "big")
        mapped = (self._channel(channel) or 0).to_bytes(4, "big")
        self._connection.write_packet(mapped + report.data[4:])

    def _compare(self, recorded: Message) -> Difference | None:
        try:
            live = self._next()
            while is_by_time(live):
                live = self._next()
        except _Silence:
            return self._comparison.answered(recorded, None)
        if recorded.command == live.command == Command.INIT:
            self._channels.setdefault(_allotted(recorded), _allotted(live))
        return self._comparison.answered(recorded, live)

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
            try:
                data = self._connection.read_packet()
            except OSError as error:
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


class _Messages:
    """What a card was told, whole messages: how they are chained is python-fido2's matter."""

    def __init__(
        self, device: CtapDevice, exact: bool, wait_until: Callable[[float], None]
    ) -> None:
        self._device = device
        self._wait_until = wait_until
        self._comparison = _Comparison(exact)

    def play(self, reports: list[Report]) -> Replay:
        answer: Message | None = None
        for message in read_messages(reports):
            if is_by_time(message) or message.command == Command.CANCEL:
                continue
            if message.from_host:
                answer = self._send(message)
            elif answer is not None:
                if found := self._comparison.answered(message, answer):
                    return self._comparison.outcome(found)
                answer = None
        return self._comparison.outcome()

    def _send(self, message: Message) -> Message | None:
        apdu = parse_apdu(message.payload) if message.command == Command.MSG else None
        live = replace(message, key=_LIVE)
        self._comparison.sent(message, live)
        if apdu is not None and apdu.ins == 0xA4 and apdu.data == FIDO_APPLET:
            return None  # done when the key was opened
        self._wait_until(message.time_s)
        answer = replace(live, from_host=False)
        try:
            return replace(answer, payload=self._device.call(message.command, message.payload))
        except CtapError as error:
            return replace(answer, command=Command.ERROR, payload=bytes((int(error.code),)))


class _Patient(CtapHidConnection):
    """A physical key's connection whose reading ends, by OSError, when nothing comes for 5 s."""

    def __init__(self, connection: CtapHidConnection) -> None:
        self._connection = connection
        self._reports: SimpleQueue[bytes | OSError] = SimpleQueue()
        self._reading = False

    def write_packet(self, data: bytes) -> None:
        self._connection.write_packet(data)

    def read_packet(self) -> bytes:
        if not self._reading:
            # a read cannot be called off: the thread ends with it, or with the process
            self._reading = True
            Thread(target=self._read, daemon=True).start()
        try:
            report = self._reports.get(timeout=_PATIENCE_S)
        except Empty:
            raise OSError(f"nothing came from the key for {_PATIENCE_S:.0f} s") from None
        self._reading = False
        if isinstance(report, OSError):
            raise report
        return report

    def close(self) -> None:
        self._connection.close()

    def _read(self) -> None:
        try:
            self._reports.put(self._connection.read_packet())
        except OSError as error:
            self._reports.put(error)
