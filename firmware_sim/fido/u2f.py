"""CTAP1, which is U2F 1.2: raw messages over ISO 7816 APDUs (CTAP 2.1 §11.1, U2F raw messages)."""

import logging
import math

from firmware_sim.card.apdu import Apdu, StatusWord, StatusWordError, parse_apdu
from firmware_sim.fido.algorithms import Es256Key
from firmware_sim.fido.authenticator import Authenticator, AwaitedTouch
from firmware_sim.fido.credential import Credential
from firmware_sim.fido.extensions import cred_protect
from firmware_sim.world.flash import FlashError

log = logging.getLogger(__name__)

VERSION = "U2F_V2"
_REGISTER, _AUTHENTICATE, _GET_VERSION = 0x01, 0x02, 0x03
_CHECK_ONLY, _ENFORCE_PRESENCE, _DO_NOT_ENFORCE = 0x07, 0x03, 0x08
_HASH = 32


class U2f:
    """Answers U2F messages with an authenticator's credentials.

    Nothing waits for the user here: a message that needs a touch is refused until there was one,
    and the host asks again. The finger is asked at the first of them.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    @property
    def touch_s(self) -> float:
        """True time of the touch that a host asks after, infinite if none is in sight."""
        awaited = self._authenticator.awaited_touch
        return math.inf if awaited is None else awaited.touch.true_s

    def answer(self, message: bytes) -> bytes:
        """The response APDU to a request APDU."""
        try:
            return self.respond(parse_apdu(message)) + StatusWord.NO_ERROR.to_bytes(2, "big")
        except StatusWordError as error:
            return error.status.to_bytes(2, "big")
        except FlashError as error:
            log.error("%s", error)
            return StatusWord.NO_PRECISE_DIAGNOSIS.to_bytes(2, "big")

    def respond(self, apdu: Apdu) -> bytes:
        """The data of the answer, all of it whatever length is expected; else StatusWordError."""
        self._authenticator.continuation.clear()
        if apdu.cla != 0:
            raise StatusWordError(StatusWord.CLA_NOT_SUPPORTED)
        if apdu.ins == _GET_VERSION:
            if apdu.data:
                raise StatusWordError(StatusWord.WRONG_LENGTH)
            return VERSION.encode()
        if apdu.ins not in (_REGISTER, _AUTHENTICATE):
            raise StatusWordError(StatusWord.INS_NOT_SUPPORTED)
        if not self._authenticator.offers_u2f:
            raise StatusWordError(StatusWord.COMMAND_NOT_ALLOWED)
        return self._register(apdu) if apdu.ins == _REGISTER else self._authenticate(apdu)

    def _register(self, apdu: Apdu) -> bytes:
        if len(apdu.data) != 2 * _HASH:
            raise StatusWordError(StatusWord.WRONG_LENGTH)
        challenge, application = apdu.data[:_HASH], apdu.data[_HASH:]
        self._demand_presence("register", application)
        authenticator = self._authenticator
        key = Es256Key.new(authenticator.entropy)
        credential = authenticator.credentials.add_server_side(application, key, {})
        handle, public = credential.credential_id, b"\x04" + key.point
        attestation = authenticator.attestation
        signature = attestation.sign_u2f(application, challenge, handle, key)
        certificate = attestation.batch[1]
        return b"\x05" + public + bytes((len(handle),)) + handle + certificate + signature

    def _authenticate(self, apdu: Apdu) -> bytes:
        data = apdu.data
        if len(data) <= 2 * _HASH or len(data) != 2 * _HASH + 1 + data[2 * _HASH]:
            raise StatusWordError(StatusWord.WRONG_LENGTH)
        challenge, application = data[:_HASH], data[_HASH : 2 * _HASH]
        credential = self._find(data[2 * _HASH + 1 :], application)
        if apdu.p1 == _CHECK_ONLY:  # what it would be, were there a touch
            raise StatusWordError(StatusWord.CONDITIONS_NOT_SATISFIED)
        if apdu.p1 == _ENFORCE_PRESENCE:
            self._demand_presence("sign in", application)
            presence = b"\x01"
        elif apdu.p1 == _DO_NOT_ENFORCE:
            presence = b"\x00"
        else:
            raise StatusWordError(StatusWord.WRONG_DATA)
        counter = self._authenticator.counter.next(credential.credential_id).to_bytes(4, "big")
        signature = credential.key.sign(application + presence + counter + challenge)
        return presence + counter + signature

    def _find(self, handle: bytes, application: bytes) -> Credential:
        """A credential that U2F may use: ES256, and not hidden from an unverified user."""
        found = self._authenticator.credentials.find(handle, application)
        if (
            found is None
            or found.key.algorithm != Es256Key.algorithm
            or cred_protect.is_hidden(found, verified=False, listed=True)
        ):
            raise StatusWordError(StatusWord.WRONG_DATA)
        return found

    def _demand_presence(self, what: str, application: bytes) -> None:
        """A touch for this request: asked for at first, and good for no other."""
        authenticator = self._authenticator
        now_s = authenticator.clock.now()
        awaited = authenticator.awaited_touch
        timeout_s = authenticator.profile.touch_timeout_s
        if (
            awaited is None
            or awaited.what != (what, application)
            or now_s - awaited.since_s > timeout_s
        ):
            authenticator.forget_awaited_touch()
            touch = authenticator.finger.requested(f"{what} by U2F", now_s)
            awaited = AwaitedTouch((what, application), touch, now_s)
            authenticator.awaited_touch = awaited
        if awaited.touch.true_s > now_s:
            raise StatusWordError(StatusWord.CONDITIONS_NOT_SATISFIED)
        authenticator.forget_awaited_touch()
        press, always_uv = awaited.touch.press, authenticator.settings.always_uv
        known = not always_uv or authenticator.fingerprints.is_known(press)
        if awaited.touch.refused or not known:
            raise StatusWordError(StatusWord.CONDITIONS_NOT_SATISFIED)
