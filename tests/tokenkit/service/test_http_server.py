"""The limits of what clients may send, and a clean end; over sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tokenkit.service import limits
from tokenkit.service.http_server import PortError, listen, port_of, serving_in_thread


async def _echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    with listen(0) as listener, serving_in_thread(app, listener):
        yield port_of(listener)


@pytest.fixture
def port() -> Iterator[int]:
    routes = [Route("/", _echo, methods=["GET", "POST"])]
    with served(Starlette(routes=routes)) as port:
        yield port


def exchange(port: int, *parts: bytes) -> bytes:
    """Send ``parts``, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        return _rest(connection)


def _rest(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except ConnectionResetError:  # it closed with some of ours unread
        pass
    return answer


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_a_request_in_pieces_is_answered(port: int) -> None:
    pieces = [bytes((each,)) for each in HEAD + b"Content-Length: 3\r\n\r\nabc"]
    assert exchange(port, *pieces).endswith(b"\r\n\r\n3")


def test_requests_follow_each_other_on_a_connection(port: int) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
    answer = exchange(port, request * 3 + HEAD + b"Content-Length: 0\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize("sent", ["at once", "in pieces", "without an end", "as a path"])
def test_a_large_head_is_refused(port: int, sent: str) -> None:
    large = b"X-Large: " + b"a" * limits.MAX_HEAD + b"\r\n"
    answers: dict[str, Callable[[], bytes]] = {
        "at once": lambda: exchange(port, HEAD + large + b"\r\n"),
        "in pieces": lambda: exchange(port, HEAD, *[b"X-A: " + b"a" * 900 + b"\r\n"] * 80),
        "without an end": lambda: exchange(port, HEAD + b"X: " + b"a" * (limits.MAX_HEAD + 1)),
        "as a path": lambda: exchange(
            port, b"GET /" + b"a" * limits.MAX_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
    }
    assert answers[sent]().startswith(b"HTTP/1.1 431 ")


def test_what_is_no_http_is_refused(port: int) -> None:
    assert exchange(port, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_large_body_is_refused(port: int) -> None:
    said = HEAD + b"Content-Length: %d\r\n\r\n" % (limits.MAX_BODY + 1)
    assert exchange(port, said).startswith(b"HTTP/1.1 413 ")


def test_a_body_whose_size_is_not_said_is_counted() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await PlainTextResponse("read")(scope, receive, send)

    chunk = b"400\r\n" + bytes(1024) + b"\r\n"
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with served(limits.limit_body(app, 4096)) as port:
        assert b"413 " in exchange(port, head, chunk * 5).splitlines()[0]
        assert exchange(port, head, chunk * 4 + b"0\r\n\r\n").endswith(b"read")


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HTTP/1.1\r\nHo", HEAD + b"Content-Length: 9\r\n\r\na"]
)
def test_a_slow_request_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(limits, "REQUEST_S", 0.05)
    assert exchange(port, sent).startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_rests_between_requests_is_no_slow_one(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_S", 0.05)
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for _ in range(2):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n0"):
                answer += connection.recv(4096)
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(20)


def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ_S", 0.05)
    ended = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            body = iter(lambda: bytes(1 << 16), b"")
            await StreamingResponse(body)(scope, receive, send)
        finally:
            ended.set()

    with (
        served(app) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ended.wait(20)


def test_a_request_under_way_is_finished() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(request: Request) -> PlainTextResponse:
        begun.set()
        assert go_on.wait(20)
        return PlainTextResponse("finished")

    answers = []
    with served(Starlette(routes=[Route("/", wait)])) as port:
        url = f"http://127.0.0.1:{port}/"
        asked = threading.Thread(
            target=lambda: answers.append(httpx.get(url, trust_env=False, timeout=20).text)
        )
        asked.start()
        assert begun.wait(20)
        threading.Timer(0.2, go_on.set).start()  # while the server is ending
    asked.join()
    assert answers == ["finished"]


def test_slow_work_blocks_nobody_else() -> None:
    go_on = threading.Event()

    def wait(request: Request) -> PlainTextResponse:
        assert go_on.wait(20)
        return PlainTextResponse("slow")

    app = Starlette(routes=[Route("/slow", wait), Route("/", _echo)])
    with served(app) as port, httpx.Client(trust_env=False, timeout=20) as http:
        url = f"http://127.0.0.1:{port}/"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert http.get(url).text == "0"
            go_on.set()
            assert _rest(slow).endswith(b"slow")


def test_a_port_in_use_is_said() -> None:
    with listen(0) as listener:
        port = port_of(listener)
        with pytest.raises(PortError, match=f"port {port} is in use: choose another"):
            listen(port)
