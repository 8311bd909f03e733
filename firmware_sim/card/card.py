"""The card: which application is selected, commands and answers in parts (ISO 7816-4)."""

import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from firmware_sim.card.apdu import Apdu, StatusWord, StatusWordError, parse_apdu
from firmware_sim.fido.task import Task
from firmware_sim.world.clock import Clock
from firmware_sim.world.flash import FlashError

log = logging.getLogger(__name__)

GET_RESPONSE = 0xC0
_SELECT, _BY_NAME = 0xA4, 0x04
_CHAINING = 0x10
_PROPRIETARY = 0x80
_SHORTEST_NAME = 5  # the issuer's part of an application's name (ISO 7816-5)
_MAX_DATA = 0xFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """What an application answers: data of any length, and a status word."""

    data: bytes = b""
    status: StatusWord = StatusWord.NO_ERROR


class Application(Protocol):
    """An applet. ``aid`` is its name, ``more_ins`` the instruction that fetches the next part."""

    aid: bytes
    more_ins: int

    def select(self) -> bytes:
        """Begin a session; returns the data of the answer to SELECT."""

    def deselect(self) -> None:
        """End the session: another was selected, or the power goes."""

    async def respond(self, apdu: Apdu) -> Answer:
        """Answer one whole command; StatusWordError for one with no data, may wait for a touch."""


class SmartCard:
    """A powered card with ``applications``; ``atr`` is its answer to reset.

    A port calls :meth:`write` with each command and takes what comes from :attr:`responses`;
    when there is none it waits until :meth:`wake_s` and calls :meth:`poll`. A card does one
    thing at a time: what is written while it works is lost.
    """

    def __init__(self, applications: Sequence[Application], atr: bytes, clock: Clock) -> None:
        self.applications = applications
        self.atr = atr
        self.responses: deque[bytes] = deque()
        self._clock = clock
        self._task: Task | None = None
        self._selected: Application | None = None
        self._chain: Apdu | None = None  # the commands of an unfinished chain, as one
        self._rest = Answer()  # what the host has still to fetch

    def write(self, message: bytes) -> None:
        """Take one command APDU."""
        if self._task is None:
            self._task = Task(self._respond(message))
            self._finish()

    def wake_s(self) -> float:
        """True time of the next thing that happens by itself, infinite if nothing will."""
        if self._task is None:
            return math.inf
        assert self._task.waiting is not None
        return self._task.waiting.wake_s

    def poll(self) -> None:
        """Let the command under way go on, if it is time."""
        if self._task is not None and self._clock.now() >= self.wake_s():
            self._task.resume()
            self._finish()

    def power_off(self) -> None:
        """Drop what is under way; nothing more comes out of this object."""
        if self._task is not None:
            self._task.abandon()
            self._task = None
        if self._selected is not None:
            self._selected.deselect()
            self._selected = None
        self._chain, self._rest = None, Answer()
        self.responses.clear()

    def _finish(self) -> None:
        if self._task is not None and self._task.response is not None:
            self.responses.append(self._task.response)
            self._task = None

    async def _respond(self, message: bytes) -> bytes:
        room = 0
        try:
            apdu = parse_apdu(message)
            room = apdu.room
            self._rest = await self._answer(apdu)
        except StatusWordError as error:
            self._rest = Answer(b"", error.status)
        except FlashError as error:
            log.error("%s", error)
            self._rest = Answer(b"", StatusWord.MEMORY_FAILURE)
        return self._next_part(room)

    def _next_part(self, room: int) -> bytes:
        """As much of the rest as there is room for; the status word comes with the last part."""
        part, left = self._rest.data[:room], self._rest.data[room:]
        if not left:
            status = int(self._rest.status)
            self._rest = Answer()
        else:  # how many more, 0 for 256 and all above
            status = StatusWord.MORE_DATA | (len(left) if len(left) < 0x100 else 0)
            self._rest = replace(self._rest, data=left)
        return part + status.to_bytes(2, "big")

    async def _answer(self, apdu: Apdu) -> Answer:
        _check_class(apdu.cla)
        if apdu.ins == (GET_RESPONSE if self._selected is None else self._selected.more_ins):
            if not self._rest.data:
                raise StatusWordError(StatusWord.CONDITIONS_NOT_SATISFIED)
            return self._rest
        whole = self._chained(apdu)
        if whole is None:
            return Answer()
        if (whole.cla, whole.ins, whole.p1) == (0, _SELECT, _BY_NAME):
            return self._select(whole.data)
        if self._selected is None:
            raise StatusWordError(StatusWord.INS_NOT_SUPPORTED)
        return await self._selected.respond(whole)

    def _chained(self, apdu: Apdu) -> Apdu | None:
        """The whole command that ``apdu`` ends, None if more of it is to come (§5.3.3).

        A command that does not go on with the chain ends it, and is one of its own.
        """
        so_far, self._chain = self._chain, None
        whole = replace(apdu, cla=apdu.cla & ~_CHAINING)
        if so_far is not None and _head(so_far) == _head(whole):
            whole = replace(whole, data=so_far.data + whole.data)
        if len(whole.data) > _MAX_DATA:
            raise StatusWordError(StatusWord.WRONG_LENGTH)
        if apdu.cla & _CHAINING:
            self._chain = whole
            return None
        return whole

    def _select(self, name: bytes) -> Answer:
        """By name, or by what it begins with; a name that is not there changes nothing."""
        for application in self.applications:
            if len(name) >= _SHORTEST_NAME and application.aid.startswith(name):
                if self._selected is not None:
                    self._selected.deselect()
                self._selected = application
                return Answer(application.select())
        raise StatusWordError(StatusWord.FILE_NOT_FOUND)


def _head(apdu: Apdu) -> tuple[int, int, int, int]:
    return apdu.cla, apdu.ins, apdu.p1, apdu.p2


def _check_class(cla: int) -> None:
    """Neither logical channels nor secure messaging (§5.1.1)."""
    if not cla & ~_CHAINING & ~_PROPRIETARY:
        return
    if cla & 0xE0:
        raise StatusWordError(StatusWord.CLA_NOT_SUPPORTED)
    if cla & 0x0C:
        raise StatusWordError(StatusWord.SECURE_MESSAGING_NOT_SUPPORTED)
    raise StatusWordError(StatusWord.CHANNEL_NOT_SUPPORTED)
