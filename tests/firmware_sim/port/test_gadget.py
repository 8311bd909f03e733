"""The gadget port over a socket where /dev/hidg0 would be; the real one is in tests/system."""

import asyncio
import errno
import os
import socket

import pytest

from firmware_sim.port.gadget import GadgetPort, HidNode
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.flash import MemoryFlash, PowerCutError

INIT = b"\xff\xff\xff\xff\x86\0\x08" + bytes(range(8)) + bytes(49)


def make_key(**options):
    return SecurityKey(
        load_profile("reference"), clock=SystemClock(), entropy=SeededEntropy(1), **options
    )


def run(scene):
    asyncio.run(asyncio.wait_for(scene, 30))


@pytest.fixture
def pair():
    """The key's end, as a descriptor that is the test's to give away, and the host's."""
    ours, host = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    host.setblocking(False)
    yield ours.detach(), host
    host.close()


@pytest.fixture
def bench(configfs, pair, tmp_path, monkeypatch):
    """A port at two controllers, where the first node is a socket, and the host's end of it."""
    controllers, nodes = tmp_path / "udc", tmp_path / "dev"
    controllers.mkdir()
    nodes.mkdir()
    for name in ("udc.0", "udc.1"):
        (controllers / name).mkdir()
    descriptor, host = pair
    real = os.open

    def fake_open(path, *args, **kwargs):
        if path == nodes / "hidg0":
            return descriptor
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", fake_open)
    return GadgetPort(configfs.root, controllers, nodes), host


async def read(host):
    return await asyncio.get_running_loop().sock_recv(host, 64)


def test_a_key_answers_through_its_node_and_is_gone_when_pulled(bench, configfs):
    port, host = bench

    async def scene():
        await port.open()
        key = make_key()
        tapped = []
        plug = await port.plug(key, lambda from_host, report: tapped.append((from_host, report)))
        assert plug.where.endswith("hidg0 at udc.0")
        host.send(INIT)
        answer = await read(host)
        assert answer[:7] == b"\xff\xff\xff\xff\x86\0\x11"
        assert tapped == [(True, INIT), (False, answer)]
        assert plug.counts == {"in": 1, "out": 1}
        await plug.pull()
        await plug.pull()
        assert not key.powered
        assert configfs.gadgets == []
        assert host.recv(64) == b""

    run(scene())


def test_closing_pulls_all_keys_out(bench, configfs):
    port, _ = bench

    async def scene():
        await port.open()
        key = make_key()
        await port.plug(key)
        await port.close()
        await port.close()
        assert not key.powered
        assert configfs.gadgets == []

    run(scene())


def test_a_node_that_cannot_be_opened_leaves_no_gadget(bench, configfs):
    port, _ = bench

    async def scene():
        await port.open()
        await port.plug(make_key())
        with pytest.raises(FileNotFoundError):  # hidg1
            await port.plug(make_key())
        assert configfs.gadgets == ["tokenkit-udc.0"]
        await port.close()

    run(scene())


def test_a_controller_takes_one_key(bench, configfs, tmp_path):
    port, _ = bench
    (tmp_path / "udc/udc.1").rmdir()

    async def scene():
        await port.open()
        await port.plug(make_key())
        with pytest.raises(OSError, match=r"no .* is free \(udc\.0\), and one takes one key"):
            await port.plug(make_key())
        await port.close()

    run(scene())


def test_a_power_cut_takes_the_gadget_away(bench, configfs):
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes):
            if self.cut:
                raise PowerCutError
            super().write(changes)

    port, host = bench
    flash = Cut()

    async def scene():
        await port.open()
        await port.plug(make_key(flash=flash))
        host.send(INIT)
        channel = (await read(host))[15:19]
        flash.cut = True
        host.send((channel + b"\x90\0\x01\x07").ljust(64, b"\0"))  # reset writes
        while await read(host):
            pass
        assert configfs.gadgets == []
        await port.close()

    run(scene())


def test_what_is_missing_is_named_with_its_mend(bench, configfs, tmp_path, monkeypatch, caplog):
    port, _ = bench
    with pytest.raises(OSError, match="modprobe libcomposite"):
        run(GadgetPort(tmp_path / "none").open())
    with pytest.raises(OSError, match="dtoverlay=dwc2"):
        run(GadgetPort(configfs.root, tmp_path / "none").open())
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="sudo"):
        run(port.open())


def test_leftovers_are_named(bench, configfs, caplog):
    port, _ = bench
    os.mkdir(configfs.root / "tokenkit-udc.0")
    run(port.open())
    assert configfs.gadgets == []
    assert "removed USB gadget tokenkit-udc.0" in caplog.text


def test_a_report_of_another_size_is_dropped(bench, caplog):
    port, host = bench

    async def scene():
        await port.open()
        await port.plug(make_key())
        host.send(b"short")
        host.send(INIT)
        assert await read(host)
        await port.close()

    run(scene())
    assert "dropped a report of 5 bytes" in caplog.text


def test_reports_wait_until_the_host_reads_and_stay_in_order(pair):
    descriptor, host = pair

    async def scene():
        node = HidNode(descriptor, lambda report: None)
        reports = [number.to_bytes(64, "big") for number in range(3000)]
        for report in reports:  # far more than a socket holds
            node.send(report)
        assert [await read(host) for _ in reports] == reports
        node.send(b"x" * 64)
        assert await read(host) == b"x" * 64
        node.close()

    run(scene())


def test_a_host_that_never_reads_loses_the_oldest(pair):
    descriptor, host = pair

    async def scene():
        node = HidNode(descriptor, lambda report: None)
        for number in range(10_000):
            node.send(number.to_bytes(64, "big"))
        received = []
        while not received or received[-1] != 9999:
            received.append(int.from_bytes(await read(host), "big"))
        assert received == sorted(received)
        assert len(received) < 9000
        assert received[-4096:] == list(range(10_000 - 4096, 10_000))
        node.close()

    run(scene())


def test_without_a_host_reports_are_dropped(pair, monkeypatch):
    descriptor, host = pair

    def shut_down(descriptor, data):
        raise OSError(errno.ESHUTDOWN, "Cannot send after transport endpoint shutdown")

    async def scene():
        node = HidNode(descriptor, lambda report: None)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", shut_down)
            node.send(b"a" * 64)
        node.send(b"b" * 64)
        assert await read(host) == b"b" * 64
        node.close()
        node.close()
        node.send(b"c" * 64)

    run(scene())
