"""A client that costs little: requests made beforehand, sent over a few connections that are kept.

One thread and no library, so that on two cores a server has one to itself, whichever it is. A
server that closes after each answer is connected to anew, as any client would.
"""

import selectors
import socket
import time
from collections.abc import Iterable
from typing import NamedTuple

CONNECTIONS = 8


class Load(NamedTuple):
    """How long the requests took together, in seconds, and the answers that were not 200."""

    elapsed_s: float
    failures: list[bytes]


def send_all(address: tuple[str, int], requests: Iterable[bytes]) -> Load:
    """Send ``requests`` to ``address``; each connection has one on its way at a time."""
    left = iter(requests)
    failures: list[bytes] = []
    start = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _, request in zip(range(CONNECTIONS), left, strict=False):
            _Connection(address, selector).send(request)
        while selector.get_map():
            for key, _ in selector.select():
                connection: _Connection = key.data
                answer = connection.receive()
                if answer is None:
                    continue
                if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                    failures.append(answer)
                if (request := next(left, None)) is None:
                    connection.close()
                else:
                    connection.send(request)
        return Load(time.perf_counter() - start, failures)


class _Connection:
    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self._address, self._selector = address, selector
        self._socket: socket.socket | None = None
        self._answer = b""

    def send(self, request: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._socket.sendall(request)

    def receive(self) -> bytes | None:
        """The answer, when it is complete; each has a Content-Length."""
        assert self._socket is not None
        part = self._socket.recv(65536)
        self._answer += part
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not part:
            raise ConnectionError(f"the server closed in the middle of {self._answer!r}")
        if not found:
            return None
        fields = head.lower()
        length = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        if b"connection: close" in fields or fields.startswith(b"http/1.0"):
            self.close()
        answer, self._answer = self._answer, b""
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
