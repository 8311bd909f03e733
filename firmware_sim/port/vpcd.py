"""PC/SC by vpcd, the driver of vsmartcard that makes pcscd see card readers without hardware.

We connect to the driver over TCP, which lays the card on its reader. Each message is two bytes
of length, big-endian, and so many bytes: one byte to switch the card (see :class:`Control`), or
a command APDU, to which the response APDU goes back.
"""

import asyncio
import logging
import math
import socket
from collections import Counter
from collections.abc import Callable
from enum import IntEnum

from firmware_sim.card.applications import answer_to_reset
from firmware_sim.port.wire import Plug, Tap
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.world.flash import FlashError, PowerCutError

log = logging.getLogger(__name__)

HOST, FIRST_PORT, SLOTS = "127.0.0.1", 35963, 2  # as vsmartcard is built and configured
_PATIENCE_S = 5.0  # pcscd looks for cards every 0.4 s
_RETRY_S = 0.5
_MAX_MESSAGE = 0xFFFF
# Linux; elsewhere the driver's second write waits for a delayed acknowledgement
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class Control(IntEnum):
    """What one byte tells the card; ATR alone is answered."""

    OFF = 0
    ON = 1
    RESET = 2
    ATR = 4


class VpcdPort:
    """The card readers of pcscd on this computer: ``slots`` of them, on TCP ports from ``port``."""

    apdus = True

    def __init__(self, port: int = FIRST_PORT, slots: int = SLOTS) -> None:
        self._ports = range(port, port + slots)
        self._plugs: dict[int, VpcdPlug] = {}

    async def open(self) -> None:
        """There is nothing to get ready: the reader is looked for when a key is laid on it."""

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> Plug:
        """Lay ``key`` on the first free reader; OSError if there is none, or it is no card."""
        if any(plug.holds(key) for plug in self._plugs.values()):
            raise OSError(f"{key.serial_number} lies on a reader already")
        try:
            key.power_on(as_card=True)
        except ValueError as error:
            raise OSError(f"no card: {error}") from None
        for slot, port in enumerate(self._ports):
            if port in self._plugs and not self._plugs[port].pulled:
                continue
            plug = VpcdPlug(key, port, f"Virtual PCD 00 {slot:02X}", tap)
            if await plug.connect():
                self._plugs[port] = plug
                return plug
        key.power_off()
        raise OSError(
            f"no reader of vpcd on {HOST} is free (ports {self._ports[0]} to {self._ports[-1]}):"
            " take another card off"
        )

    async def close(self) -> None:
        for plug in self._plugs.values():
            await plug.pull()
        self._plugs.clear()


