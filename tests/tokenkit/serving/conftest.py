"""Keys served at a port inside this process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.port.wire import HidWire, Tap
from firmware_sim.security_key import SecurityKey
from tokenkit import virtual
from tokenkit.keys import parse_selector
from tokenkit.serving import ControlClient, ControlServer, Server


class LoopPlug:
    """A key whose host is the test: ``send`` a packet, ``receive`` the next."""

    def __init__(self, key: SecurityKey, where: str, tap: Tap | None) -> None:
        self.where = where
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._wire = HidWire(key, self.inbox.put_nowait, lambda: None, tap)
        self.counts = self._wire.counts
        self.channel = 0
        self.plugged = True

    def poke(self) -> None:
        self._wire.poke()

    async def pull(self) -> None:
        self.plugged = False
        self._wire.close()

    async def init(self) -> None:
        self.send(0x86, bytes(8), 0xFFFFFFFF)
        self.channel = int.from_bytes((await self.inbox.get())[15:19], "big")

    def send(self, command: int, data: bytes, channel: int | None = None) -> None:
        to = self.channel if channel is None else channel
        head = to.to_bytes(4, "big") + bytes((command,)) + len(data).to_bytes(2, "big")
        self._wire.receive((head + data).ljust(64, b"\0"))

    async def answer(self) -> bytes:
        """The next packet that is no keep-alive, from its command on."""
        while (packet := await self.inbox.get())[4] == 0xBB:
            pass
        return packet[4:]


class LoopPort:
    apdus = False

    def __init__(self) -> None:
        self.plugs: list[LoopPlug] = []
        self.refuses = False
        self.is_open = False

    async def open(self) -> None:
        self.is_open = True

    async def plug(self, key: SecurityKey, tap: Tap | None = None) -> LoopPlug:
        if self.refuses:
            raise virtual.PortError("no room")
        plug = LoopPlug(key, f"loop{len(self.plugs)}", tap)
        self.plugs.append(plug)
        return plug

    async def close(self) -> None:
        for plug in self.plugs:
            await plug.pull()
        self.is_open = False


class Scene:
    """A server with its port and a client of its control API."""

    def __init__(self, server: Server, port: LoopPort, client: ControlClient) -> None:
        self.server = server
        self.port = port
        self._client = client

    async def get(self, path: str) -> Any:
        return await asyncio.to_thread(self._client.get, path)

    async def post(self, path: str, **order: Any) -> Any:
        return await asyncio.to_thread(self._client.post, path, order)


Play = Callable[..., None]


@pytest.fixture
def loop_port(monkeypatch: pytest.MonkeyPatch) -> LoopPort:
    port = LoopPort()
    monkeypatch.setattr(virtual, "make_port", lambda text: port)
    return port


@pytest.fixture
def control_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.control"


@pytest.fixture
def play(loop_port: LoopPort, control_file: Path) -> Play:
    """Run a scene against the keys of ``selectors``, by default one."""

    def run(
        scene: Callable[[Scene], Awaitable[None]], *selectors: str, by_itself: bool = False
    ) -> None:
        async def whole() -> None:
            chosen = [parse_selector(each) for each in selectors or ("virtual:reference?seed=1",)]
            async with Server(chosen, "loop") as server:
                for key in server.keys:
                    key.touch_by_itself(by_itself)
                with closing(ControlServer(server, control_file)) as control:
                    control.start()
                    client = ControlClient(control_file)
                    await asyncio.wait_for(scene(Scene(server, loop_port, client)), 20)

        asyncio.run(whole())

    return run
