"""A key behind a TCP or Unix socket, and hosts that behave in every way."""

import asyncio
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.link.ctaphid import BROADCAST
from firmware_sim.port import socket_port
from firmware_sim.port.socket_address import TcpAddress, UnixAddress, parse_address
from firmware_sim.port.socket_peer import MAX_QUEUED, Framing, unnumbered
from firmware_sim.port.socket_port import SocketPort
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import Touch, never_touch, touch_at_once
from firmware_sim.world.flash import MemoryFlash, PowerCutError

INIT, PING, CBOR, KEEPALIVE = 0x86, 0x81, 0x90, 0xBB
RESET, SELECTION = b"\x07", b"\x0b"


def packet(channel: int, command: int, data: bytes) -> bytes:
    head = channel.to_bytes(4, "big") + bytes((command,)) + len(data).to_bytes(2, "big")
    return (head + data).ljust(64, b"\0")


def new_key(flash: MemoryFlash | None = None) -> SecurityKey:
    return SecurityKey(
        load_profile("reference"),
        clock=SystemClock(),
        entropy=SeededEntropy(1),
        finger=never_touch(),
        flash=flash,
    )


class Host:
    """A connection to ``where``; ``number`` goes before each report that is sent."""

    made: ClassVar[list["Host"]] = []

    def __init__(self, where: str, kind: int = socket.SOCK_STREAM) -> None:
        self.number = b"" if kind == socket.SOCK_STREAM else b"\0"
        scheme, _, rest = where.partition(":")
        if scheme == "unix":
            self.socket = socket.socket(socket.AF_UNIX, kind)
            Host.made.append(self)
            self.socket.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            self.socket = socket.create_connection((host, int(port)))
            Host.made.append(self)
        self.socket.setblocking(False)
        self.loop = asyncio.get_running_loop()

    async def send(self, report: bytes) -> None:
        await self.loop.sock_sendall(self.socket, self.number + report)

    async def read(self) -> bytes:
        """One report; shorter if the key is gone."""
        report = b""
        while len(report) < 64 and (more := await self.loop.sock_recv(self.socket, 64)):
            report += more
        return report

    async def init(self, nonce: bytes = bytes(8)) -> int:
        """A channel, past whatever else is said."""
        await self.send(packet(BROADCAST, INIT, nonce))
        while True:
            report = await self.read()
            if report[:5] == b"\xff\xff\xff\xff\x86" and report[7:15] == nonce:
                return int.from_bytes(report[15:19], "big")

    async def ping(self, channel: int, data: bytes) -> bytes:
        await self.send(packet(channel, PING, data))
        return (await self.read())[7 : 7 + len(data)]


Scene = Callable[[SocketPort], Awaitable[None]]


def play(address: str | UnixAddress | TcpAddress, scene: Scene) -> None:
    async def run() -> None:
        port = SocketPort(address)
        await port.open()
        try:
            await asyncio.wait_for(scene(port), 20)
        finally:
            await port.close()
            while Host.made:
                Host.made.pop().socket.close()

    asyncio.run(run())


