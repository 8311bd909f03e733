"""A key that is served to other programs, recorded at its own end of the wire."""

import asyncio
from pathlib import Path
from typing import Any

from firmware_sim.port.wire import HidWire
from tokenkit.keys.trace.descriptors import UsbIdentity
from tokenkit.keys.trace.replay import replay
from tokenkit.keys.trace.reports import read_trace
from tokenkit.keys.trace.writer import TraceWriter
from tokenkit.virtual import World


def nobody(*args: Any) -> None:
    raise AssertionError("a virtual key needs no care")


def test_a_port_records_by_its_tap(tmp_path: Path, wire: Any) -> None:
    world = World("1")
    key = world.security_key("reference")

    async def serve() -> list[bytes]:
        sent: list[bytes] = []
        with TraceWriter(tmp_path / "trace", now=world.clock.now) as writer:
            port = HidWire(key, sent.append, lambda: None, writer.hid(UsbIdentity.of(key)))
            world.clock.advance(12)  # too late for a reset
            port.receive(wire.packet(0xFFFFFFFF, 0x06, b"12345678"))
            channel = int.from_bytes(sent[0][15:19], "big")
            for packet in [
                *wire.packets(channel, 0x01, bytes(100)),
                wire.packet(channel, 0x10, b"\x07"),
            ]:
                port.receive(packet)
            port.receive(b"too short to be on the wire")
            port.close()
        return sent

    sent = asyncio.run(serve())
    trace = read_trace(tmp_path / "trace")
    assert [each.data for each in trace.reports if not each.from_host] == sent
    lines = wire.words_of(tmp_path / "trace")
    assert lines[-2:] == ["> CBOR authenticatorReset", "< CBOR NOT_ALLOWED"]
    outcome = replay(trace, "virtual:reference?seed=1", nobody, exact=True)
    assert (outcome.same, outcome.difference) == (3, None)
