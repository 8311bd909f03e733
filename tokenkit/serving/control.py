"""The local HTTP API by which a program touches, unplugs and looks into served keys.

JSON over HTTP/1.1 on a loopback address; each request carries ``Authorization: Bearer TOKEN``.
Address and token are in the control file, which its owner alone may read:

GET /keys; GET /keys/SERIAL; GET /metrics
POST /keys/SERIAL/touch {"action", "finger", "placement", "held_s", "wait_s"}
POST /keys/SERIAL/power {"on"}; POST /keys/SERIAL/plug {"in"}
POST /keys/SERIAL/snapshot {"file", "overwrite"}; POST /keys/SERIAL/faults {"plan"}

``-`` in place of SERIAL is the only key. An error is {"error": MESSAGE} with status 4xx.
"""

import asyncio
import hmac
import json
import select
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec

from tokenkit import virtual
from tokenkit.errors import TokenkitError
from tokenkit.serving.control_file import ControlFile
from tokenkit.serving.served_key import ServedKey
from tokenkit.serving.server import ServeError, Server

_MAX_BODY = 1 << 20
_MAX_WAIT_S = 600.0
_LOOK_S = 0.2  # for a client that has left
_IDLE_S = 30.0  # a client that sends half a request


class TouchOrder(msgspec.Struct, forbid_unknown_fields=True):
    """``held_s`` None is as long as the key wants; ``wait_s`` for the key to ask."""

    action: str = "tap"
    finger: str = "right index"
    placement: str = "good"
    held_s: float | None = None
    wait_s: float = 0.0


class PowerOrder(msgspec.Struct, forbid_unknown_fields=True):
    on: bool


class PlugOrder(msgspec.Struct, forbid_unknown_fields=True, rename={"plugged": "in"}):
    plugged: bool


class SnapshotOrder(msgspec.Struct, forbid_unknown_fields=True):
    file: str
    overwrite: bool = False


class FaultsOrder(msgspec.Struct, forbid_unknown_fields=True):
    """``plan`` is the TOML text of a fault plan, None for none; ``name`` is for messages."""

    plan: str | None
    name: str = "sent"


