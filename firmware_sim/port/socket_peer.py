"""One host at a socket: reports in whatever pieces they come, and a bounded queue of answers."""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from firmware_sim.link.ctaphid import PACKET_SIZE

log = logging.getLogger(__name__)

# four of the longest messages; a host that leaves more than that unread loses reports
MAX_QUEUED = 512
_CHUNK = 64 * PACKET_SIZE


class Framing:
    """Reports of 64 bytes from a stream."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The reports that are whole now."""
        data = self._rest + data
        end = len(data) - len(data) % PACKET_SIZE
        self._rest = data[end:]
        return [data[at : at + PACKET_SIZE] for at in range(0, end, PACKET_SIZE)]

    @property
    def missing(self) -> int:
        """How many bytes the report begun still lacks."""
        return -len(self._rest) % PACKET_SIZE


def unnumbered(packet: bytes) -> bytes:
    """What is written to a hidraw file, without the number 0 of the report before it."""
    return packet[1:] if packet[:1] == b"\0" and len(packet) == PACKET_SIZE + 1 else packet


class Peer:
    """``receive`` is told each report, ``gone`` that the host has left, for whatever reason."""

    def __init__(
        self,
        connection: socket.socket,
        name: str,
        receive: Callable[[bytes], None],
        gone: Callable[["Peer"], None],
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._name = name
        self._receive = receive
        self._gone = gone
        self._framing = Framing() if connection.type == socket.SOCK_STREAM else None
        self._queue: deque[bytes] = deque()
        self._dropped = 0
        self._open = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection, self._readable)

    def send(self, report: bytes) -> None:
        """Send it as soon as the host reads; dropped if it has not read for long."""
        if not self._open:
            return
        if len(self._queue) >= MAX_QUEUED:
            if not self._dropped:
                log.warning("%s: a host does not read, its reports are dropped", self._name)
            self._dropped += 1
            return
        if self._framing is not None:  # one that was cut short would put a stream out of step
            report = report.ljust(PACKET_SIZE, b"\0")
        self._queue.append(report)
        if len(self._queue) == 1:
            self._writable()

    def hang_up(self) -> None:
        """The key is gone: send no more and heed no more, until the host leaves.

        A connection closed at once would be a broken pipe, by which a program that writes ends.
        """
        self._receive = lambda report: None
        self._queue.clear()
        self._dropped = 0
        with suppress(OSError):  # the host was faster
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the connection; twice does nothing."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _leave(self, why: str) -> None:
        if why:
            log.warning("%s: %s", self._name, why)
        self.close()
        self._gone(self)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionResetError:
            return  # it has left reports unread; what it sent before that is yet to come
        except OSError:
            data = b""
        if not data:
            missing = self._framing.missing if self._framing else 0
            self._leave(f"a host has left {missing} bytes before a report's end" * bool(missing))
        elif self._framing is None:
            self._receive(unnumbered(data))
        else:
            for report in self._framing.feed(data):
                self._receive(report)

    def _writable(self) -> None:
        """Send what the host takes; a stream may take a part of a report, whose rest stays."""
        while self._queue:
            try:
                sent = self._socket.send(self._queue[0])
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._socket, self._writable)
                return
            except OSError:
                # the host has left: reading will say so
                self._queue.clear()
                break
            report = self._queue.popleft()
            if sent < len(report):
                self._queue.appendleft(report[sent:])
        self._loop.remove_writer(self._socket)
        if self._dropped:
            log.warning("%s: a host reads again, %d reports were lost", self._name, self._dropped)
            self._dropped = 0
