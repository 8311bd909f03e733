"""Faults between a reader and a smart card: units are whole APDUs."""

from collections.abc import Callable

from firmware_sim.link.faults import Faults, FaultyWire
from firmware_sim.link.faults_plan import Direction
from firmware_sim.world.clock import Clock

_SELECT, _GET_RESPONSE, _NFCCTAP_MSG, _NFCCTAP_GETRESPONSE = 0xA4, 0xC0, 0x10, 0x11
_FIDO_CLASS, _CHAINED = 0x80, 0x10


class FaultyCard(FaultyWire):
    """A card behind a plan: ``answer`` takes a command APDU and returns the response.

    A port calls :meth:`receive` with each command; responses come by ``respond``, at once or, as
    time passes, by :meth:`poll` at :meth:`wake_s`. What was dropped has no response at all. A
    command is SELECT, CBOR (NFCCTAP_MSG and what fetches its response) or its INS as 0xA2; the
    packets of a message are the APDUs of a chain, and the parts of a response.
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes],
        respond: Callable[[bytes], None],
        clock: Clock,
        faults: Faults | None,
    ) -> None:
        super().__init__(clock, faults)
        self._answer = answer
        self._respond = respond
        self._command = ""
        self._packets = {"in": 0, "out": 0}
        self._chained = False

    def receive(self, command: bytes) -> None:
        """Take a command APDU; PowerCutError once the card is pulled out."""
        self.send("in", command)

    def poll(self) -> None:
        """Let happen what is due; PowerCutError once the card is pulled out."""
        self.move()

    def wake_s(self) -> float:
        """True time of the next thing that happens by itself, infinite if nothing will."""
        return self.next_s(float("inf"))

    def inward(self, unit: bytes) -> None:
        self.send("out", self._answer(unit))

    def outward(self, unit: bytes) -> None:
        self._respond(unit)

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
