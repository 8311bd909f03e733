"""Where a link meets the world, by name: ``uhid``, ``unix:/run/my.key``."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim.port.error import PortError

if TYPE_CHECKING:
    from firmware_sim.port.wire import Port

__all__ = ["PORTS", "PortError", "make_port", "packet_port"]

# name: what follows it, in brackets where that may be left out
PORTS = {
    "uhid": "",
    "usbip": "[:[HOST:]PORT]",
    "gadget": "",
    "vpcd": "[:PORT]",
    "unix": "PATH",
    "tcp": "[HOST:]PORT",
}


def make_port(text: str) -> "Port":
    """The port that ``text`` names, not yet open; PortError if there is no such."""
    # imported where used: asyncio and sockets are for those who serve
    name, _, rest = text.partition(":")
    if name not in PORTS:
        close = difflib.get_close_matches(name, PORTS, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(PORTS)}"
        raise PortError(f"no port {text!r}: {hint}")
    form = PORTS[name]
    if rest and not form:
        raise PortError(f"port {text!r}: nothing may follow {name}")
    if not rest and form and not form.startswith("[:"):
        raise PortError(f"port {text!r}: write {name}:{form}")
    try:
        return _make(name, rest)
    except ValueError as error:
        raise PortError(f"port {text!r}: {error}") from None


def _make(name: str, rest: str) -> "Port":
    if name == "uhid":
        from firmware_sim.port.uhid import UhidPort

        return UhidPort()
    if name == "usbip":
        from firmware_sim.port.socket_address import parse_host_and_port
        from firmware_sim.port.usbip import UsbIpPort

        return UsbIpPort(*parse_host_and_port(rest)) if rest else UsbIpPort()
    if name == "gadget":
        from firmware_sim.port.gadget import GadgetPort

        return GadgetPort()
    if name == "vpcd":
        from firmware_sim.port.vpcd import VpcdPort

        if rest and not (rest.isascii() and rest.isdigit() and len(rest) <= 5):
            raise ValueError(f"{rest!r} is no port number")
        return VpcdPort(int(rest)) if rest else VpcdPort()
    from firmware_sim.port.socket_port import SocketPort

    return SocketPort(f"{name}:{rest}")


def packet_port(path: Path) -> "Port":
    """A Unix socket at ``path`` each of whose packets is a read or write of a hidraw file."""
    import socket

    from firmware_sim.port.socket_address import UnixAddress
    from firmware_sim.port.socket_port import SocketPort

    return SocketPort(UnixAddress(path, socket.SOCK_SEQPACKET))
