"""Keys on USB HID, by python-fido2, and virtual keys plugged into this process."""

import os
from functools import partial
from typing import Any

import fido2.hid
from fido2.hid import CtapHidDevice
from fido2.hid.base import HidDescriptor

from tokenkit import virtual
from tokenkit.keys.errors import NoSuchKeyError, printable, talking_to
from tokenkit.keys.found import FoundKey, examine
from tokenkit.keys.hidraw import locked_keys
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.recording import tapped

_hid: Any = fido2.hid  # whose functions have no types


def find() -> list[FoundKey]:
    """Every FIDO key on HID; those that cannot be read carry their problem."""
    keys = [examine(_found(d), partial(_connect, d)) for d in _hid.list_descriptors()]
    known = {key.selector for key in keys}
    return keys + [key for key in locked_keys() if key.selector not in known]


def open_path(path: str) -> OpenKey:
    """Open the key at ``path``; NoSuchKeyError or UnreadableKeyError if that cannot be."""
    selector = f"hid:{path}"
    for descriptor in _hid.list_descriptors():
        if _path(descriptor) == path:
            with talking_to(selector):
                device = _connect(descriptor, tapped)
            key = virtual.plugged_key(path)
            return OpenKey.of(device, selector, _found(descriptor).name, key)
    for locked in locked_keys():
        if locked.selector == selector:
            raise NoSuchKeyError(str(locked))
    raise NoSuchKeyError(f"{selector}: no FIDO key is there; see: tokenkit keys list")


def _connect(descriptor: HidDescriptor, wrap: virtual.Wrap | None = None) -> CtapHidDevice:
    connection = _hid.open_connection(descriptor)
    try:
        return CtapHidDevice(descriptor, wrap(descriptor, connection) if wrap else connection)
    except BaseException:
        connection.close()
        raise


def _found(descriptor: HidDescriptor) -> FoundKey:
    path = _path(descriptor)
    return FoundKey(
        f"hid:{path}",
        printable(descriptor.product_name or "unknown key"),
        printable(descriptor.serial_number or "") or None,
        descriptor.vid,
        descriptor.pid,
        is_virtual=virtual.plugged_key(path) is not None,
    )


def _path(descriptor: HidDescriptor) -> str:
    return os.fsdecode(descriptor.path)
