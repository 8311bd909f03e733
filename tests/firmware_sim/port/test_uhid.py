"""The uhid port against a stand-in for the kernel; tests/system has the real one."""

import asyncio
import errno
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from firmware_sim.link import uhid
from firmware_sim.link.ctaphid import BROADCAST
from firmware_sim.port.error import PortError
from firmware_sim.port.uhid import UhidPort
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.flash import MemoryFlash, PowerCutError


def security_key(profile: str = "reference", flash: MemoryFlash | None = None) -> SecurityKey:
    return SecurityKey(
        load_profile(profile), clock=SystemClock(), entropy=SeededEntropy(1), flash=flash
    )


class Kernel(UhidPort):
    """Opens one end of a socket pair for each key, and makes nodes in ``folder`` for the other."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "uhid", folder / "sysfs")
        self.folder = folder
        self.devices: list[socket.socket] = []

    def _open(self) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        self.devices.append(theirs)
        asyncio.get_running_loop().call_soon(self._create, len(self.devices) - 1)
        return ours.detach()

    def _create(self, number: int) -> None:
        event = self.devices[number].recv(8192)
        assert uhid.event_type(event) == uhid.Event.CREATE2
        phys = event[132:196].rstrip(b"\0").decode()
        device = self.folder / f"sysfs/hidraw{number}/device"
        device.mkdir(parents=True)
        (device / "uevent").write_text(f"HID_NAME=some key\nHID_PHYS={phys}\nHID_UNIQ=\n")
        (self.folder / f"hidraw{number}").touch()

    async def events(self, number: int) -> list[bytes]:
        """What the port wrote since the last time."""
        await asyncio.sleep(0)
        found = []
        while True:
            try:
                event = self.devices[number].recv(8192)
            except BlockingIOError:
                return found
            if not event:
                return found
            found.append(event)


Scene = Callable[[Kernel], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scene], None]:
    def run(scene: Scene) -> None:
        async def whole() -> None:
            kernel = Kernel(tmp_path)
            try:
                await asyncio.wait_for(scene(kernel), 10)
            finally:
                await kernel.close()
                for device in kernel.devices:
                    device.close()

        asyncio.run(whole())

    return run


def init_packet() -> bytes:
    return (BROADCAST.to_bytes(4, "big") + b"\x86\x00\x08" + b"nonce678").ljust(64, b"\0")


def output_event(report: bytes) -> bytes:
    data = b"\0" + report
    event = struct.pack("=I4096sHB", uhid.Event.OUTPUT, data, len(data), 1)
    return event.ljust(uhid.EVENT_SIZE, b"\0")


async def answers(kernel: Kernel, number: int, count: int = 1) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        found += await kernel.events(number)
    return found


def test_a_report_and_its_answer(play: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(kernel: Kernel) -> None:
        plug = await kernel.plug(security_key())
        assert plug.where == str(tmp_path / "hidraw0")
        kernel.devices[0].send(output_event(init_packet()))
        [answer] = await answers(kernel, 0)
        assert answer[:6] == struct.pack("=IH", uhid.Event.INPUT2, 64)
        assert answer[13:21] == b"nonce678"

    play(scene)


def test_a_feature_report_is_refused_at_once(play: Callable[[Scene], None]) -> None:
    async def scene(kernel: Kernel) -> None:
        await kernel.plug(security_key())
        request = struct.pack("=II", uhid.Event.GET_REPORT, 5).ljust(uhid.EVENT_SIZE, b"\0")
        kernel.devices[0].send(request)
        [answer] = await answers(kernel, 0)
        assert struct.unpack_from("=II", answer) == (uhid.Event.GET_REPORT_REPLY, 5)

    play(scene)


def test_a_long_answer_is_sent_no_faster_than_hosts_read(play: Callable[[Scene], None]) -> None:
    """129 reports at once would be more than a hidraw file holds."""

    async def scene(kernel: Kernel) -> None:
        await kernel.plug(security_key())
        kernel.devices[0].send(output_event(init_packet()))
        [answer] = await answers(kernel, 0)
        channel, data = answer[21:25], bytes(range(256)) * 29
        kernel.devices[0].send(output_event(channel + b"\x81\x1d\x00" + data[:57]))
        for sequence, at in enumerate(range(57, len(data), 59)):
            packet = channel + bytes((sequence,)) + data[at : at + 59]
            await asyncio.sleep(0)
            kernel.devices[0].send(output_event(packet.ljust(64, b"\0")))
        reports, batches = [], []
        while len(reports) < 126:
            batch = await answers(kernel, 0)
            reports += batch
            batches.append(len(batch))
        assert batches[0] <= 48
        assert max(batches[1:]) <= 48
        echoed = reports[0][13:] + b"".join(report[11:] for report in reports[1:])
        assert echoed[: len(data)] == data

    play(scene)


def test_two_keys_are_two_devices(play: Callable[[Scene], None]) -> None:
    async def scene(kernel: Kernel) -> None:
        first = await kernel.plug(security_key())
        second = await kernel.plug(security_key("u2f-only"))
        assert first.where != second.where
        await first.pull()
        kernel.devices[1].send(output_event(init_packet()))
        assert await answers(kernel, 1)

    play(scene)


def test_pulled_out_it_is_destroyed_and_without_power(play: Callable[[Scene], None]) -> None:
    async def scene(kernel: Kernel) -> None:
        key = security_key()
        plug = await kernel.plug(key)
        await plug.pull()
        await plug.pull()
        assert [uhid.event_type(each) for each in await kernel.events(0)] == [uhid.Event.DESTROY]
        assert not key.powered
        again = await kernel.plug(key)
        assert key.powered
        assert again.where != plug.where
        await kernel.close()
        assert not key.powered

    play(scene)


def test_a_power_cut_takes_the_device_away(
    play: Callable[[Scene], None], caplog: pytest.LogCaptureFixture
) -> None:
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes: object) -> None:
            if self.cut:
                raise PowerCutError
            super().write(changes)  # type: ignore[arg-type]

    async def scene(kernel: Kernel) -> None:
        flash = Cut()
        await kernel.plug(security_key(flash=flash))
        kernel.devices[0].send(output_event(init_packet()))
        [answer] = await answers(kernel, 0)
        flash.cut = True
        reset = answer[21:25] + b"\x90\x00\x01\x07"
        kernel.devices[0].send(output_event(reset.ljust(64, b"\0")))
        seen = await answers(kernel, 0)
        while uhid.event_type(seen[-1]) != uhid.Event.DESTROY:
            seen += await answers(kernel, 0)

    with caplog.at_level(logging.WARNING):
        play(scene)
    assert "its power was cut" in caplog.text


def test_no_hidraw_node_leaves_nothing_behind(
    play: Callable[[Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware_sim.port.uhid._APPEARS_WITHIN_S", 0.01)
    monkeypatch.setattr(Kernel, "_create", lambda kernel, number: None)

    async def scene(kernel: Kernel) -> None:
        key = security_key()
        with pytest.raises(PortError, match="modprobe hid-generic"):
            await kernel.plug(key)
        assert not key.powered

    play(scene)


def test_a_node_that_is_not_in_this_dev_is_said(
    play: Callable[[Scene], None], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def scene(kernel: Kernel) -> None:
        kernel._node = tmp_path / "elsewhere/uhid"
        plug = await kernel.plug(security_key())
        assert plug.where == str(tmp_path / "elsewhere/hidraw0")

    play(scene)
    assert "--device" in caplog.text


def test_without_the_module_the_mend_is_said(tmp_path: Path) -> None:
    for node in (tmp_path / "uhid", tmp_path / "file/uhid"):
        (tmp_path / "file").touch()
        with pytest.raises(PortError, match="modprobe uhid"):
            asyncio.run(UhidPort(node).open())


@pytest.mark.parametrize(
    ("number", "mend"), [(errno.EACCES, "tokenkit doctor uhid"), (errno.ENODEV, "modprobe uhid")]
)
def test_what_the_kernel_says_comes_with_the_mend(
    monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(PortError, match=mend):
            asyncio.run(UhidPort().open())