@pytest.fixture(params=["unix", "packets", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str | UnixAddress:
    if request.param == "packets":
        return UnixAddress(tmp_path / "key", socket.SOCK_SEQPACKET)
    return "tcp:0" if request.param == "tcp" else f"unix:{tmp_path / 'key'}"


def host_at(where: str, address: object) -> Host:
    return Host(where, getattr(address, "kind", socket.SOCK_STREAM))


def test_reports_go_through(address: str) -> None:
    async def scene(port: SocketPort) -> None:
        tapped: list[bool] = []
        plug = await port.plug(new_key(), lambda from_host, report: tapped.append(from_host))
        host = host_at(plug.where, address)
        assert await host.ping(await host.init(), b"hello") == b"hello"
        assert plug.counts == {"in": 2, "out": 2}
        assert tapped == [True, False, True, False]

    play(address, scene)


def test_every_host_gets_every_report(address: str) -> None:
    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        one, other = host_at(plug.where, address), host_at(plug.where, address)
        await other.init(b"other...")
        channel = await one.init(b"one.....")
        await one.send(packet(channel, PING, b"hello"))
        for host in (one, other):
            while (report := await host.read())[4] != PING:
                assert report[4] == INIT
            assert report == packet(channel, PING, b"hello")

    play(address, scene)


def test_hosts_that_vanish_leave_the_key_serving(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        stays = host_at(plug.where, address)
        channel = await stays.init()
        for _ in range(3):
            leaves = host_at(plug.where, address)
            await leaves.init(b"leaves..")
            await leaves.send(packet(channel, PING, bytes(20))[:50])
            leaves.socket.close()
        while plug.hosts > 1:
            await asyncio.sleep(0)
        while (await stays.read())[7:15] != b"leaves..":
            pass
        assert await host_at(plug.where, address).init(b"late....")

    play(address, scene)
    packets = isinstance(address, UnixAddress)
    assert ("dropped a report of 51 bytes" if packets else "left 14 bytes before") in caplog.text


def test_what_a_host_sent_before_it_left_counts(tmp_path: Path) -> None:
    """Linux tells of answers unread first, and then gives what was sent."""
    address = UnixAddress(tmp_path / "key", socket.SOCK_SEQPACKET)

    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        stays, leaves = (host_at(plug.where, address) for _ in range(2))
        channel = await stays.init()
        await leaves.init(b"leaves..")
        await leaves.send(packet(channel, PING, b"unread"))
        while (await stays.read())[7:13] != b"unread":
            pass
        await leaves.send(packet(channel, PING, b"last"))
        leaves.socket.close()
        while (await stays.read())[7:11] != b"last":
            pass
        while plug.hosts > 1:
            await asyncio.sleep(0)
        assert await stays.ping(channel, b"hello") == b"hello"

    play(address, scene)


def test_a_slow_reader_loses_reports_and_nobody_else(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        slow, quick = host_at(plug.where, address), host_at(plug.where, address)
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        channel = await quick.init()
        count = 0
        while "does not read" not in caplog.text:
            assert await quick.ping(channel, b"%d" % count) == b"%d" % count
            count += 1
        assert count >= MAX_QUEUED
        for _ in range(count):
            await slow.read()
        # it gets what comes now
        await quick.ping(channel, b"last")
        while (await slow.read())[7:11] != b"last":
            pass

    play(address, scene)
    assert caplog.text.count("does not read") == 1


def test_pulled_out_it_ends_for_hosts_without_a_broken_pipe(address: str) -> None:
    async def scene(port: SocketPort) -> None:
        key = new_key()
        plug = await port.plug(key)
        host = host_at(plug.where, address)
        channel = await host.init()
        await plug.pull()
        await plug.pull()
        assert not key.powered
        await host.send(packet(channel, PING, b"hello"))
        assert await host.read() == b""
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            Host(plug.where)
        again = await port.plug(key)
        assert key.powered
        back = host_at(again.where, address)
        assert await back.init()

    play(address, scene)


def test_a_power_cut_ends_it_for_hosts(address: str) -> None:
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes: object) -> None:
            if self.cut:
                raise PowerCutError
            super().write(changes)  # type: ignore[arg-type]

    async def scene(port: SocketPort) -> None:
        flash = Cut()
        key = new_key(flash)
        plug = await port.plug(key)
        host = host_at(plug.where, address)
        channel = await host.init()
        key.finger = touch_at_once()
        flash.cut = True
        await host.send(packet(channel, CBOR, RESET))
        while (report := await host.read()) and report[4] == KEEPALIVE:
            pass
        assert report == b""
        assert not plug.plugged
        host.socket.close()

    play(address, scene)


def test_keep_alives_come_by_themselves_and_a_poke_ends_the_wait(address: str) -> None:
    touch = Touch()

    class Later:
        def requested(self, reason: str, now_s: float) -> Touch:
            return touch

    async def scene(port: SocketPort) -> None:
        key = new_key()
        key.finger = Later()
        plug = await port.plug(key)
        host = host_at(plug.where, address)
        channel = await host.init()
        await host.send(packet(channel, CBOR, SELECTION))
        assert (await host.read())[4] == KEEPALIVE
        assert (await host.read())[4] == KEEPALIVE
        touch.true_s = key.clock.now()
        plug.poke()
        while (report := await host.read())[4] == KEEPALIVE:
            pass
        assert report[4:8] == bytes((CBOR, 0, 1, 0))

    play(address, scene)


def test_one_key_at_a_time(address: str) -> None:
    async def scene(port: SocketPort) -> None:
        await port.plug(new_key())
        with pytest.raises(OSError, match="it takes one key"):
            await port.plug(new_key())

    play(address, scene)


def test_too_many_hosts_are_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(socket_port, "_MAX_HOSTS", 2)

    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        hosts = [host_at(plug.where, address) for _ in range(3)]
        await hosts[0].init()
        assert await hosts[2].loop.sock_recv(hosts[2].socket, 64) == b""

    play(address, scene)
    assert "refused a host, 2 are there already" in caplog.text


@given(reports=st.lists(st.binary(min_size=64, max_size=64), max_size=20), data=st.data())
def test_pieces_of_any_size_make_the_same_reports(
    reports: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(reports) + data.draw(st.binary(max_size=63))
    framing, found, at = Framing(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(0, 200))
        found += framing.feed(stream[at : at + size])
        at += size
    assert found == reports
    rest = len(stream) - 64 * len(reports)
    assert framing.missing == (64 - rest if rest else 0)


@given(st.binary(max_size=130))
def test_only_the_number_before_a_whole_report_goes(written: bytes) -> None:
    expected = written[1:] if len(written) == 65 and written[0] == 0 else written
    assert unnumbered(written) == expected


@given(st.lists(st.binary(max_size=200), max_size=12), st.booleans())
def test_whatever_a_host_sends_the_key_goes_on(messages: list[bytes], packets: bool) -> None:
    kind = socket.SOCK_SEQPACKET if packets else socket.SOCK_STREAM

    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        stranger, host = Host(plug.where, kind), Host(plug.where, kind)
        for message in messages:
            await stranger.loop.sock_sendall(stranger.socket, message)
        stranger.socket.close()
        assert await host.init(b"fine....")

    with tempfile.TemporaryDirectory() as folder:
        play(UnixAddress(Path(folder) / "key", kind), scene)


# addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/key", UnixAddress(Path("/run/key"))),
        ("unix:a:b", UnixAddress(Path("a:b"))),
        ("tcp:8111", TcpAddress("127.0.0.1", 8111)),
        ("tcp:0", TcpAddress("127.0.0.1", 0)),
        ("tcp:0.0.0.0:65535", TcpAddress("0.0.0.0", 65535)),
        ("tcp:[::1]:1", TcpAddress("::1", 1)),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert parse_address(text) == address


@given(st.text(max_size=20) | st.text(max_size=9).map("tcp:".__add__))
def test_any_other_text_is_refused(text: str) -> None:
    with suppress(ValueError):
        address = parse_address(text)
        assert isinstance(address, UnixAddress | TcpAddress)
        assert text.startswith(("unix:", "tcp:"))


@pytest.mark.parametrize("text", ["unix:", "tcp:", "tcp:host:", "tcp:65536", "tcp:-1", "tcp:²", ""])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is no address: write unix:PATH, tcp:PORT"):
        parse_address(text)


def test_a_unix_socket_is_its_owners_alone_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "key"

    async def scene(port: SocketPort) -> None:
        await port.plug(new_key())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await port.close()
        await port.close()
        assert not path.exists()

    play(f"unix:{path}", scene)


def test_a_stale_socket_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))

    async def scene(port: SocketPort) -> None:
        await port.plug(new_key())
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            with pytest.raises(OSError, match="somebody listens there already"):
                await SocketPort(UnixAddress(path, kind)).plug(new_key())
        host = Host(f"unix:{path}")
        assert await host.init()

    play(f"unix:{path}", scene)


def test_what_somebody_else_put_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("mine")

    async def refused(port: SocketPort) -> None:
        with pytest.raises(OSError, match="no socket, choose another name"):
            await port.plug(new_key())

    async def replaced(port: SocketPort) -> None:
        await port.plug(new_key())
        path.unlink()
        path.write_text("mine")

    play(f"unix:{path}", refused)
    path.unlink()
    play(f"unix:{path}", replaced)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "reason"), [("missing/key", "No such file"), ("k" * 120, "choose a shorter one")]
)
def test_where_no_socket_can_be(name: str, reason: str, tmp_path: Path) -> None:
    async def scene(port: SocketPort) -> None:
        key = new_key()
        key.power_off()
        with pytest.raises(OSError, match=reason) as caught:
            await port.plug(key)
        assert str(tmp_path / name) in str(caught.value)
        assert not key.powered

    play(f"unix:{tmp_path / name}", scene)


def test_tcp_is_on_loopback_and_a_port_in_use_is_named() -> None:
    async def scene(port: SocketPort) -> None:
        plug = await port.plug(new_key())
        host, number = plug.where.split(":")[1:]
        assert host == "127.0.0.1"
        with pytest.raises(OSError, match=f"tcp:127.0.0.1:{number}: Address already in use"):
            await SocketPort(f"tcp:{number}").plug(new_key())

    play("tcp:0", scene)


def test_a_host_that_is_none() -> None:
    async def scene(port: SocketPort) -> None:
        with pytest.raises(OSError, match=r"tcp:host\.invalid:1: "):
            await port.plug(new_key())

    play("tcp:host.invalid:1", scene)
