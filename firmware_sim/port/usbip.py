"""The USB/IP port: keys that ``usbip attach``, so the kernel's vhci-hcd, takes for USB devices.

Each key has a bus id, 1-1, 1-2 and so on, and is exported to one client at a time. To the key a
client that attaches is a host that it is plugged into: it starts anew, and again when it is
detached.
"""

import asyncio
import errno
import logging
import socket
from collections import deque
from collections.abc import Callable

from firmware_sim.link import usbip
from firmware_sim.link.ctaphid import PACKET_SIZE
from firmware_sim.link.usb import UsbIdentity
from firmware_sim.link.usb_control import ControlEndpoint, StallError
from firmware_sim.link.usbip import Exported, Request, Status, Submit, Unlink, UsbIpError
from firmware_sim.port.socket_address import shown
from firmware_sim.port.wire import HidWire, Tap
from firmware_sim.security_key import SecurityKey

log = logging.getLogger(__name__)

_CONTROL, _INTERRUPT = 0, 1  # endpoint numbers
_MAX_DEVICES = 127  # on a bus
_MAX_CLIENTS = 64
_SAYS_WITHIN_S = 10.0  # what it wants
_MAX_PENDING = 1024  # a kernel has one or two
_MAX_REPORTS = 4096  # what a host that never reads does not fetch: the oldest is lost
# a client that vanished without a word would keep its key for ever
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class UsbIpPort:
    """A server of keys at ``host`` and ``port`` (0 takes any); on loopback unless told."""

    apdus = False

    def __init__(self, host: str = "127.0.0.1", port: int = usbip.PORT) -> None:
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._plugs: dict[int, _Plug] = {}
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        """Listen; from then on ``port`` is the one that was taken."""
        try:
            server = await asyncio.start_server(
                self._client, self.host, self.port, start_serving=False
            )
        except (OSError, OverflowError, UnicodeError) as error:
            mend = "choose another port, or an address of this computer"
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                mend = "choose another port, or stop what listens there (usbipd?)"
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            if isinstance(error, UnicodeError):
                why = "it is no name of a host"
            raise OSError(
                f"cannot serve USB/IP at {self.host}, port {self.port}: {why}: {mend}"
            ) from error
        self._server = server
        await server.start_serving()
        self.port = server.sockets[0].getsockname()[1]

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> "_Plug":
        """Export ``key`` under the lowest bus id that is free."""
        if self._server is None:
            raise OSError("the USB/IP port is not open")
        number = next(
            (each for each in range(1, _MAX_DEVICES + 1) if each not in self._plugs), None
        )
        if number is None:
            raise OSError(f"a USB bus takes {_MAX_DEVICES} devices: serve more at another port")
        exported = Exported(number, UsbIdentity.of(key.profile, key.serial_number))
        where = f"usbip://{shown(self.host, self.port)}/{exported.busid}"
        plug = _Plug(where, key, exported, tap, lambda: self._plugs.pop(number, None))
        self._plugs[number] = plug
        return plug

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for plug in list(self._plugs.values()):
            await plug.pull()
        for writer in self._clients.values():
            writer.transport.abort()
        await asyncio.gather(*self._clients)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, whatever it sends: what is wrong ends it, and nothing else."""
        task = asyncio.current_task()
        assert task is not None
        if self._server is None or len(self._clients) >= _MAX_CLIENTS:
            if self._server is not None:  # else it was closed since this one was accepted
                log.warning("USB/IP: refused a client, %d are there already", _MAX_CLIENTS)
            writer.transport.abort()
            return
        self._clients[task] = writer
        address = writer.get_extra_info("peername") or ("gone already",)
        name = "USB/IP client " + ":".join(str(each) for each in address[:2])
        try:
            await self._answer(reader, writer, name)
        except UsbIpError as error:
            log.warning("%s: %s: connection closed", name, error)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                log.warning("%s: went away in the middle of a message", name)
        except TimeoutError:
            log.warning("%s: says nothing: connection closed", name)
        except OSError as error:
            log.info("%s: went away: %s", name, error)
        finally:
            del self._clients[task]
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str
    ) -> None:
        _keep_alive(writer)
        async with asyncio.timeout(_SAYS_WITHIN_S):
            request = usbip.parse_request(await reader.readexactly(usbip.REQUEST_SIZE))
            wanted = b""
            if request is not Request.DEVICE_LIST:
                wanted = await reader.readexactly(usbip.BUSID_SIZE)
        if request is Request.DEVICE_LIST:
            there = [plug.exported for plug in self._plugs.values() if plug.plugged]
            writer.write(usbip.device_list(sorted(there, key=lambda each: each.number)))
            await writer.drain()
            return
        busid = usbip.parse_busid(wanted)
        plug = next((each for each in self._plugs.values() if each.exported.busid == busid), None)
        if plug is None or not plug.plugged:
            log.warning("%s: wants %s, which is not there", name, ascii(busid))
            writer.write(usbip.not_imported(Status.NO_DEVICE))
        elif plug.host is not None:
            log.warning("%s: wants %s, which another client has", name, busid)
            writer.write(usbip.not_imported(Status.BUSY))
        else:
            log.info("%s: attaches %s", name, busid)
            await plug.serve(reader, writer)
            log.info("%s: detached %s", name, busid)


class _Plug:
    """A key with a bus id, and the host that has it, if one has."""

    def __init__(
        self,
        where: str,
        key: SecurityKey,
        exported: Exported,
        tap: Tap | None,
        forget: Callable[[], object],
    ) -> None:
        self.where = where
        self.exported = exported
        self.host: _Host | None = None
        self._key = key
        self._forget = forget
        self._wire = HidWire(key, self._send, self._vanish, tap)
        self.counts = self._wire.counts
        self._pulled = self._gone = False

    @property
    def plugged(self) -> bool:
        return not self._gone

    def poke(self) -> None:
        self._wire.poke()

    async def pull(self) -> None:
        if self._pulled:
            return
        self._pulled = True
        self._forget()
        self._vanish()
        self._wire.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the device of one client until it goes away or the key does."""
        self._start_anew()
        host = self.host = _Host(self.exported, self._wire.receive, writer)
        try:
            writer.write(usbip.imported(self.exported))
            while self.host is host:
                command = usbip.parse_command(await reader.readexactly(usbip.HEADER_SIZE))
                if isinstance(command, Unlink):
                    host.unlink(command)
                else:
                    host.submit(command, await reader.readexactly(command.data_length))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            if self.host is host:
                raise
        finally:
            if self.host is host:
                self.host = None
                self._start_anew()

    def _start_anew(self) -> None:
        """As a key that is plugged in; one that was told to be dead stays so."""
        if self._key.powered:
            self._key.power_cycle()

    def _send(self, report: bytes) -> None:
        if self.host is not None:
            self.host.send(report)

    def _vanish(self) -> None:
        """Close the connection, which is how a client sees a device go."""
        self._gone = True
        if self.host is not None:
            self.host.writer.transport.abort()
            self.host = None


