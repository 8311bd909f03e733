"""The port that is a socket: 64-byte reports over TCP or a Unix socket, as other simulators do."""

import asyncio
import logging
import socket
from collections import Counter

from firmware_sim.port.socket_address import Address, parse_address
from firmware_sim.port.socket_peer import Peer
from firmware_sim.port.wire import HidWire, Tap
from firmware_sim.security_key import SecurityKey

log = logging.getLogger(__name__)

_MAX_HOSTS = 64
_SEND_BUFFER = 64 * 1024
# after there were no files left
_RETRY_S = 1.0


class SocketPort:
    """Takes one key at a time; hosts connect and send and get whole reports, nothing around them.

    ``address`` is ``unix:PATH`` or ``tcp:[HOST:]PORT``, or an :class:`Address`. As with hidraw
    each host gets every report of the key's, and gets nothing from before it connected. At a
    Unix socket of the kind SOCK_SEQPACKET, a packet is what one write or read of a hidraw file
    is: a host sends the report's number, 0, before each report.
    """

    apdus = False

    def __init__(self, address: str | Address) -> None:
        self._address = parse_address(address) if isinstance(address, str) else address
        self._plug: SocketPlug | None = None

    async def open(self) -> None:
        """Nothing is listened on before there is a key."""

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> "SocketPlug":
        if self._plug is not None:
            if self._plug.plugged:
                raise OSError(
                    f"{self._plug.where}: it takes one key: serve the next by another program"
                )
            self._plug.close()
        self._plug = SocketPlug(self._address, key, tap)
        return self._plug

    async def close(self) -> None:
        if self._plug is not None:
            self._plug.close()


class SocketPlug:
    """A key behind a listening socket."""

    def __init__(self, address: Address, key: SecurityKey, tap: Tap | None) -> None:
        self._listener, self.where, self._remove = address.listen()
        self._listener.setblocking(False)
        self._peers: list[Peer] = []
        self._loop = asyncio.get_running_loop()
        self._wire = HidWire(key, self._send, self._unplug, tap)
        self.plugged = True
        self._listen()

    @property
    def counts(self) -> "Counter[str]":
        return self._wire.counts

    @property
    def hosts(self) -> int:
        """How many are connected."""
        return len(self._peers)

    def poke(self) -> None:
        self._wire.poke()

    async def pull(self) -> None:
        self._unplug()

    def close(self) -> None:
        """Pull the key out, and let go of the hosts that have not left."""
        self._unplug()
        while self._peers:
            self._peers.pop().close()

    def _unplug(self) -> None:
        if not self.plugged:
            return
        self.plugged = False
        self._loop.remove_reader(self._listener)
        self._remove()
        self._listener.close()
        for peer in self._peers:
            peer.hang_up()
        self._wire.close()

    def _listen(self) -> None:
        if self.plugged:
            self._loop.add_reader(self._listener, self._connected)

    def _connected(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            log.warning("%s: a host cannot connect: %s", self.where, error.strerror)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(_RETRY_S, self._listen)
            return
        if len(self._peers) >= _MAX_HOSTS:
            log.warning("%s: refused a host, %d are there already", self.where, _MAX_HOSTS)
            connection.close()
            return
        # or the kernel keeps megabytes for a host that does not read
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers.append(Peer(connection, self.where, self._wire.receive, self._peers.remove))

    def _send(self, report: bytes) -> None:
        for peer in self._peers:
            peer.send(report)
