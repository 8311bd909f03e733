"""The pump between a key and a port, on an asyncio loop with the computer's clock."""

import asyncio
from collections.abc import Callable

from firmware_sim.link.ctaphid import BROADCAST
from firmware_sim.link.faults.plan import FaultPlan, parse_plan
from firmware_sim.port.wire import HidWire
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import Finger, ScriptedFinger, Touch
from firmware_sim.world.flash import MemoryFlash, PowerCutError

INIT, CBOR, KEEPALIVE = 0x86, 0x90, 0xBB
SELECTION = b"\x0b"


def packet(channel: int, command: int, data: bytes) -> bytes:
    head = channel.to_bytes(4, "big") + bytes((command,)) + len(data).to_bytes(2, "big")
    return (head + data).ljust(64, b"\0")


class Host:
    """What is at the other end: an inbox, and a channel once it has one."""

    def __init__(self, finger: Finger | None = None, flash: MemoryFlash | None = None) -> None:
        self.key = SecurityKey(
            load_profile("reference"),
            clock=SystemClock(),
            entropy=SeededEntropy(1),
            finger=finger,
            flash=flash,
        )
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.tapped: list[tuple[bool, bytes]] = []
        self.wire = HidWire(
            self.key,
            self.inbox.put_nowait,
            self.lost.set,
            lambda from_host, report: self.tapped.append((from_host, report)),
        )

    async def init(self) -> int:
        self.wire.receive(packet(BROADCAST, INIT, bytes(8)))
        return int.from_bytes((await self.inbox.get())[15:19], "big")


def run(scene: Callable[[Host], object], host: Callable[[], Host] = Host) -> None:
    async def play() -> None:
        await asyncio.wait_for(scene(host()), 10)  # type: ignore[arg-type]

    asyncio.run(play())


def test_reports_go_through_and_are_counted_and_tapped() -> None:
    async def scene(host: Host) -> None:
        channel = await host.init()
        host.wire.receive(packet(channel, 0x81, b"hello"))
        assert (await host.inbox.get())[7:12] == b"hello"
        assert host.wire.counts == {"in": 2, "out": 2}
        assert [from_host for from_host, _ in host.tapped] == [True, False, True, False]

    run(scene)


def test_keep_alives_until_somebody_touches() -> None:
    touch = Touch()

    class Later:
        def requested(self, reason: str, now_s: float) -> Touch:
            return touch

    async def scene(host: Host) -> None:
        channel = await host.init()
        host.wire.receive(packet(channel, CBOR, SELECTION))
        assert (await host.inbox.get())[4] == KEEPALIVE
        touch.true_s = host.key.clock.now()
        host.wire.poke()
        while (report := await host.inbox.get())[4] == KEEPALIVE:
            pass
        assert report[4:8] == bytes((CBOR, 0, 1, 0))

    run(scene, lambda: Host(Later()))


def test_a_touch_that_comes_by_itself_needs_no_poke() -> None:
    async def scene(host: Host) -> None:
        channel = await host.init()
        host.wire.receive(packet(channel, CBOR, SELECTION))
        while (report := await host.inbox.get())[4] == KEEPALIVE:
            pass
        assert report[4:8] == bytes((CBOR, 0, 1, 0))

    run(scene, lambda: Host(ScriptedFinger([0.05])))


def test_a_report_of_another_size_is_dropped(caplog: object) -> None:
    async def scene(host: Host) -> None:
        host.wire.receive(b"short")
        host.wire.receive(bytes(65))
        assert await host.init()
        assert host.wire.counts["in"] == 1

    run(scene)


def test_a_power_cut_is_told_and_ends_it() -> None:
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes: object) -> None:
            if self.cut:
                raise PowerCutError
            super().write(changes)  # type: ignore[arg-type]

    flash = Cut()

    async def scene(host: Host) -> None:
        channel = await host.init()
        flash.cut = True
        host.wire.receive(packet(channel, CBOR, b"\x07"))  # reset writes
        await host.lost.wait()
        assert not host.key.powered
        host.wire.receive(packet(channel, 0x81, b"hello"))
        host.wire.poke()
        assert host.inbox.empty() or (await host.inbox.get())[4] == KEEPALIVE

    run(scene, lambda: Host(flash=flash))


def test_closed_the_key_has_no_power_and_no_timer() -> None:
    async def scene(host: Host) -> None:
        channel = await host.init()
        host.wire.receive(packet(channel, CBOR, SELECTION))
        host.wire.close()
        assert not host.key.powered

    run(scene, lambda: Host(ScriptedFinger([5.0])))


def test_faults_come_out_by_time_and_by_a_poke() -> None:
    """A pull in the middle of an answer: the host has its beginning, then the key vanishes."""
    plan = parse_plan(
        "test",
        """
        [[fault]]
        kind = "delay"
        delay_s = 0.05
        direction = "out"
        command = "PING"
        at = 1

        [[fault]]
        kind = "stall"
        command = "PING"
        direction = "in"
        at = 2

        [[fault]]
        kind = "unplug"
        command = "PING"
        direction = "out"
        packet = 2
        """,
    )

    async def scene(host: Host) -> None:
        channel = await host.init()
        host.key.faults = plan
        host.wire.receive(packet(channel, 0x81, b"late"))
        assert host.inbox.empty()
        assert (await host.inbox.get())[7:11] == b"late"
        host.wire.receive(packet(channel, 0x81, b"never, or later"))
        await asyncio.sleep(0)
        assert host.inbox.empty()
        host.key.faults = None
        host.wire.poke()
        assert (await host.inbox.get())[7:22] == b"never, or later"
        host.key.faults = FaultPlan(fault=plan.fault[2:])
        head = channel.to_bytes(4, "big") + b"\x81\x00\x96"
        host.wire.receive(head.ljust(64, b"a"))
        for sequence in (0, 1):
            host.wire.receive((head[:4] + bytes([sequence])).ljust(64, b"b"))
        await host.lost.wait()
        assert [host.inbox.get_nowait()[4] for _ in range(host.inbox.qsize())] == [0x81, 0]
        assert not host.key.powered

    run(scene)
