"""CTAPHID, the device's half (CTAP 2.1 §11.2): packets in, packets out, no I/O and no threads."""

import math
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from functools import partial
from typing import Protocol

from firmware_sim.fido.task import Progress, Task
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy

PACKET_SIZE = 64
BROADCAST = 0xFFFFFFFF
PROTOCOL_VERSION = 2
_INIT_DATA = PACKET_SIZE - 7
_CONTINUATION_DATA = PACKET_SIZE - 5
MAX_MESSAGE = _INIT_DATA + 128 * _CONTINUATION_DATA  # 7,609
# §11.2.5.2 and §11.2.9.2.1
TRANSACTION_TIMEOUT_S = 0.5
KEEPALIVE_INTERVAL_S = 0.1
MAX_LOCK_S = 10  # §11.2.9.2.2
_MAX_CHANNELS = 1024
# what a host that never reads does not fetch: the oldest is lost, as in a full endpoint
_MAX_REPORTS = 4096
_HEAD = struct.Struct(">IBH")
_INIT_FLAG = 0x80
_BYTE = [bytes((value,)) for value in range(0x80)]


class Command(IntEnum):
    """CTAPHID commands (§11.2.9), without the initialisation bit."""

    PING = 0x01
    MSG = 0x03
    LOCK = 0x04
    INIT = 0x06
    WINK = 0x08
    CBOR = 0x10
    CANCEL = 0x11
    KEEPALIVE = 0x3B
    ERROR = 0x3F


class Error(IntEnum):
    """CTAPHID error codes (§11.2.9.1.6); LOCK_REQUIRED is missing, as no command demands it."""

    INVALID_CMD = 0x01
    INVALID_PAR = 0x02
    INVALID_LEN = 0x03
    INVALID_SEQ = 0x04
    MSG_TIMEOUT = 0x05
    CHANNEL_BUSY = 0x06
    INVALID_CHANNEL = 0x0B
    OTHER = 0x7F


class CtapHidError(Exception):
    """Ends a transaction with CTAPHID_ERROR."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.name)
        self.error = error


class Capability(IntFlag):
    """Capability bits of CTAPHID_INIT's answer (§11.2.9.1.3)."""

    WINK = 0x01
    CBOR = 0x04
    NMSG = 0x08


Handler = Callable[[bytes], bytes]
"""What answers a command at once: payload to payload; may raise :class:`CtapHidError`."""


class Application(Protocol):
    """What answers CTAPHID_CBOR."""

    def start(self, request: bytes, channel: int) -> Task:
        """Begin a command that came on a channel."""


class HidLink(Protocol):
    """What a port has of a HID interface, see :class:`CtapHid`."""

    reports: deque[bytes]

    def write(self, report: bytes) -> None:
        """Take one OUT report."""

    def poll(self) -> None:
        """Do what time has made due."""

    def wake_s(self) -> float:
        """True time of the next thing that happens by itself, infinite if nothing will."""

    def power_off(self) -> None:
        """Drop all; nothing more comes out."""


@dataclass(slots=True)
class _Transaction:
    """A message on its way in (``missing`` > 0), or a command under way (``task``)."""

    channel: int
    command: int
    missing: int = 0
    payload: bytearray = field(default_factory=bytearray)
    sequence: int = 0
    deadline_s: float = math.inf
    task: Task | None = None
    keepalive_s: float = math.inf


