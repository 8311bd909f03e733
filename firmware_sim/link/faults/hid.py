"""Faults on a HID interface: the link between a port and CTAPHID, while there is a plan."""

from firmware_sim.fido.task import Progress
from firmware_sim.link.ctaphid import PACKET_SIZE, Command, HidLink
from firmware_sim.link.faults.plan import Direction
from firmware_sim.link.faults.wire import Faults, FaultyWire
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy

_NAMES = {command.value: command.name for command in Command}
_INIT_FLAG = 0x80
_INIT_DATA = PACKET_SIZE - 7
# messages under way that are told apart in one direction
_MAX_MESSAGES = 64


class FaultyLink(FaultyWire):
    """A :class:`HidLink` under a plan, and itself one; PowerCutError once it is unplugged."""

    channels = True

    def __init__(self, link: HidLink, clock: Clock, faults: Faults | None) -> None:
        super().__init__(link, link.reports, clock, faults)
        self.reports = self.arrived
        # command and packets so far of messages of several packets
        self._messages: dict[tuple[Direction, bytes], tuple[str, int]] = {}

    def write(self, report: bytes) -> None:
        if len(report) == PACKET_SIZE:
            super().write(report)

    def locate(self, direction: Direction, unit: bytes) -> tuple[str, int]:
        message = direction, unit[:4]
        if unit[4] & _INIT_FLAG:
            number = unit[4] & ~_INIT_FLAG
            command = _NAMES.get(number, f"0x{number:02X}")
            if int.from_bytes(unit[5:7], "big") > _INIT_DATA:
                self._messages.pop(message, None)
                self._messages[message] = command, 1
                if len(self._messages) > _MAX_MESSAGES:
                    del self._messages[next(iter(self._messages))]
            return command, 1
        command, packet = self._messages.get(message, ("", 0))
        if packet:
            self._messages[message] = command, packet + 1
        return command, packet + 1

    def misdirected(self, unit: bytes, channel: int | None, entropy: Entropy) -> bytes:
        return (entropy.bytes(4) if channel is None else channel.to_bytes(4, "big")) + unit[4:]

    def keep_alive(self, unit: bytes) -> bytes:
        head = bytes((_INIT_FLAG | Command.KEEPALIVE, 0, 1, Progress.PROCESSING))
        return (unit[:4] + head).ljust(PACKET_SIZE, b"\0")
