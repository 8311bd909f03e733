"""The port inside this process: python-fido2's HID connection over 64-byte reports."""

import math
from collections import deque

from fido2.hid.base import CtapHidConnection, HidDescriptor

from firmware_sim.link.ctaphid import PACKET_SIZE, Command, Error
from firmware_sim.security_key import SecurityKey

_MSG = 0x80 | Command.MSG
_BUSY = bytes((0x80 | Command.ERROR, 0, 1, Error.CHANNEL_BUSY))
_BUSY_WAIT_S = 0.1


class InProcessConnection(CtapHidConnection):
    """What an open hidraw file is: reports of 64 bytes to and from one key.

    While the key waits for its user, reading moves the key's clock to the next thing that
    happens, so a simulated clock never sleeps and a system clock does. Reading when nothing will
    ever come is an OSError instead of a hang. Several connections may share a key, each with
    channels of its own; one thread at a time may use it.
    """

    def __init__(self, key: SecurityKey) -> None:
        self._key: SecurityKey | None = key
        self._channels: set[bytes] = set()
        self._inbox: deque[bytes] = deque()

    def write_packet(self, data: bytes) -> None:
        key = self._open()
        self._channels.add(data[:4])
        if key.u2f is not None and data[4] == _MSG:
            # a host polls for the touch: between two messages time passes
            touch_s = key.u2f.touch_s
            if touch_s < math.inf:
                key.clock.wait_until(touch_s)
        key.write(data)

    def read_packet(self) -> bytes:
        # long answers are many reports: the common case must cost nothing
        if self._inbox:
            return self._inbox.popleft()
        key = self._open()
        self._collect(key)
        while not self._inbox:
            wake_s = key.link.wake_s()
            if wake_s == math.inf:
                raise OSError("the key has nothing to send and waits for nothing")
            key.clock.wait_until(wake_s)
            key.poll()
            self._collect(key)
        if self._inbox[0][4:8] == _BUSY:
            # the host tries again in a while, and time has to pass or it always finds it busy
            key.clock.wait_until(min(key.link.wake_s(), key.clock.now() + _BUSY_WAIT_S))
            key.poll()
        return self._inbox.popleft()

    def close(self) -> None:
        if self._key is not None and self._key.powered:
            self._collect(self._key)
        self._inbox.clear()
        self._key = None

    def _collect(self, key: SecurityKey) -> None:
        """Take the reports on channels of this connection; the others stay for theirs."""
        reports = key.link.reports
        for _ in range(len(reports)):
            report = reports.popleft()
            (self._inbox if report[:4] in self._channels else reports).append(report)

    def _open(self) -> SecurityKey:
        if self._key is None:
            raise OSError("the connection is closed")
        return self._key


def hid_descriptor(key: SecurityKey, path: str) -> HidDescriptor:
    """What python-fido2 would read from a hidraw node of this key."""
    profile = key.profile
    return HidDescriptor(
        path,
        profile.vendor_id,
        profile.product_id,
        PACKET_SIZE,
        PACKET_SIZE,
        profile.product_name,
        key.serial_number if profile.usb_serial_number else None,
    )
