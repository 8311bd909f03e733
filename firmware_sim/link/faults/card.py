"""Faults between a reader and a smart card: units are whole APDUs."""

from collections import deque
from typing import Protocol

from firmware_sim.link.faults.plan import Direction
from firmware_sim.link.faults.wire import Device, Faults, FaultyWire
from firmware_sim.world.clock import Clock

_SELECT, _GET_RESPONSE, _NFCCTAP_MSG, _NFCCTAP_GETRESPONSE = 0xA4, 0xC0, 0x10, 0x11
_FIDO_CLASS, _CHAINED = 0x80, 0x10


class CardLink(Device, Protocol):
    """What a port has of a card."""

    atr: bytes
    responses: deque[bytes]


class FaultyCard(FaultyWire):
    """A card under a plan, and itself one; PowerCutError once it is taken off the reader.

    A command is SELECT, CBOR (NFCCTAP_MSG and what fetches its response) or its INS as 0xA2; the
    packets of a message are the APDUs of a chain, and the parts of a response. What was dropped
    has no response at all.
    """

    def __init__(self, card: CardLink, clock: Clock, faults: Faults | None) -> None:
        super().__init__(card, card.responses, clock, faults)
        self.atr = card.atr
        self.responses = self.arrived
        self._command = ""
        self._packets = {"in": 0, "out": 0}
        self._chained = False

    def locate(self, direction: Direction, unit: bytes) -> tuple[str, int]:
        if direction == "in":
            self._command_comes(unit)
        self._packets[direction] += 1
        return self._command, self._packets[direction]

    def _command_comes(self, apdu: bytes) -> None:
        kind, instruction = (apdu + b"\0\0")[:2]
        fido = kind & ~_CHAINED == _FIDO_CLASS
        if instruction == _GET_RESPONSE or (fido and instruction == _NFCCTAP_GETRESPONSE):
            return
        if not self._chained:
            self._packets = {"in": 0, "out": 0}
        self._chained = bool(kind & _CHAINED)
        if instruction == _SELECT:
            self._command = "SELECT"
        elif fido and instruction == _NFCCTAP_MSG:
            self._command = "CBOR"
        else:
            self._command = f"0x{instruction:02X}"
