"""A command under way: it may wait for the user while the link goes on working."""

import types
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from enum import IntEnum
from math import inf

from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.world.finger import Touch


class Progress(IntEnum):
    """What a keep-alive message says (CTAP 2.1 §11.2.9.1.5)."""

    PROCESSING = 1
    UP_NEEDED = 2


@dataclass(frozen=True, slots=True)
class Wait:
    """What a command waits for: a touch of ``hold_s`` seconds, until a true time."""

    touch: Touch
    until_s: float
    hold_s: float = 0.0

    @property
    def touched_s(self) -> float:
        """True time at which the touch has lasted long enough, infinite for a shorter one."""
        return self.touch.true_s + self.hold_s if self.touch.press.held_s >= self.hold_s else inf

    @property
    def wake_s(self) -> float:
        """True time at which there is something to do, as far as is known now."""
        return min(self.touched_s, self.until_s)


@types.coroutine
def pause(wait: Wait) -> Generator[Wait, None, None]:
    """Hand control back to the link until something may have happened."""
    yield wait


class Task:
    """Drives a command's coroutine; ``response`` is None until it has ended."""

    def __init__(self, command: Coroutine[Wait, None, bytes]) -> None:
        self._command = command
        self.response: bytes | None = None
        self.waiting: Wait | None = None
        self.resume()

    def resume(self) -> None:
        """Go on until the command waits or ends."""
        try:
            self.waiting = self._command.send(None)
        except StopIteration as end:
            self._end(end.value)

    def cancel(self) -> None:
        """CTAPHID_CANCEL: the command ends with KEEPALIVE_CANCEL."""
        try:
            self._command.throw(CtapStatusError(Status.KEEPALIVE_CANCEL))
        except StopIteration as end:
            self._end(end.value)

    def abandon(self) -> None:
        """The channel was re-initialised or the power is gone: nobody will read the response."""
        self._command.close()

    def _end(self, response: bytes) -> None:
        self.response = response
        self.waiting = None
