"""Runs in a guest: PINGs of 57 bytes to a bare echo device, and to a served key.

Prints JSON: seconds a round trip by client and device, the best of interleaved turns. One client is
python-fido2, the other nothing but a write and a read.
"""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fido2.hid import open_device

from firmware_sim.link import uhid
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR

TURNS, TRIPS = 15, 200
INIT = 0x86
DATA = b"p" * 57
PHYS = "echo device"


def echo() -> None:
    """A device that sends back what it gets, but for INIT: blocking, nothing around it."""
    device = os.open("/dev/uhid", os.O_RDWR)
    who = uhid.HidIdentity("echo", PHYS, "", 1, 1, 1)
    os.write(device, uhid.create(who, REPORT_DESCRIPTOR))
    head = struct.pack("=IH", uhid.Event.INPUT2, 64)
    while True:
        event = os.read(device, uhid.EVENT_SIZE)
        if event[0] != uhid.Event.OUTPUT:
            continue
        report = event[5:69]
        if report[4] == INIT:
            report = report[:5] + b"\0\x11" + report[7:15] + b"chan" + b"\2\0\0\1\0"
        os.write(device, head + report.ljust(64, b"\0"))


def node_of(phys: str) -> str:
    while True:
        for entry in Path("/sys/class/hidraw").glob("hidraw*"):
            if f"HID_PHYS={phys}" in (entry / "device/uevent").read_text():
                return f"/dev/{entry.name}"
        time.sleep(0.01)


@contextmanager
def raw(node: str) -> Iterator[Callable[[], bytes]]:
    """A function that sends a PING and returns the answer, without a library."""
    file = os.open(node, os.O_RDWR)

    def send(packet: bytes) -> bytes:
        os.write(file, b"\0" + packet.ljust(64, b"\0"))
        return os.read(file, 64)

    ping = send(b"\xff\xff\xff\xff\x86\x00\x08" + bytes(8))[15:19] + b"\x81\x00\x39" + DATA
    out = b"\0" + ping

    def go() -> bytes:
        os.write(file, out)
        return os.read(file, 64)

    assert go() == ping
    yield go
    os.close(file)


@contextmanager
def by_library(node: str) -> Iterator[Callable[[], bytes]]:
    """The same with python-fido2."""
    with open_device(node) as device:
        assert device.ping(DATA) == DATA
        yield partial(device.ping, DATA)


def best(nodes: dict[str, str]) -> dict[str, float]:
    """Each turn opens the node anew: a hidraw file gets what was asked through another, too."""
    cost: dict[str, float] = {}
    for _ in range(TURNS):
        for client in (raw, by_library):
            for name, node in nodes.items():
                with client(node) as go:
                    start = time.perf_counter()
                    for _ in range(TRIPS):
                        go()
                    trip_s = (time.perf_counter() - start) / TRIPS
                what = f"{name}, {client.__name__}"
                cost[what] = min(cost.get(what, trip_s), trip_s)
    return cost


def main() -> None:
    serve = [sys.executable, "-m", "tokenkit", "keys", "virtual", "serve", "--port", "uhid"]
    key = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    assert key.stdout is not None
    node = key.stdout.readline().split()[1]
    echo_device = subprocess.Popen([sys.executable, __file__, "echo"])
    try:
        print(json.dumps(best({"echo": node_of(PHYS), "key": node})))
    finally:
        for process in (key, echo_device):
            process.kill()
            process.wait()


if __name__ == "__main__":
    echo() if sys.argv[1:] == ["echo"] else main()
