"""CTAPHID, the device's half (CTAP 2.1 §11.2): packets in, packets out, no I/O and no threads."""

import math
import struct
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
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
_MAX_CHANNELS = 1024
_HEAD = struct.Struct(">IBH")
_INIT_FLAG = 0x80
_BYTE = [bytes((value,)) for value in range(0x80)]


class Command(IntEnum):
    """CTAPHID commands (§11.2.9), without the initialisation bit."""

    PING = 0x01
    MSG = 0x03
    INIT = 0x06
    WINK = 0x08
    CBOR = 0x10
    CANCEL = 0x11
    KEEPALIVE = 0x3B
    ERROR = 0x3F


class Error(IntEnum):
    """CTAPHID error codes (§11.2.9.1.6)."""

    INVALID_CMD = 0x01
    INVALID_PAR = 0x02
    INVALID_LEN = 0x03
    INVALID_SEQ = 0x04
    MSG_TIMEOUT = 0x05
    CHANNEL_BUSY = 0x06
    INVALID_CHANNEL = 0x0B


class Capability(IntFlag):
    """Capability bits of CTAPHID_INIT's answer (§11.2.9.1.3)."""

    WINK = 0x01
    CBOR = 0x04
    NMSG = 0x08


class Application(Protocol):
    """What answers CTAPHID_CBOR."""

    def start(self, request: bytes) -> Task:
        """Begin a command."""


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

    A port calls :meth:`write` with each OUT report and takes IN reports from :attr:`reports`;
    when there are none it waits until :meth:`wake_s` and calls :meth:`poll`.
    """

    def __init__(
        self,
        application: Application,
        clock: Clock,
        entropy: Entropy,
        version: tuple[int, int, int],
        on_wink: Callable[[], None],
        message: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._application = application
        self._message = message
        self._clock = clock
        self._entropy = entropy
        self._version = version
        self._on_wink = on_wink
        self._channels: OrderedDict[int, None] = OrderedDict()
        self._current: _Transaction | None = None
        self._commands: dict[int, Callable[[int, bytes], None]] = {
            Command.PING: lambda channel, data: self._send(channel, Command.PING, data),
            Command.WINK: self._wink,
            Command.CBOR: self._cbor,
        }
        if message is not None:
            self._commands[Command.MSG] = self._msg
        self.reports: deque[bytes] = deque()

    def write(self, report: bytes) -> None:
        """Take one OUT report of 64 bytes; a report of another size is ignored, as by hardware."""
        if len(report) != PACKET_SIZE:
            return
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
        if command == Command.INIT and (channel == BROADCAST or channel in self._channels):
            self._init(channel, length, data)
            return
        if channel not in self._channels:  # neither 0 nor broadcast nor a stranger
            self._error(channel, Error.INVALID_CHANNEL)
            return
        current = self._current
        if command == Command.CANCEL:
            if current is not None and current.channel == channel and current.task is not None:
                current.task.cancel()
                self._finished(current)
            return
        if current is not None:
            if current.channel != channel or current.task is not None:
                self._error(channel, Error.CHANNEL_BUSY)
            else:  # a new message inside an unfinished one
                self._current = None
                self._error(channel, Error.INVALID_SEQ)
            return
        if command not in self._commands:
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
        """Give out a channel, or bring one back in step: whatever it was doing ends."""
        if length != 8:
            self._error(channel, Error.INVALID_LEN)
            return
        allocated = channel
        if channel == BROADCAST:
            allocated = self._allocate()
        elif self._current is not None and self._current.channel == channel:
            self._abort()
        capabilities = Capability.WINK | Capability.CBOR
        if self._message is None:
            capabilities |= Capability.NMSG
        answer = struct.pack(
            ">8sIB3BB", data[:8], allocated, PROTOCOL_VERSION, *self._version, capabilities
        )
        self._send(channel, Command.INIT, answer)

    def _allocate(self) -> int:
        """A random channel id; the one longest unused gives way when there are too many."""
        channel = 0
        while channel in (0, BROADCAST) or channel in self._channels:
            channel = int.from_bytes(self._entropy.bytes(4), "big")
        if len(self._channels) >= _MAX_CHANNELS:
            self._channels.popitem(last=False)
        self._channels[channel] = None
        return channel

    def _dispatch(self, channel: int, command: int, data: bytes) -> None:
        self._channels.move_to_end(channel)
        self._commands[command](channel, data)

    def _wink(self, channel: int, data: bytes) -> None:
        if data:
            self._error(channel, Error.INVALID_LEN)
            return
        self._on_wink()
        self._send(channel, Command.WINK, b"")

    def _msg(self, channel: int, data: bytes) -> None:
        assert self._message is not None
        if not data:
            self._error(channel, Error.INVALID_LEN)
            return
        self._send(channel, Command.MSG, self._message(data))

    def _cbor(self, channel: int, data: bytes) -> None:
        if not data:
            self._error(channel, Error.INVALID_LEN)
            return
        # the first keep-alive goes out at the first poll, so that the user is told at once
        current = _Transaction(channel, Command.CBOR, task=self._application.start(data))
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

    def _send(self, channel: int, command: Command, data: bytes) -> None:
        head = _HEAD.pack(channel, command | _INIT_FLAG, len(data))
        add = self.reports.append
        add((head + data[:_INIT_DATA]).ljust(PACKET_SIZE, b"\0"))
        if len(data) > _INIT_DATA:
            prefix = head[:4]
            for sequence, at in enumerate(range(_INIT_DATA, len(data), _CONTINUATION_DATA)):
                packet = prefix + _BYTE[sequence] + data[at : at + _CONTINUATION_DATA]
                add(packet if len(packet) == PACKET_SIZE else packet.ljust(PACKET_SIZE, b"\0"))
