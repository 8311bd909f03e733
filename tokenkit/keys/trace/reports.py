"""The reports and APDUs of security keys in a capture, among whatever else is on the bus."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tokenkit.keys.trace.capture import (
    USB_LINUX,
    USB_LINUX_MMAPPED,
    USBPCAP,
    TraceError,
    read_packets,
)
from tokenkit.keys.trace.usb import Transfer, TransferType, parse_transfer
from tokenkit.keys.trace.writer import FROM_CARD, TO_CARD

_CCID_HEAD = 10
_REPORT = 64
# CTAPHID_INIT on the broadcast channel with its nonce: what every host begins with
_INIT = bytes.fromhex("ffffffff860008")
_LINK_TYPES = {USB_LINUX, USB_LINUX_MMAPPED, USBPCAP}
_End = tuple[int, int, int]  # bus, device, endpoint


@dataclass(frozen=True)
class Report:
    """A HID report, or an APDU if ``card``; ``key`` is bus and device as Wireshark writes them.

    ``missing`` bytes at its end were not captured.
    """

    time_s: float
    key: str
    card: bool
    from_host: bool
    data: bytes
    missing: int = 0


@dataclass(frozen=True)
class Trace:
    """What a file holds; ``problem`` is why there is no more of it.

    ``plugged_s`` is when the first was heard of each key: from a trace of ours, when it was
    plugged in.
    """

    path: Path
    reports: list[Report] = field(repr=False)
    plugged_s: dict[str, float]
    problem: TraceError | None = None

    def require_whole(self) -> None:
        if self.problem is not None:
            raise self.problem


def read_trace(path: Path | str) -> Trace:
    """Read a trace, or a capture of real keys by usbmon or USBPcap.

    TraceError if nothing can be read, or no security key is in it. What comes before damage is
    kept, and the damage is the trace's ``problem``.
    """
    path = Path(path)
    transfers: list[Transfer] = []
    plugged_s: dict[str, float] = {}
    problem, foreign = None, None
    try:
        for packet in read_packets(path):
            if packet.link_type not in _LINK_TYPES:
                foreign = packet.link_type
            elif transfer := parse_transfer(packet):
                plugged_s.setdefault(_key(transfer), transfer.time_s)
                # a disk on the same bus need not fit into memory
                if transfer.type == TransferType.INTERRUPT or _is_ccid(transfer):
                    transfers.append(transfer)
    except TraceError as error:
        problem = error
    reports = pick_reports(transfers)
    if not reports:
        why = "no report or APDU of a security key is in it"
        if foreign is not None and not plugged_s:
            why = f"its link type is {foreign}, not USB (189, 220 or 249)"
        raise problem or TraceError(f"{path}: {why}")
    return Trace(path, reports, plugged_s, problem)


def pick_reports(transfers: Iterable[Transfer]) -> list[Report]:
    """What of ``transfers`` is to or from a security key, in order."""
    transfers = list(transfers)
    ends = _fido_ends(transfers)
    readers = _Readers()
    reports = []
    for transfer in transfers:
        if transfer.type == TransferType.INTERRUPT and (_end(transfer), transfer.from_host) in ends:
            reports.append(_report(transfer, transfer.data))
        elif _is_ccid(transfer) and readers.carries_apdu(transfer):
            reports.append(_report(transfer, transfer.data[_CCID_HEAD:], card=True))
    return reports


def _report(transfer: Transfer, data: bytes, card: bool = False) -> Report:
    missing = max(0, transfer.missing)
    return Report(transfer.time_s, _key(transfer), card, transfer.from_host, data, missing)


def _key(transfer: Transfer) -> str:
    return f"{transfer.bus}.{transfer.device}"


def _end(transfer: Transfer) -> _End:
    return transfer.bus, transfer.device, transfer.endpoint


def _fido_ends(transfers: list[Transfer]) -> set[tuple[_End, bool]]:
    """Endpoints of FIDO interfaces, each with whether it leads to the device.

    Those that a host wrote INIT to; in a capture that began later, all that it wrote reports to.
    """
    whole = [
        each
        for each in transfers
        if each.type == TransferType.INTERRUPT and len(each.data) + each.missing == _REPORT
    ]
    out = [each for each in whole if each.from_host]
    begun = [each for each in out if each.data.startswith(_INIT)]
    outs = {_end(each) for each in begun or out}
    devices = {end[:2] for end in outs}
    ins = {_end(each) for each in whole if not each.from_host and _end(each)[:2] in devices}
    return {(end, True) for end in outs} | {(end, False) for end in ins}


def _is_ccid(transfer: Transfer) -> bool:
    """Whether it looks like a message of a card reader of the CCID class (USB CCID 1.1 §6)."""
    length = len(transfer.data) + transfer.missing - _CCID_HEAD
    return (
        transfer.type == TransferType.BULK
        and len(transfer.data) >= _CCID_HEAD
        and int.from_bytes(transfer.data[1:5], "little") == length
    )


class _Readers:
    """Which CCID messages carry APDUs."""

    def __init__(self) -> None:
        self._asked: dict[tuple[int, int], int] = {}

    def carries_apdu(self, transfer: Transfer) -> bool:
        data, reader = transfer.data, (transfer.bus, transfer.device)
        sequence = data[6]
        if transfer.from_host:
            # an answer to anything else, such as the ATR, is no APDU
            self._asked.pop(reader, None)
            if data[0] == TO_CARD:
                self._asked[reader] = sequence
            return data[0] == TO_CARD
        still_busy = data[7] & 0xC0 == 0x80
        return data[0] == FROM_CARD and self._asked.get(reader) == sequence and not still_busy
