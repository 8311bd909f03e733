"""A card on a reader, with a driver of our own at the other end of the TCP connection."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import pytest

from firmware_sim.port import vpcd
from firmware_sim.port.vpcd import VpcdPort
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import Finger, ScriptedFinger, Touch
from firmware_sim.world.flash import MemoryFlash, PowerCutError

OFF, ON, RESET, ATR = b"\0", b"\1", b"\2", b"\4"
SELECT_FIDO = bytes.fromhex("00a4040008a0000006472f000100")
SELECTION = bytes.fromhex("80100000010b00")
GET_INFO = bytes.fromhex("801000000000010400") + b"\0"
YUBIKEY = bytes.fromhex("3b8d80018073c021c057597562694b6579f9")


def new_key(
    profile: str = "yubikey-5.7", finger: Finger | None = None, flash: MemoryFlash | None = None
) -> SecurityKey:
    return SecurityKey(
        load_profile(profile),
        clock=SystemClock(),
        entropy=SeededEntropy(1),
        finger=finger,
        flash=flash,
    )


class Driver:
    """What vpcd is: it waits for one card on one port."""

    def __init__(self) -> None:
        self.cards: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self.cards.put((reader, writer))

    async def take(self) -> None:
        """Take notice of the next card, as pcscd does."""
        self.reader, self.writer = await self.cards.get()
        assert await self.ask(ATR) == YUBIKEY
        self.tell(ON)
        assert await self.ask(ATR) == YUBIKEY
        assert await self.ask(ATR) == YUBIKEY

    def tell(self, message: bytes) -> None:
        self.writer.write(len(message).to_bytes(2, "big") + message)

    async def hear(self) -> bytes:
        length = int.from_bytes(await self.reader.readexactly(2), "big")
        return await self.reader.readexactly(length)

    async def ask(self, message: bytes) -> bytes:
        self.tell(message)
        return await self.hear()

    async def gone(self) -> None:
        """Wait for the card to be taken off."""
        with contextlib.suppress(ConnectionError):
            assert await self.reader.read() == b""

    def hang_up(self) -> None:
        self.writer.close()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


Scene = Callable[[Driver, VpcdPort], Awaitable[None]]


def run(scene: Scene, slots: int = 1) -> None:
    async def play() -> None:
        driver = Driver()
        await driver.listen()
        port = VpcdPort(driver.port, slots)
        await port.open()
        try:
            await asyncio.wait_for(scene(driver, port), 20)
        finally:
            await port.close()
            await driver.close()

    asyncio.run(play())


async def lay_on(driver: Driver, port: VpcdPort, key: SecurityKey, tap=None):
    plug, _ = await asyncio.gather(port.plug(key, tap), driver.take())
    return plug


def test_commands_are_answered_counted_and_tapped():
    tapped = []

    async def scene(driver, port):
        plug = await lay_on(driver, port, new_key(), lambda *each: tapped.append(each))
        assert plug.where == "Virtual PCD 00 00"
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"
        assert (await driver.ask(GET_INFO))[-2:] == b"\x90\x00"
        assert plug.counts == {"in": 2, "out": 2}
        assert tapped[:2] == [(True, SELECT_FIDO), (False, b"U2F_V2\x90\x00")]
        assert [from_host for from_host, _ in tapped] == [True, False, True, False]

    run(scene)


def test_messages_in_pieces_and_several_at_once():
    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        sent = b"".join(len(each).to_bytes(2, "big") + each for each in (ATR, SELECT_FIDO, ATR))
        for byte in sent:
            driver.writer.write(bytes((byte,)))
            await driver.writer.drain()
            await asyncio.sleep(0)
        heard = [await driver.hear() for _ in range(3)]
        assert heard == [YUBIKEY, b"U2F_V2\x90\x00", YUBIKEY]
        driver.writer.write(sent)
        assert [await driver.hear() for _ in range(3)] == heard

    run(scene)


def test_power_and_reset():
    async def scene(driver, port):
        key = new_key()
        await lay_on(driver, port, key)
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"
        driver.tell(RESET)
        assert await driver.ask(GET_INFO) == b"\x6d\x00"
        driver.tell(OFF)
        assert await driver.ask(ATR) == YUBIKEY
        assert not key.powered
        driver.tell(ON)
        driver.tell(ON)
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"\x03", "6700"),  # no such control: a command of one byte
        (b"\xff", "6700"),
        (b"\0\xa4", "6700"),
        (bytes(65535), "6700"),
        (bytes.fromhex("00a404000000ffff"), "6700"),
        (bytes.fromhex("00a4040000fff6") + bytes(65526), "6a82"),
    ],
)
def test_malformed_and_oversized_messages(message, answer):
    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        assert (await driver.ask(message)).hex() == answer
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)


def test_an_empty_message_is_named_and_ignored(caplog):
    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        driver.tell(b"")
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)
    assert "ignored an empty message" in caplog.text


def test_waiting_for_a_touch_stops_nothing_else():
    touch = Touch()

    class Later:
        def requested(self, reason, now_s):
            return touch

    async def scene(driver, port):
        key = new_key(finger=Later())
        plug = await lay_on(driver, port, key)
        await driver.ask(SELECT_FIDO)
        driver.tell(SELECTION)
        assert await driver.ask(ATR) == YUBIKEY
        touch.true_s = key.clock.now()
        plug.poke()
        assert await driver.hear() == b"\0\x90\x00"

    run(scene)


def test_a_touch_that_comes_by_itself():
    async def scene(driver, port):
        await lay_on(driver, port, new_key(finger=ScriptedFinger([0.05])))
        await driver.ask(SELECT_FIDO)
        assert await driver.ask(SELECTION) == b"\0\x90\x00"

    run(scene)


def test_a_driver_that_goes_in_the_middle_of_a_message_and_comes_back(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(vpcd, "_RETRY_S", 0.01)

    async def scene(driver, port):
        key = new_key(finger=ScriptedFinger([60]))
        plug = await lay_on(driver, port, key)
        await driver.ask(SELECT_FIDO)
        driver.tell(SELECTION)
        driver.writer.write(b"\x00\x10half")
        await driver.writer.drain()
        driver.hang_up()
        await driver.take()
        assert await driver.ask(GET_INFO) == b"\x6d\x00"  # it had no power in between
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"
        assert plug.where == "Virtual PCD 00 00"

    run(scene)
    assert "vpcd closed the connection, waiting for it" in caplog.text
    assert "back on Virtual PCD 00 00" in caplog.text


def test_a_driver_that_is_away_for_a_while(monkeypatch):
    monkeypatch.setattr(vpcd, "_RETRY_S", 0.01)
    connect = vpcd.VpcdPlug._connect
    refused = asyncio.Event()

    async def watched(self):
        try:
            await connect(self)
        except OSError:
            refused.set()
            raise

    monkeypatch.setattr(vpcd.VpcdPlug, "_connect", watched)

    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        await driver.close()
        await refused.wait()
        await driver.listen()
        await driver.take()
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)


def test_pulled_it_is_gone_and_stays_away():
    async def scene(driver, port):
        key = new_key()
        plug = await lay_on(driver, port, key)
        await plug.pull()
        await driver.gone()
        assert not key.powered
        await plug.pull()
        plug.poke()
        await lay_on(driver, port, key)  # the reader is free again
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"
        assert driver.cards.empty()

    run(scene)


def test_a_command_without_power_is_not_left_unanswered(monkeypatch, caplog):
    monkeypatch.setattr(vpcd, "_RETRY_S", 0.01)

    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        driver.tell(OFF)
        driver.tell(SELECT_FIDO)
        await driver.gone()
        await driver.take()
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)
    assert "a command without power" in caplog.text


def test_a_command_that_looks_like_a_switch_does_not_block_the_reader(monkeypatch, caplog):
    """A command of one byte: the driver waits for an answer, and asks for nothing meanwhile."""
    monkeypatch.setattr(vpcd, "_RETRY_S", 0.01)

    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        monkeypatch.setattr(vpcd, "_PATIENCE_S", 0.05)
        driver.tell(OFF)
        await driver.gone()
        monkeypatch.undo()
        await driver.take()
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)
    assert "nothing after OFF" in caplog.text


@pytest.mark.parametrize("message", [SELECT_FIDO, ON])
def test_a_power_cut_takes_it_off(caplog, message):
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes):
            if self.cut:
                raise PowerCutError
            super().write(changes)

    flash = Cut()

    async def scene(driver, port):
        key = new_key(flash=flash)
        await lay_on(driver, port, key)
        if message == ON:  # its secrets are to be written anew
            driver.tell(OFF)
            await driver.ask(ATR)
            flash.write(dict.fromkeys([name for name, _ in flash.items() if "device/" not in name]))
            flash.cut = True
            driver.tell(ON)
        else:
            flash.cut = True
            await driver.ask(SELECT_FIDO)
            driver.tell(bytes.fromhex("801000000107"))  # a reset writes
        await driver.gone()
        assert not key.powered

    run(scene)
    assert "its power was cut" in caplog.text or "it does not start" in caplog.text


def test_a_reader_takes_one_card():
    async def scene(driver, port):
        await lay_on(driver, port, new_key())
        second = new_key("reference")
        with pytest.raises(OSError, match=r"no reader of vpcd on 127\.0\.0\.1 is free"):
            await port.plug(second)
        assert not second.powered
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene)


def test_a_reader_with_a_card_of_another_program(monkeypatch):
    """The connection is taken, and nobody speaks."""
    monkeypatch.setattr(vpcd, "_PATIENCE_S", 0.05)

    async def scene(driver, port):
        key = new_key()
        with pytest.raises(OSError, match=r"take another card off"):
            await port.plug(key)
        assert not key.powered

    run(scene)


def test_a_key_lies_on_one_reader():
    async def scene(driver, port):
        key = new_key()
        await lay_on(driver, port, key)
        with pytest.raises(OSError, match="lies on a reader already"):
            await port.plug(key)
        assert await driver.ask(SELECT_FIDO) == b"U2F_V2\x90\x00"

    run(scene, slots=2)


@pytest.mark.parametrize("message", [None, ATR, ON, SELECT_FIDO])
def test_plugged_in_elsewhere_it_is_off_the_reader(message):
    async def scene(driver, port):
        key = new_key()
        plug = await lay_on(driver, port, key)
        key.power_on()
        if message is None:
            plug.poke()
        else:
            driver.tell(message)
        await driver.gone()
        assert driver.cards.empty()
        await plug.pull()
        assert key.link

    run(scene)


def test_nobody_listens():
    async def scene(driver, port):
        await driver.close()
        with pytest.raises(OSError, match="apt-get install pcscd vsmartcard-vpcd"):
            await port.plug(new_key())
        await port.close()

    run(scene)


def test_a_model_that_is_no_card():
    async def scene(driver, port):
        key = new_key("opensk")
        with pytest.raises(OSError, match="opensk is a model without NFC or CCID"):
            await port.plug(key)

    run(scene)
