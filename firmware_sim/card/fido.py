"""The FIDO application: CTAP2 and U2F over NFC (CTAP 2.1 §11.3)."""

from firmware_sim.card.apdu import Apdu, StatusWord, StatusWordError
from firmware_sim.card.card import GET_RESPONSE, Answer
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.task import Progress, Task, pause
from firmware_sim.fido.u2f import VERSION, U2f

_NFCCTAP = 0x80  # the class of what follows
_MSG, _GETRESPONSE, _CONTROL = 0x10, 0x11, 0x12
_HOST_POLLS = 0x80  # P1 of NFCCTAP_MSG
_CANCEL = 0x11  # P1 of NFCCTAP_GETRESPONSE
_END = 0x01  # P1 of NFCCTAP_CONTROL
_KEEPALIVE = Answer(bytes((Progress.UP_NEEDED,)), StatusWord.UPDATE)


class FidoApplet:
    """``u2f`` is None for a model without CTAP1, ``speaks_ctap2`` False for one without CTAP2.

    By the specification being laid on a reader is the touch of a key that has no button. Here
    the authenticator's finger has the word, as over USB: the one that touches at once, which is
    the default, stands for a person who holds the key to the reader.
    """

    aid = bytes.fromhex("a0000006472f0001")
    more_ins = GET_RESPONSE

    def __init__(self, authenticator: Authenticator, u2f: U2f | None, speaks_ctap2: bool) -> None:
        self._authenticator = authenticator
        self._u2f = u2f
        self._commands = {}
        if speaks_ctap2:
            self._commands = {
                _MSG: self._message,
                _GETRESPONSE: self._get_response,
                _CONTROL: self._control,
            }
        self._task: Task | None = None

    def select(self) -> bytes:
        """U2F_V2 where that is spoken, too, for the hosts that know no other (§11.3.3)."""
        return VERSION.encode() if VERSION in self._authenticator.versions else b"FIDO_2_0"

    def deselect(self) -> None:
        """Whoever asked will not hear the answer."""
        if self._task is not None:
            self._task.abandon()
            self._task = None

    async def respond(self, apdu: Apdu) -> Answer:
        if apdu.cla == _NFCCTAP and (command := self._commands.get(apdu.ins)):
            return await command(apdu)
        if apdu.cla == _NFCCTAP or self._u2f is None:
            raise StatusWordError(StatusWord.INS_NOT_SUPPORTED)
        self.deselect()
        return Answer(self._u2f.respond(apdu))

    async def _message(self, apdu: Apdu) -> Answer:
        """A command of CTAP2; a host that does not poll waits for its end."""
        self.deselect()
        self._task = task = self._authenticator.start(apdu.data)
        if apdu.p1 & _HOST_POLLS:
            return self._so_far(task)
        while task.response is None:
            assert task.waiting is not None
            await pause(task.waiting)
            task.resume()
        return self._so_far(task)

    async def _get_response(self, apdu: Apdu) -> Answer:
        task = self._task
        if task is None:
            raise StatusWordError(StatusWord.CONDITIONS_NOT_SATISFIED)
        assert task.waiting is not None
        if apdu.p1 == _CANCEL:
            task.cancel()
        elif self._authenticator.clock.now() >= task.waiting.wake_s:
            task.resume()
        return self._so_far(task)

    async def _control(self, apdu: Apdu) -> Answer:
        """The host is done."""
        if apdu.p1 != _END:
            raise StatusWordError(StatusWord.WRONG_P1P2)
        self.deselect()
        return Answer()

    def _so_far(self, task: Task) -> Answer:
        if task.response is None:
            return _KEEPALIVE
        self._task = None
        return Answer(task.response)
