"""HTTP/1.1 on loopback: uvicorn on the running loop, with limits for what clients may send."""

import asyncio
import errno
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tokenkit.errors import TokenkitError
from tokenkit.service.limits import LimitedProtocol, limit_body

_HOST = "127.0.0.1"
_KEEP_ALIVE_S = 75
_GRACE_S = 5  # for requests under way
_MAX_CONNECTIONS = 1024
_BACKLOG = 1024


class PortError(TokenkitError):
    """A port that cannot be had."""


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback; ``port`` 0 is any. PortError."""
    try:
        return socket.create_server((_HOST, port), backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortError(
                f"port {port} is in use: choose another by --port, or 0 for any that is free"
            ) from None
        raise PortError(f"port {port}: {error.strerror}") from None


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve ``app`` meanwhile; at the end requests under way are answered, for a while."""
    config = uvicorn.Config(
        limit_body(app),
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        ready.cancel()
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """Says when it is ready, and leaves signals to who runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def serving_in_thread(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """The same, on a loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tokenkit-http", daemon=True)
    thread.start()

    def run(step: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(step, loop).result()

    context = serving(app, listener)
    try:
        run(context.__aenter__())
        try:
            yield
        finally:
            run(context.__aexit__(None, None, None))
    finally:
        run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
