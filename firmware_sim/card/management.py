"""Yubico's management application, as far as it tells what the key is."""

from firmware_sim.card.apdu import Apdu, StatusWord, StatusWordError
from firmware_sim.card.card import GET_RESPONSE, Answer

_READ_CONFIG = 0x1D


class ManagementApplet:
    """Tells ``version`` and ``device_information``, the page that READ CONFIG answers."""

    aid = bytes.fromhex("a000000527471117")
    more_ins = GET_RESPONSE

    def __init__(self, version: tuple[int, int, int], device_information: bytes) -> None:
        self._version = version
        self._device_information = device_information

    def select(self) -> bytes:
        return "Virtual mgr - FW version {}.{}.{}".format(*self._version).encode()

    def deselect(self) -> None:
        """There is nothing to end."""

    async def respond(self, apdu: Apdu) -> Answer:
        if apdu.cla != 0:
            raise StatusWordError(StatusWord.CLA_NOT_SUPPORTED)
        if apdu.ins != _READ_CONFIG:
            raise StatusWordError(StatusWord.INS_NOT_SUPPORTED)
        if apdu.p1 != 0:  # the number of a page: there is one
            raise StatusWordError(StatusWord.WRONG_P1P2)
        return Answer(self._device_information)