class CtapHid:
    """One interface of one powered device.

    ``application`` answers CTAPHID_CBOR, ``message`` CTAPHID_MSG, ``on_wink`` is called at
    CTAPHID_WINK, and ``vendor`` answers vendor commands (0x40 to 0x7F) by number; what is None or
    not there is INVALID_CMD and no capability. CTAPHID_LOCK is there if ``lock``.

    A port calls :meth:`write` with each OUT report and takes IN reports from :attr:`reports`;
    when there are none it waits until :meth:`wake_s` and calls :meth:`poll`.
    """

    def __init__(
        self,
        application: Application | None,
        clock: Clock,
        entropy: Entropy,
        version: tuple[int, int, int],
        on_wink: Callable[[], None] | None = None,
        message: Handler | None = None,
        *,
        lock: bool = False,
        vendor: Mapping[int, Handler] | None = None,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._version = version
        self._channels: OrderedDict[int, None] = OrderedDict()
        self._current: _Transaction | None = None
        self._locked_by = 0
        self._locked_until_s = -math.inf
        self._capabilities = Capability(0)
        # answers at once, or None where the answer comes later
        self._commands: dict[int, Callable[[int, bytes], bytes | None]] = {
            number: partial(self._by_vendor, handler) for number, handler in (vendor or {}).items()
        }
        self._commands[Command.PING] = lambda channel, data: data
        if application is not None:
            self._capabilities |= Capability.CBOR
            self._commands[Command.CBOR] = partial(self._cbor, application)
        if message is None:
            self._capabilities |= Capability.NMSG
        else:
            self._commands[Command.MSG] = partial(self._msg, message)
        if on_wink is not None:
            self._capabilities |= Capability.WINK
            self._commands[Command.WINK] = partial(self._wink, on_wink)
        if lock:
            self._commands[Command.LOCK] = self._lock
        self.reports: deque[bytes] = deque(maxlen=_MAX_REPORTS)

    def write(self, report: bytes) -> None:
        """Take one OUT report of 64 bytes; a report of another size is ignored, as by hardware."""
        if len(report) != PACKET_SIZE:
            return
        if self._current is not None:
            self.poll()
        channel, kind, length = _HEAD.unpack_from(report)
        if kind & _INIT_FLAG:
            self._initialisation(channel, kind & ~_INIT_FLAG, length, report[7:])
        else:
            self._continuation(channel, kind, report[5:])

    def wake_s(self) -> float:
        """True time of the next thing that happens by itself, infinite if nothing will."""
        current = self._current
        if current is None:
            return math.inf
        if current.task is None:
            return current.deadline_s
        assert current.task.waiting is not None
        return min(current.keepalive_s, current.task.waiting.wake_s)

    def poll(self) -> None:
        """Do what time has made due: transaction timeout, keep-alive, a command that goes on."""
        current = self._current
        if current is None:
            return
        now_s = self._clock.now()
        if current.task is None:
            if now_s >= current.deadline_s:
                self._current = None
                self._error(current.channel, Error.MSG_TIMEOUT)
            return
        assert current.task.waiting is not None
        if now_s >= current.task.waiting.wake_s:
            current.task.resume()
            if self._finished(current):
                return
        if now_s >= current.keepalive_s:
            current.keepalive_s = now_s + KEEPALIVE_INTERVAL_S
            self._send(current.channel, Command.KEEPALIVE, bytes((Progress.UP_NEEDED,)))

    def power_off(self) -> None:
        """Drop the command under way; nothing more comes out of this object."""
        self._abort()
        self.reports.clear()

    # -- packets in ---------------------------------------------------------------------------

    def _initialisation(self, channel: int, command: int, length: int, data: bytes) -> None:
        if command == Command.CANCEL:  # never answered, not even by an error (§11.2.9.1.5)
            self._cancel(channel)
            return
        known = channel in self._channels
        if command == Command.INIT and (known or channel == BROADCAST):
            self._init(channel, length, data)
            return
        if not known:  # neither 0 nor broadcast nor a stranger
            self._error(channel, Error.INVALID_CHANNEL)
            return
        current = self._current
        if current is not None and current.channel == channel and current.task is None:
            # a new message inside an unfinished one
            self._current = None
            self._error(channel, Error.INVALID_SEQ)
        elif current is not None or self._lock_holder() not in (None, channel):
            self._error(channel, Error.CHANNEL_BUSY)
        elif command not in self._commands:
            self._error(channel, Error.INVALID_CMD)
        elif length > MAX_MESSAGE:
            self._error(channel, Error.INVALID_LEN)
        elif length <= _INIT_DATA:
            self._dispatch(channel, command, data[:length])
        else:
            self._current = _Transaction(
                channel,
                command,
                missing=length - _INIT_DATA,
                payload=bytearray(data),
                deadline_s=self._clock.now() + TRANSACTION_TIMEOUT_S,
            )

    def _continuation(self, channel: int, sequence: int, data: bytes) -> None:
        current = self._current
        if current is None or current.channel != channel or current.task is not None:
            return  # spurious: ignored (§11.2.5.4)
        if sequence != current.sequence:
            self._current = None
            self._error(channel, Error.INVALID_SEQ)
            return
        current.payload += data[: current.missing]
        current.missing -= _CONTINUATION_DATA
        current.sequence += 1
        current.deadline_s = self._clock.now() + TRANSACTION_TIMEOUT_S
        if current.missing <= 0:
            self._current = None
            self._dispatch(channel, current.command, bytes(current.payload))

    # -- commands -----------------------------------------------------------------------------

    def _init(self, channel: int, length: int, data: bytes) -> None:
        """Give out a channel, or bring one back in step: whatever it was doing ends.

        Neither a transaction nor a lock of another channel is in the way.
        """
        if self._current is not None and self._current.channel == channel:
            self._abort()
        if length != 8:
            self._error(channel, Error.INVALID_LEN)
            return
        allocated = self._allocate() if channel == BROADCAST else channel
        self._channels.move_to_end(allocated)
        answer = struct.pack(
            ">8sIB3BB", data[:8], allocated, PROTOCOL_VERSION, *self._version, self._capabilities
        )
        self._send(channel, Command.INIT, answer)

    def _allocate(self) -> int:
        """A random channel id; the one longest unused gives way when there are too many."""
        channel = 0
        while channel in (0, BROADCAST) or channel in self._channels:
            channel = int.from_bytes(self._entropy.bytes(4), "big")
        if len(self._channels) >= _MAX_CHANNELS:
            kept = (self._lock_holder(), None if self._current is None else self._current.channel)
            del self._channels[next(each for each in self._channels if each not in kept)]
        self._channels[channel] = None
        return channel

    def _cancel(self, channel: int) -> None:
        """Of no effect unless a CTAPHID_CBOR command of this channel is under way."""
        current = self._current
        if current is not None and current.channel == channel and current.task is not None:
            current.task.cancel()
            self._finished(current)

    def _dispatch(self, channel: int, command: int, data: bytes) -> None:
        self._channels.move_to_end(channel)
        try:
            answer = self._commands[command](channel, data)
        except CtapHidError as error:
            self._error(channel, error.error)
            return
        if answer is not None:
            self._send(channel, command, answer)

    def _wink(self, on_wink: Callable[[], None], channel: int, data: bytes) -> bytes:
        if data:
            raise CtapHidError(Error.INVALID_LEN)
        on_wink()
        return b""

    def _lock(self, channel: int, data: bytes) -> bytes:
        """Shut the other channels out for some seconds from now, 0 for no longer (§11.2.9.2.2)."""
        if len(data) != 1:
            raise CtapHidError(Error.INVALID_LEN)
        if data[0] > MAX_LOCK_S:
            raise CtapHidError(Error.INVALID_PAR)
        self._locked_by = channel
        self._locked_until_s = self._clock.now() + data[0]
        return b""

    def _lock_holder(self) -> int | None:
        """The channel that has the device for itself, if one has."""
        if not self._locked_by or self._clock.now() >= self._locked_until_s:
            return None
        return self._locked_by

    def _msg(self, message: Handler, channel: int, data: bytes) -> bytes:
        if not data:
            raise CtapHidError(Error.INVALID_LEN)
        return message(data)

    def _by_vendor(self, handler: Handler, channel: int, data: bytes) -> bytes:
        return handler(data)

    def _cbor(self, application: Application, channel: int, data: bytes) -> None:
        if not data:
            raise CtapHidError(Error.INVALID_LEN)
        # the first keep-alive goes out at the first poll, so that the user is told at once
        current = _Transaction(channel, Command.CBOR, task=application.start(data, channel))
        current.keepalive_s = self._clock.now()
        self._current = current
        self._finished(current)

    def _finished(self, current: _Transaction) -> bool:
        assert current.task is not None
        if current.task.response is None:
            return False
        self._current = None
        self._send(current.channel, Command.CBOR, current.task.response)
        return True

    def _abort(self) -> None:
        if self._current is not None and self._current.task is not None:
            self._current.task.abandon()
        self._current = None

    # -- packets out --------------------------------------------------------------------------

    def _error(self, channel: int, error: Error) -> None:
        self._send(channel, Command.ERROR, bytes((error,)))

    def _send(self, channel: int, command: int, data: bytes) -> None:
        if len(data) > MAX_MESSAGE:  # there is no sequence number for the rest
            command, data = Command.ERROR, bytes((Error.OTHER,))
        head = _HEAD.pack(channel, command | _INIT_FLAG, len(data))
        add = self.reports.append
        add((head + data[:_INIT_DATA]).ljust(PACKET_SIZE, b"\0"))
        if len(data) > _INIT_DATA:
            prefix = head[:4]
            for sequence, at in enumerate(range(_INIT_DATA, len(data), _CONTINUATION_DATA)):
                packet = prefix + _BYTE[sequence] + data[at : at + _CONTINUATION_DATA]
                add(packet if len(packet) == PACKET_SIZE else packet.ljust(PACKET_SIZE, b"\0"))
