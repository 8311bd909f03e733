"""Exchanges through pcscd and vpcd, beside a card that does nothing but answer."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, cost_of
from tests.system.pcscd import READERS, Pcscd, UnavailableError

SELECT = bytes.fromhex("00a4040008a0000006472f000100")
GET_INFO = bytes.fromhex("80100000000001040000")

KEY = """
import asyncio, sys
from firmware_sim.port.vpcd import VpcdPort
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SystemClock
from firmware_sim.world.entropy import OsEntropy

async def main():
    key = SecurityKey(load_profile("yubikey-5.7"), clock=SystemClock(), entropy=OsEntropy())
    await VpcdPort(int(sys.argv[1])).plug(key)
    print("there", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
# the fastest card in Python: sockets that block, and an answer made beforehand
BARE = """
import socket, sys
atr, answer = map(bytes.fromhex, sys.argv[2:])
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def take(count):
    data = b""
    while len(data) < count:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data += s.recv(count - len(data)) or exit()
    return data
heard = 0
while True:
    message = take(int.from_bytes(take(2), "big"))
    reply = answer if len(message) > 1 else atr if message == b"\\4" else None
    if reply is not None:
        s.sendall(len(reply).to_bytes(2, "big") + reply)
    heard += 1
    if heard == 5:
        print("there", flush=True)
"""


def rows() -> Iterator[Row]:
    try:
        with contextlib.ExitStack() as stack:
            yield from _rows(stack)
    except UnavailableError as error:
        print(f"PC/SC is left out: {error}", file=sys.stderr)


def _rows(stack: contextlib.ExitStack) -> Iterator[Row]:
    pcscd = Pcscd(Path(stack.enter_context(tempfile.TemporaryDirectory())))
    pcscd.start()
    stack.callback(pcscd.stop)
    os.environ["PCSCLITE_CSOCK_NAME"] = pcscd.environment["PCSCLITE_CSOCK_NAME"]

    def card(code: str, *arguments: str) -> None:
        command = [sys.executable, "-c", code, *arguments]
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(process.kill)
        assert process.stdout is not None
        process.stdout.readline()

    card(KEY, str(pcscd.port))
    key = _connect(READERS[0])
    key(SELECT)
    answer = key(GET_INFO)
    card(BARE, str(pcscd.port + 1), "3b8d80018073c021c057597562694b6579f9", answer.hex())
    bare = _connect(READERS[1])
    cost = cost_of({"key": lambda: key(GET_INFO), "bare": lambda: bare(GET_INFO)})
    rate = 1 / cost["key"]
    yield Row("PC/SC", "a card that gives a canned answer, through pcscd", cost["bare"])
    yield Row(
        "PC/SC",
        "getInfo through pcscd",
        cost["key"],
        rate,
        "per second",
        "≥ 800",
        rate >= 800,
    )
    yield Row(
        "PC/SC",
        "getInfo through pcscd, beside the canned answer",
        cost["key"],
        100 * cost["bare"] / cost["key"],
        "% of its rate",
    )


def _connect(name: str) -> Callable[[bytes], bytes]:
    """What sends one command to the card on reader ``name``."""
    from smartcard.System import readers

    connection: Any = next(each for each in readers() if each.name == name).createConnection()
    connection.connect()

    def exchange(command: bytes) -> bytes:
        data, *status = connection.transmit(list(command))
        assert status == [0x90, 0x00]
        return bytes((*data, *status))

    return exchange