class Control:
    """Answers requests for the keys of ``server``; all on the loop that serves them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._orders: dict[str, Callable[[ServedKey, bytes], Awaitable[dict[str, Any]]]] = {
            "touch": self._touch,
            "power": self._power,
            "plug": self._plug,
            "snapshot": self._snapshot,
            "faults": self._faults,
        }

    async def answer(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, Any]:
        """Status and what becomes JSON."""
        try:
            parts = path.partition("?")[0].strip("/").split("/")
            match method, [unquote(part) for part in parts]:
                case "GET", ["keys"]:
                    return HTTPStatus.OK, [key.facts() for key in self._server.keys]
                case "GET", ["metrics"]:
                    keys = self._server.keys
                    return HTTPStatus.OK, {key.serial_number: key.metrics() for key in keys}
                case "GET", ["keys", serial]:
                    return HTTPStatus.OK, self._find(serial).facts()
                case "POST", ["keys", serial, order] if order in self._orders:
                    key = self._find(serial)
                    said = await self._orders[order](key, body)
                    return HTTPStatus.OK, {**key.facts(), **said}
        except LookupError as error:
            return HTTPStatus.NOT_FOUND, {"error": str(error.args[0])}
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except FileExistsError as error:
            return HTTPStatus.CONFLICT, {"error": f"{error.filename} is there already"}
        except OSError as error:
            reason = error.strerror or str(error)
            where = f"{error.filename}: " if error.filename else ""
            return HTTPStatus.CONFLICT, {"error": where + reason}
        except (TokenkitError, virtual.FlashError) as error:
            return HTTPStatus.CONFLICT, {"error": str(error)}
        return HTTPStatus.NOT_FOUND, {"error": f"there is no {method} {path}"}

    def _find(self, serial: str) -> ServedKey:
        try:
            return self._server.find(None if serial == "-" else serial)
        except TokenkitError as error:
            raise LookupError(str(error)) from None

    async def _touch(self, key: ServedKey, body: bytes) -> dict[str, Any]:
        order = msgspec.json.decode(body, type=TouchOrder)
        if order.action in ("at-once", "ask"):
            key.touch_by_itself(order.action == "at-once")
            return {}
        if order.action not in ("tap", "refuse"):
            raise ValueError("action is tap, refuse, at-once or ask")
        if not 0 <= order.wait_s <= _MAX_WAIT_S:
            raise ValueError(f"wait_s is from 0 to {_MAX_WAIT_S:.0f} seconds")
        press = None if order.action == "refuse" else _press(order)
        return {"touched_to": await key.touch(press, order.wait_s)}

    async def _power(self, key: ServedKey, body: bytes) -> dict[str, Any]:
        key.power(msgspec.json.decode(body, type=PowerOrder).on)
        return {}

    async def _plug(self, key: ServedKey, body: bytes) -> dict[str, Any]:
        if msgspec.json.decode(body, type=PlugOrder).plugged:
            await key.plug()
        else:
            await key.unplug()
        return {}

    async def _snapshot(self, key: ServedKey, body: bytes) -> dict[str, Any]:
        order = msgspec.json.decode(body, type=SnapshotOrder)
        if not Path(order.file).is_absolute():
            raise ValueError("file is an absolute path")
        key.snapshot(Path(order.file), order.overwrite)
        return {"file": order.file}

    async def _faults(self, key: ServedKey, body: bytes) -> dict[str, Any]:
        order = msgspec.json.decode(body, type=FaultsOrder)
        plan = None if order.plan is None else virtual.parse_plan(order.name, order.plan)
        key.set_faults(plan)
        return {}


def _press(order: TouchOrder) -> virtual.Press:
    try:
        placement = virtual.Placement[order.placement.upper().replace("-", "_")]
    except KeyError:
        names = ", ".join(each.name.lower().replace("_", "-") for each in virtual.Placement)
        raise ValueError(f"placement is one of {names}") from None
    if order.held_s is None:
        return virtual.Press(finger=order.finger, placement=placement)
    if not 0 <= order.held_s <= _MAX_WAIT_S:
        raise ValueError(f"held_s is from 0 to {_MAX_WAIT_S:.0f} seconds")
    return virtual.Press(held_s=order.held_s, finger=order.finger, placement=placement)


_ENDED = HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the keys are served no longer"}


class _Handler(BaseHTTPRequestHandler):
    """One request: its token first, then its size, then the loop's answer."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    token: ClassVar[str]
    loop: ClassVar[asyncio.AbstractEventLoop]
    control: ClassVar[Control]

    def _serve(self) -> None:
        status, value = self._answer()
        body = (json.dumps(value, ensure_ascii=False) + "\n").encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if status >= HTTPStatus.BAD_REQUEST:  # its body may not have been read
            self.close_connection = True
            self.send_header("Connection", "close")
        with suppress(OSError):  # the client has left
            self.end_headers()
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _answer(self) -> tuple[HTTPStatus, Any]:
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            what = "wrong: another may have its port by now" if given else "missing"
            return HTTPStatus.UNAUTHORIZED, {"error": f"the token of the control file is {what}"}
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > _MAX_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"at most {_MAX_BODY} bytes"}
        body = self.rfile.read(int(length))
        answer = self.control.answer(self.command, self.path, body)
        try:
            future = asyncio.run_coroutine_threadsafe(answer, self.loop)
        except RuntimeError:  # the loop has ended
            answer.close()
            return _ENDED
        while True:
            try:
                return future.result(_LOOK_S)
            except TimeoutError:
                # an order whose client has given up touches nothing any more
                if self._client_has_left():
                    future.cancel()
            except CancelledError:
                return _ENDED

    def _client_has_left(self) -> bool:
        try:
            readable = select.select([self.connection], [], [], 0)[0]
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what a key's owner does is no news on the terminal."""


class ControlServer:
    """The API on ``host``, a loopback address, and ``port`` (0: any), from ``start`` to ``close``.

    ``file`` is written with address and token, and removed at the end. Only a control file whose
    API is gone is replaced: ServeError for any other file that is there.
    """

    def __init__(self, server: Server, file: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self._control = Control(server)
        self._file = ControlFile(file)
        self._address = host, port
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> str:
        """Listen, from the loop that serves the keys; returns the URL."""
        token = virtual.OsEntropy().bytes(32).hex()
        names = {"token": token, "loop": asyncio.get_running_loop(), "control": self._control}
        try:
            http = ThreadingHTTPServer(self._address, type("Handler", (_Handler,), names))
        except OSError as error:
            raise ServeError(f"control on {self._address[0]}:{self._address[1]}: {error}") from None
        http.daemon_threads = True
        self._http = http
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://{self._address[0]}:{http.server_port}"
        try:
            self._file.write(url, token)
        except ServeError:
            self.close()
            raise
        return url

    def close(self) -> None:
        """Stop listening and remove the file; twice does nothing."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
            self._file.remove()
