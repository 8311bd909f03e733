"""Round trips over CTAPHID: PING and WINK (CTAP 2.1 §11.2.9)."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from fido2.hid import CAPABILITY, CtapHidDevice

from tokenkit.keys.errors import EchoError, UnsupportedError, talking_to
from tokenkit.keys.opened import OpenKey

MAX_SIZE = 7609


@dataclass(frozen=True)
class PingResult:
    """Round-trip times in seconds of ``count`` messages of ``size`` bytes."""

    count: int
    size: int
    min_s: float
    median_s: float
    max_s: float


def ping(
    key: OpenKey, count: int = 10, size: int = 57, timer: Callable[[], float] = time.perf_counter
) -> PingResult:
    """Send ``count`` (at least 1) messages of ``size`` bytes (0 to 7,609); each must come back.

    EchoError if one comes back changed, UnsupportedError over PC/SC, which has no PING.
    """
    if count < 1 or not 0 <= size <= MAX_SIZE:
        raise ValueError(f"cannot send {count} messages of {size} bytes")
    device = _hid(key, "PING")
    trips_s = []
    with talking_to(key.selector):
        for number in range(count):
            # a different message each time, so that an old answer is no echo
            message = bytes((number + at) & 0xFF for at in range(size))
            start_s = timer()
            echo = device.ping(message)
            trips_s.append(timer() - start_s)
            if echo != message:
                raise EchoError(f"{key}: message {number + 1} of {size} bytes came back changed")
    return PingResult(count, size, min(trips_s), statistics.median(trips_s), max(trips_s))


def wink(key: OpenKey) -> None:
    """Ask the key to blink; UnsupportedError if it cannot."""
    device = _hid(key, "WINK")
    if not device.capabilities & CAPABILITY.WINK:
        raise UnsupportedError(f"{key}: has no WINK")
    with talking_to(key.selector):
        device.wink()


def _hid(key: OpenKey, command: str) -> CtapHidDevice:
    if not isinstance(key.device, CtapHidDevice):
        raise UnsupportedError(f"{key}: {command} exists over USB HID only, not over PC/SC")
    return key.device
