"""A key that discovery came upon."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from fido2.ctap import CtapDevice
from fido2.ctap2.base import Ctap2
from fido2.hid import CAPABILITY

from tokenkit.keys.errors import describe, device_errors
from tokenkit.keys.serial_number import read_serial_number


@dataclass(frozen=True)
class FoundKey:
    """One key; ``selector`` opens it, ``problem`` says why that would fail, None if it works.

    ``versions`` are getInfo's, or U2F_V2 alone for a key without CTAP2.
    """

    selector: str
    name: str
    serial_number: str | None = None
    vendor_id: int | None = None
    product_id: int | None = None
    versions: tuple[str, ...] = ()
    is_virtual: bool = False
    problem: str | None = None

    def __str__(self) -> str:
        serial = f", serial number {self.serial_number}" if self.serial_number else ""
        problem = f": {self.problem}" if self.problem else ""
        return f"{self.selector} ({self.name}{serial}){problem}"


def examine(found: FoundKey, connect: Callable[[], CtapDevice]) -> FoundKey:
    """Open a key for a moment to fill in what it says of itself, or its problem.

    INIT and getInfo only: nothing on the key changes and nobody need touch it.
    """
    try:
        with closing(connect()) as device:
            versions = ["U2F_V2"]
            if device.capabilities & CAPABILITY.CBOR:
                versions = Ctap2(device).info.versions
            serial_number = found.serial_number or read_serial_number(device)
            return replace(found, serial_number=serial_number, versions=tuple(versions))
    except device_errors() as error:
        return replace(found, problem=describe(error))
