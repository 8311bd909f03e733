"""Write what passes between hosts and keys to a file that Wireshark opens."""

import logging
import struct
import time
from collections.abc import Callable
from pathlib import Path

from tokenkit.keys.trace.capture import CaptureFile, TraceError
from tokenkit.keys.trace.descriptors import (
    CARD_ENDPOINT,
    HID_ENDPOINT,
    UsbIdentity,
    card_enumeration,
    hid_enumeration,
)
from tokenkit.keys.trace.usb import IN, TransferType, control_in, urb

log = logging.getLogger(__name__)

Tap = Callable[[bool, bytes], None]
"""Told of each report or APDU: whether it came from the host, and its bytes."""

_MAX_DEVICE = 127
_TO_CARD = struct.Struct("<BIBBBH")
_FROM_CARD = struct.Struct("<BIBBBBB")
TO_CARD, FROM_CARD = 0x6F, 0x80  # PC_to_RDR_XfrBlock, RDR_to_PC_DataBlock


class TraceWriter:
    """A trace of one or more keys in the new file ``path``, which holds what they say in clear.

    pcapng of Linux USB packets: each key is a device of its own on bus 1. A key on HID is told
    of by :meth:`hid`, one that takes APDUs by :meth:`card`; ``now`` tells the time in seconds
    since the Unix epoch. Each report is in the file when its tap returns, so that a killed
    program leaves a whole file. A tap never raises: a full disk ends the trace at the last whole
    report with a line in the log, the session goes on, and :meth:`close` raises TraceError.

    TraceError if ``path`` is there already, unless ``overwrite`` is set, or cannot be made.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        overwrite: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._now = now
        self._file: CaptureFile | None = CaptureFile(self._path, overwrite)
        self._problem: str | None = None
        self._devices = 0
        self._urbs = 0
        self._written = 0

    def hid(self, who: UsbIdentity) -> Tap:
        """What is to be called with each 64-byte report of a key that was just plugged in."""
        device = self._plug(hid_enumeration(who))

        def tap(from_host: bool, report: bytes) -> None:
            self._transfer(device, HID_ENDPOINT, TransferType.INTERRUPT, from_host, report)

        return tap

    def card(self, who: UsbIdentity) -> Tap:
        """What is to be called with each APDU; one from the card ends with its status word."""
        device = self._plug(card_enumeration(who))
        sequence = -1

        def tap(from_host: bool, apdu: bytes) -> None:
            nonlocal sequence
            if from_host:
                sequence = (sequence + 1) & 0xFF
                head = _TO_CARD.pack(TO_CARD, len(apdu), 0, sequence, 0, 0)
            else:
                head = _FROM_CARD.pack(FROM_CARD, len(apdu), 0, max(sequence, 0), 0, 0, 0)
            self._transfer(device, CARD_ENDPOINT, TransferType.BULK, from_host, head + apdu)

        return tap

    def close(self) -> None:
        """Close the file; TraceError if it is not complete; twice does nothing."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        if self._problem is not None:
            raise TraceError(
                f"{self._path}: {self._problem}: the trace ends after {self._written} reports,"
                " the session went on"
            )

    def __enter__(self) -> "TraceWriter":
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            self.close()
        except TraceError:
            if kind is None:  # else what went wrong in the session matters more
                raise

    def _plug(self, enumeration: list[tuple[bytes, bytes]]) -> int:
        """The address of a new device; USB has 127, so that those of the first are used again."""
        device = self._devices % _MAX_DEVICE + 1
        self._devices += 1
        now_s = self._now()
        packets = []
        for setup, answer in enumeration:
            self._urbs += 1
            packets += control_in(self._urbs, now_s, device, setup, answer)
        self._write(now_s, packets)
        return device

    def _transfer(
        self, device: int, endpoint: int, kind: TransferType, from_host: bool, data: bytes
    ) -> None:
        now_s = self._now()
        self._urbs += 1
        end = endpoint if from_host else endpoint | IN
        if self._write(now_s, urb(self._urbs, now_s, device, end, kind, data)):
            self._written += 1

    def _write(self, now_s: float, packets: list[bytes]) -> bool:
        if self._file is None or self._problem is not None:
            return False
        try:
            self._file.write(now_s, packets)
        except OSError as error:
            self._problem = error.strerror or str(error)
            log.warning("%s: %s: the trace ends here", self._path, self._problem)
            return False
        return True