class VpcdPlug(asyncio.Protocol):
    """A key on one reader. Where pcscd goes away, the key waits for it to come back.

    A power cut takes the key off the reader for good.
    """

    def __init__(self, key: SecurityKey, port: int, where: str, tap: Tap | None) -> None:
        self.where = where
        self.counts: Counter[str] = Counter()
        self.pulled = False
        self._key = key
        self._port = port
        self._tap = tap
        self._atr = answer_to_reset(key.profile)
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._heard: list[int] = []  # first bytes of messages, until pcscd has the card
        self._there = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._back: asyncio.Task[None] | None = None
        self._owes = False  # a response to the last command

    async def connect(self) -> bool:
        """Wait until hosts see the card; False if the driver lets it wait, which has another.

        OSError if nobody listens.
        """
        try:
            await self._connect()
        except OSError as error:
            self._key.power_off()
            raise OSError(
                f"vpcd does not listen on {HOST}:{self._port} ({error.strerror}): start pcscd"
                " after apt-get install pcscd vsmartcard-vpcd"
            ) from None
        try:
            await asyncio.wait_for(self._there.wait(), _PATIENCE_S)
        except TimeoutError:
            if not self._heard:
                self.pulled = True
                self._hang_up()
                return False
        return True

    @property
    def plugged(self) -> bool:
        return not self.pulled

    def holds(self, key: SecurityKey) -> bool:
        """Whether it is ``key`` that lies here, and not taken off."""
        return not self.pulled and self._key is key

    def poke(self) -> None:
        self._step(SecurityKey.poll)

    async def pull(self) -> None:
        self.pulled = True
        if self._back is not None:
            self._back.cancel()
        self._stop_timer()
        self._hang_up()
        self._power_off()

    def _power_off(self) -> None:
        if self._key.on_reader:  # and not by now plugged in elsewhere
            self._key.power_off()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, HOST, self._port)

    async def _connect_again(self) -> None:
        while not self.pulled and self._transport is None:
            await asyncio.sleep(_RETRY_S)
            try:
                await self._connect()
            except OSError:
                continue
            log.info("%s: back on %s", self._name, self.where)

    def _hang_up(self) -> None:
        self._hear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # -- what asyncio calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer.clear()
        # asyncio sets TCP_NODELAY itself
        self._acknowledge()

    def data_received(self, data: bytes) -> None:
        self._acknowledge()
        self._buffer += data
        while self._transport is not None and len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[2:end])
            del self._buffer[:end]
            if not self._there.is_set():
                self._watch(message)
            self._receive(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._owes = False
        self._hear()
        self._stop_timer()
        self._power_off()
        if self.pulled:
            return
        log.warning("%s: vpcd closed the connection, waiting for it", self._name)
        self._back = asyncio.ensure_future(self._connect_again())

    # -- messages --------------------------------------------------------------------------------

    def _watch(self, message: bytes) -> None:
        """pcscd powers a new card up, reads its ATR, tells its hosts, and asks anew."""
        self._heard.append(message[0] if message else -1)
        if Control.ON in self._heard[:-2]:
            self._there.set()

    def _hear(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _receive(self, message: bytes) -> None:
        self._hear()
        if self._key.powered and not self._key.on_reader:
            log.warning("%s: was plugged in elsewhere", self._name)
            self._lost()
        elif not message:
            log.warning("%s: ignored an empty message", self._name)
        elif len(message) > 1 or message[0] not in Control.__members__.values():
            self._command(message)
        elif message[0] == Control.ATR:
            self._send(self._atr)
        else:
            self._switch(Control(message[0]))

    def _switch(self, control: Control) -> None:
        self._stop_timer()
        if control != Control.ON:
            self._key.power_off()
        if control != Control.OFF:
            try:
                self._key.power_on(as_card=True)
            except (FlashError, PowerCutError) as error:
                log.error("%s: it does not start: %s", self._name, error)
                self._lost()
                return
        # a command of one byte looks like a switch, and pcscd would wait for its answer for ever
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(_PATIENCE_S, self._unanswered, control.name)

    def _unanswered(self, what: str) -> None:
        log.warning("%s: nothing after %s: off the reader, and on again", self._name, what)
        self._hang_up()

    def _command(self, command: bytes) -> None:
        if not self._key.powered:
            # silence would keep pcscd waiting for ever
            log.warning("%s: a command without power: it goes off the reader", self._name)
            self._hang_up()
            return
        self.counts["in"] += 1
        if self._tap is not None:
            self._tap(True, command)
        self._owes = True
        self._step(lambda key: key.transmit(command))

    def _step(self, what: Callable[[SecurityKey], None]) -> None:
        if not self._key.powered or self._transport is None:
            return
        try:
            what(self._key)
            self._flush()
            self._schedule()
        except UnpluggedError:
            log.warning("%s: its power was cut", self._name)
            self._lost()

    def _flush(self) -> None:
        responses = self._key.card.responses
        while responses:
            response = responses.popleft()
            self.counts["out"] += 1
            self._owes = False
            if self._tap is not None:
                self._tap(False, response)
            self._send(response)

    def _lost(self) -> None:
        """Off the reader, without power, and not to come back."""
        self.pulled = True
        self._stop_timer()
        self._hang_up()

    def _send(self, message: bytes) -> None:
        if self._transport is None:
            return
        # in one write: two would wait for each other's acknowledgement
        self._transport.write(len(message).to_bytes(2, "big") + message)

    def _schedule(self) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        if (wake_s := self._key.card.wake_s()) < math.inf:
            delay_s = max(0.0, wake_s - self._key.clock.now())
            self._timer = loop.call_later(delay_s, self.poke)
        elif self._owes and self._silence is None:  # by a fault plan, and pcscd would wait for ever
            self._silence = loop.call_later(_PATIENCE_S, self._unanswered, "a command")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _acknowledge(self) -> None:
        """At once, until the next packet: the driver sends length and message apart."""
        if self._transport is not None and _QUICKACK is not None:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    @property
    def _name(self) -> str:
        return f"{self._key.profile.product_name} {self._key.serial_number}"
