"""Keys on a smart-card reader (NFC, CCID), by pyscard and python-fido2."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from fido2.ctap import CtapDevice

from tokenkit.errors import MissingExtraError
from tokenkit.keys.errors import NoSuchKeyError, device_errors, printable, talking_to
from tokenkit.keys.found import FoundKey, examine
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.recording import tapped_card

MISSING = "PC/SC readers are left out: pip install 'tokenkit[pcsc]'"
_NO_SERVICE = "0x8010001D"  # SCARD_E_NO_SERVICE
_NO_CARD = "has no FIDO card on it"


class _NoFidoCardError(Exception):
    """An empty reader, or a card of another trade."""


def available() -> bool:
    """Whether pyscard can be imported."""
    try:
        importlib.import_module("smartcard.System")
    except ImportError:
        return False
    return True


def find() -> tuple[list[FoundKey], str | None]:
    """FIDO cards on readers, and a note if readers could not be searched."""
    if not available():
        return [], MISSING
    try:
        readers = _readers()
    except device_errors() as error:
        mend = "; is pcscd running?" if _NO_SERVICE in str(error) else ""
        return [], f"PC/SC readers are left out: {printable(str(error))}{mend}"
    keys = []
    for reader in readers:
        name = printable(reader.name)
        try:
            keys.append(examine(FoundKey(f"pcsc:{name}", name), partial(_connect, reader)))
        except _NoFidoCardError:
            continue
    return keys, None


def open_reader(name: str) -> OpenKey:
    """Open the card on the reader called ``name``.

    Else on the only one whose name contains it, or the only one of those with a FIDO card on it.
    """
    if not available():
        raise MissingExtraError("PC/SC", "pcsc")
    selector = f"pcsc:{name}"
    with talking_to(selector):
        readers = _readers()
    names = [printable(reader.name) for reader in readers]
    matches = [at for at, each in enumerate(names) if each == name]
    matches = matches or [at for at, each in enumerate(names) if name in each]
    if len(matches) > 1:
        full = {key.selector for key in find()[0]}
        matches = [at for at in matches if f"pcsc:{names[at]}" in full] or matches
    if len(matches) != 1:
        listed = ", ".join(f"pcsc:{each}" for each in names) or "none"
        raise NoSuchKeyError(f"{selector} fits {len(matches)} readers; there are: {listed}")
    try:
        with talking_to(selector):
            device = _connect(readers[matches[0]], tapped_card)
            return OpenKey.of(device, f"pcsc:{names[matches[0]]}", names[matches[0]])
    except _NoFidoCardError:
        raise NoSuchKeyError(f"{selector} {_NO_CARD}") from None


def _readers() -> list[Any]:
    from smartcard.System import readers

    return list(readers())


def _connect(reader: Any, wrap: Callable[[str, Any], Any] | None = None) -> CtapDevice:
    from fido2.pcsc import CtapPcscDevice
    from smartcard.Exceptions import NoCardException

    try:
        connection = reader.createConnection()
        connection = wrap(reader.name, connection) if wrap else connection
        return cast(CtapDevice, CtapPcscDevice(connection, reader.name))
    except (NoCardException, ValueError) as error:  # ValueError: no FIDO applet
        raise _NoFidoCardError from error
