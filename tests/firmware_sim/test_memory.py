"""A key in long use takes no more memory than at first."""

import gc
import struct
import tracemalloc

from fido2 import cbor

from firmware_sim.link.ctaphid import BROADCAST
from firmware_sim.port.in_process import InProcessConnection

MALFORMED = (b"", b"\x01", b"\x02\xa1", b"\x55", b"\x06\xa1\x01\x02", b"\x0a\xa1\x01\x01")
ROUNDS, ALLOWED_BYTES = 150, 64 * 1024


def test_requests_leave_nothing_behind(bench):
    made = bench.make()
    silent = {"options": {"up": False}}

    def one_round():
        bench.make(extensions={"credProtect": 2, "hmac-secret": True})
        bench.make(b"same", options={"rk": True})
        bench.get(made, **silent)
        bench.ctap.get_info()
        for request in MALFORMED[1:]:
            bench.raw(request)
        bench.raw(b"\x0c" + cbor.encode({2: b"x" * 17, 3: 0, 4: 4000}))  # a write never ended

    for _ in range(20):
        one_round()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(ROUNDS):
            one_round()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < ALLOWED_BYTES


def test_a_host_that_never_reads(bench):
    """What it does not fetch is bounded, and it can begin anew."""
    connection = InProcessConnection(bench.key)
    ask_for_channel = struct.pack(">IBH", BROADCAST, 0x86, 8).ljust(64, b"\0")
    for _ in range(10_000):
        connection.write_packet(ask_for_channel)
    assert len(bench.key.link.reports) <= 4096
    bench.key.link.reports.clear()
    bench.connect()
    assert bench.ctap.get_info().versions
