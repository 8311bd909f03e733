"""Where a link meets the world, by name: ``uhid``, ``unix:/run/my.key``."""

import difflib
from typing import TYPE_CHECKING

from firmware_sim.port.error import PortError

if TYPE_CHECKING:
    from firmware_sim.port.wire import Port

__all__ = ["PORTS", "PortError", "make_port"]

# name: what may follow it after a colon, and what it is
PORTS = {
    "uhid": ("", "the Linux kernel by /dev/uhid: the key is a /dev/hidrawN"),
}


def make_port(text: str) -> "Port":
    """The port that ``text`` names, not yet open; PortError if there is no such."""
    # imported where used: asyncio and sockets are for those who serve
    name, colon, _ = text.partition(":")
    if name not in PORTS:
        close = difflib.get_close_matches(name, PORTS, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(PORTS)}"
        raise PortError(f"no port {text!r}: {hint}")
    if colon and not PORTS[name][0]:
        raise PortError(f"port {text!r}: nothing may follow {name}")
    if name == "uhid":
        from firmware_sim.port.uhid import UhidPort

        return UhidPort()
    raise AssertionError(name)
