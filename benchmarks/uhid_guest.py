"""Runs in a guest: round trips of one report with an echo device, and with a served key.

Prints JSON: seconds a round trip by device, the best of interleaved turns.
"""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from firmware_sim.link import uhid
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR

TURNS, TRIPS = 15, 200
PHYS = "echo device"


def echo() -> None:
    """A device that sends back what it gets: blocking, nothing around it."""
    device = os.open("/dev/uhid", os.O_RDWR)
    who = uhid.HidIdentity("echo", PHYS, "", 1, 1, 1)
    os.write(device, uhid.create(who, REPORT_DESCRIPTOR))
    head = struct.pack("=IH", uhid.Event.INPUT2, 64)
    while True:
        event = os.read(device, uhid.EVENT_SIZE)
        if event[0] == uhid.Event.OUTPUT:
            os.write(device, head + event[5:69])


def node_of(phys: str) -> str:
    while True:
        for entry in Path("/sys/class/hidraw").glob("hidraw*"):
            if f"HID_PHYS={phys}" in (entry / "device/uevent").read_text():
                return f"/dev/{entry.name}"
        time.sleep(0.01)


def trip(node: str, packet: bytes) -> Callable[[], bytes]:
    """A function that sends ``packet`` and returns the answer."""
    file = os.open(node, os.O_RDWR)
    out = b"\0" + packet.ljust(64, b"\0")

    def go() -> bytes:
        os.write(file, out)
        return os.read(file, 64)

    return go


def best(trips: dict[str, Callable[[], bytes]]) -> dict[str, float]:
    cost = dict.fromkeys(trips, float("inf"))
    for _ in range(TURNS):
        for name, go in trips.items():
            start = time.perf_counter()
            for _ in range(TRIPS):
                go()
            cost[name] = min(cost[name], (time.perf_counter() - start) / TRIPS)
    return cost


def main() -> None:
    serve = [sys.executable, "-m", "tokenkit", "keys", "virtual", "serve", "--port", "uhid"]
    key = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    assert key.stdout is not None
    node = key.stdout.readline().split()[1]
    echo_device = subprocess.Popen([sys.executable, __file__, "echo"])
    try:
        init = trip(node, b"\xff\xff\xff\xff\x86\x00\x08" + bytes(8))()
        ping = init[15:19] + b"\x81\x00\x39" + b"p" * 57
        trips = {"echo": trip(node_of(PHYS), ping), "key": trip(node, ping)}
        assert {go() for go in trips.values()} == {ping}
        print(json.dumps(best(trips)))
    finally:
        for process in (key, echo_device):
            process.kill()
            process.wait()


if __name__ == "__main__":
    echo() if sys.argv[1:] == ["echo"] else main()