class _Host:
    """One client's transfers: what it waits for, and what waits for it."""

    def __init__(
        self, exported: Exported, receive: Callable[[bytes], None], writer: asyncio.StreamWriter
    ) -> None:
        self._devid = exported.devid
        self._receive = receive
        self._control = ControlEndpoint(exported.identity, receive)
        self.writer = writer
        self._pending: dict[int, Submit] = {}
        self._reports: deque[bytes] = deque(maxlen=_MAX_REPORTS)

    def submit(self, submit: Submit, data: bytes) -> None:
        self._check(submit)
        if submit.seqnum in self._pending:
            raise UsbIpError(f"transfer {submit.seqnum} twice")
        if submit.endpoint == _CONTROL:
            try:
                answer = self._control.transfer(submit.setup, data)
            except StallError as stall:
                log.debug("stalled: %s", stall)
                self._complete(submit, -errno.EPIPE)
                return
            self._complete(submit, 0, answer, len(data))
        elif submit.endpoint != _INTERRUPT:
            self._complete(submit, -errno.EPIPE)
        elif submit.to_host:
            if len(self._pending) >= _MAX_PENDING:
                raise UsbIpError(f"{_MAX_PENDING} transfers that wait already")
            self._pending[submit.seqnum] = submit
            self._hand_over()
        else:
            self._complete(submit, 0, b"", len(data))
            for at in range(0, len(data), PACKET_SIZE):  # a packet is a report
                self._receive(data[at : at + PACKET_SIZE])

    def unlink(self, unlink: Unlink) -> None:
        """Forget a transfer; one that is done already stays done, which is status 0."""
        self._check(unlink)
        found = self._pending.pop(unlink.target, None)
        self.writer.write(usbip.unlinked(unlink, 0 if found is None else -errno.ECONNRESET))

    def send(self, report: bytes) -> None:
        self._reports.append(report)
        self._hand_over()

    def _check(self, command: Submit | Unlink) -> None:
        if command.devid != self._devid:
            raise UsbIpError(f"a command for device {command.devid:#x}, not {self._devid:#x}")

    def _hand_over(self) -> None:
        """One report a transfer, the oldest first."""
        while self._pending and self._reports:
            submit = self._pending.pop(next(iter(self._pending)))
            report = self._reports.popleft()
            # a packet longer than the host has room for is lost, as by a host controller
            status = 0 if submit.length >= len(report) else -errno.EOVERFLOW
            self._complete(submit, status, report[: submit.length])

    def _complete(self, submit: Submit, status: int, data: bytes = b"", taken: int = 0) -> None:
        if submit.to_host:
            self.writer.write(usbip.submitted(submit, status, data[: submit.length]))
        else:
            self.writer.write(usbip.submitted(submit, status, b"", taken))


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Have the system ask a silent client whether it is there; asyncio sets TCP_NODELAY."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in _KEEPALIVE.items():
        if hasattr(socket, name):  # not everywhere
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
