"""What a client may send, and how slowly: uvicorn on httptools knows no limits of its own."""

import asyncio
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024  # bytes of request line and headers
MAX_BODY = 16 * 1024 * 1024  # bytes; a seed file, say
REQUEST_S = 30.0  # for a request to arrive, from the connection or its first byte on
READ_S = 60.0  # for a client to read some of its answer


class LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with an end to large heads, slow requests, and clients that do not read."""

    _head = 0  # bytes of a head that is not complete
    _in_head = False
    _partial = True  # a request is being waited for
    _slow: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._partial = False
        self._watch()
        self._unstick()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._watch()

    def on_message_begin(self) -> None:
        self._partial = self._in_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        # all of it may have come at once, and with some of the body
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise ValueError("head too large")  # ends the parser's work
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._partial = False
        self._watch()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        self._stuck = self.loop.call_later(READ_S, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unstick()
        super().resume_writing()

    def _watch(self) -> None:
        """Have a timer while a request is on its way; most arrive at once and need none."""
        if self._partial and self._slow is None and not self.transport.is_closing():
            self._slow = self.loop.call_later(REQUEST_S, self._refuse, HTTPStatus.REQUEST_TIMEOUT)
        elif not self._partial and self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _unstick(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Say why, unless another answer is on its way, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        is_idle = cycle is None or cycle.response_complete
        if is_idle or not (self._in_head or self.pipeline or cycle.response_started):
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\n"
            self.transport.write(head.encode() + b"content-length: 0\r\n\r\n")
        self.transport.close()


def limit_body(app: ASGIApp, max_body: int = MAX_BODY) -> ASGIApp:
    """``app``, and 413 for a request with a body of more than ``max_body`` bytes."""
    refusal = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request has at most {max_body} bytes."
    )

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        left = max_body
        too_long = _said_length(scope) > max_body
        started = False

        async def receive_limited() -> Message:
            nonlocal left
            if too_long:
                raise refusal
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise refusal  # which Starlette's applications answer by themselves
            return message

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await app(scope, receive_limited, note)
        except HTTPException as error:
            if error is not refusal or started:
                raise
            headers = {"Connection": "close"}
            answer = PlainTextResponse(error.detail, error.status_code, headers)
            await answer(scope, receive, send)

    return limited


def _said_length(scope: Scope) -> int:
    """Content-Length, which the parser has checked; 0 if there is none."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0
