"""authenticatorBioEnrollment (CTAP 2.1 §6.7): the fingerprints that a key knows."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from fido2.ctap2.bio import (
    BioEnrollment,
    CaptureError,
    FPBioEnrollment,
    FPEnrollmentContext,
)
from fido2.ctap2.pin import PinProtocolV2

from tokenkit.keys.answers import Tell, asking, denied, on_touch, silent
from tokenkit.keys.errors import NoSuchItemError, UnsupportedError, device_errors
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.pin import Permission, authorise

_RESULT = BioEnrollment.RESULT
_FEEDBACK = FPBioEnrollment.FEEDBACK
_KINDS = {1: "touch", 2: "swipe"}
# so many captures in a row without a finger, or with one that is known, and nobody is there who
# will bring another; so many that are no good otherwise, and the sensor or the finger is not
_PATIENCE = 3
_MAX_BAD = 20
_MAX_NAME_BYTES = 64
# lastEnrollSampleStatus, §6.7.4
_WORDS = {
    _FEEDBACK.FP_GOOD: "good",
    _FEEDBACK.FP_TOO_HIGH: "too high: move the finger down",
    _FEEDBACK.FP_TOO_LOW: "too low: move the finger up",
    _FEEDBACK.FP_TOO_LEFT: "too far left: move the finger right",
    _FEEDBACK.FP_TOO_RIGHT: "too far right: move the finger left",
    _FEEDBACK.FP_TOO_FAST: "too fast: more slowly",
    _FEEDBACK.FP_TOO_SLOW: "too slow: faster",
    _FEEDBACK.FP_POOR_QUALITY: "not clear: clean finger and sensor, and press evenly",
    _FEEDBACK.FP_TOO_SKEWED: "askew: hold the finger straight",
    _FEEDBACK.FP_TOO_SHORT: "too short: leave the finger longer",
    _FEEDBACK.FP_MERGE_FAILURE: "it does not fit the samples before: the same finger again",
    _FEEDBACK.FP_EXISTS: "the key knows this finger already: take another",
    _FEEDBACK.FP_DATABASE_FULL: "no room for another fingerprint",
    _FEEDBACK.NO_USER_ACTIVITY: "no finger came",
    _FEEDBACK.NO_UP_TRANSITION: "the finger stayed: lift it, and touch again",
}


@dataclass(frozen=True)
class Sensor:
    """A fingerprint sensor: ``kind`` is touch or swipe; a name takes ``max_name_bytes`` UTF-8."""

    kind: str
    max_samples: int
    max_name_bytes: int


@dataclass(frozen=True)
class Fingerprint:
    """One enrolled finger; the name may be empty."""

    template_id: bytes
    name: str


@dataclass(frozen=True)
class Sample:
    """What came of one touch in words, and how many good ones of how many there are now."""

    good: bool
    words: str
    made: int
    of: int


def read_sensor(key: OpenKey) -> Sensor:
    """UnsupportedError if the key has no fingerprint sensor."""
    _demand_sensor(key)
    with asking(key):
        # needs no token, says python-fido2, and takes one all the same
        bio = FPBioEnrollment(key.ctap2(), PinProtocolV2(), b"")
        answer = bio.get_fingerprint_sensor_info()
        kind = answer.get(_RESULT.FINGERPRINT_KIND, 0)
        return Sensor(
            _KINDS.get(kind, f"kind {kind}"),
            answer[_RESULT.MAX_SAMPLES_REQUIRED],
            answer.get(_RESULT.MAX_TEMPLATE_FRIENDLY_NAME, _MAX_NAME_BYTES),
        )


class Fingerprints:
    """The fingerprints of a key, read and changed with one authorisation.

    UnsupportedError if it has no sensor; what :func:`tokenkit.keys.pin.authorise` raises.
    """

    def __init__(self, key: OpenKey, pin: str) -> None:
        self._key = key
        self._sensor = read_sensor(key)
        granted = authorise(key, pin, Permission.BIO_ENROLL)
        with asking(key):
            self._commands = FPBioEnrollment(granted.ctap, granted.protocol, granted.token)

    def all(self) -> list[Fingerprint]:
        """Every fingerprint, in the key's order."""
        with asking(self._key):
            found = self._commands.enumerate_enrollments()
            return [Fingerprint(number, name or "") for number, name in found.items()]

    def enroll(
        self, name: str, on_sample: Callable[[Sample], None], tell: Tell = silent
    ) -> Fingerprint:
        """Enrol a finger under ``name``, sample by sample, each shown to ``on_sample``.

        ``tell`` is told when to touch. Whatever ends it early, Ctrl-C too, leaves no fingerprint;
        DeniedError if nobody touches the sensor with a finger that is new and clear, or there is no
        room.
        """
        self._check_name(name)
        with asking(self._key):
            capturing = self._commands.enroll()
            try:
                template_id = self._capture(capturing, on_sample, tell)
            except BaseException:
                with suppress(*device_errors()):
                    capturing.cancel()
                raise
        if name:
            self.rename(Fingerprint(template_id, ""), name)
        return Fingerprint(template_id, name)

    def rename(self, fingerprint: Fingerprint, name: str) -> None:
        """Give it another name."""
        self._check_name(name)
        with asking(self._key):
            self._commands.set_name(fingerprint.template_id, name)

    def remove(self, fingerprint: Fingerprint) -> None:
        """Forget it."""
        with asking(self._key):
            self._commands.remove_enrollment(fingerprint.template_id)

    def _capture(
        self, capturing: FPEnrollmentContext, on_sample: Callable[[Sample], None], tell: Tell
    ) -> bytes:
        idle, bad, of = 0, 0, self._sensor.max_samples
        while True:
            feedback = _FEEDBACK.FP_GOOD
            template_id = None
            try:
                template_id = capturing.capture(on_keepalive=on_touch(tell, "touch the sensor now"))
            except CaptureError as error:
                feedback = _FEEDBACK(error.code)
            left = capturing.remaining or 0
            of = max(of, left)
            on_sample(Sample(feedback == _FEEDBACK.FP_GOOD, _WORDS[feedback], of - left, of))
            if template_id is not None:
                return template_id
            idle = idle + 1 if feedback in (_FEEDBACK.NO_USER_ACTIVITY, _FEEDBACK.FP_EXISTS) else 0
            bad = 0 if feedback == _FEEDBACK.FP_GOOD else bad + 1
            if idle == _PATIENCE or bad == _MAX_BAD:
                absent = feedback == _FEEDBACK.NO_USER_ACTIVITY
                status = "USER_ACTION_TIMEOUT" if absent else feedback.name
                raise denied(
                    self._key, status, **{feedback.name: f"took no finger: {_WORDS[feedback]}"}
                )
            if feedback == _FEEDBACK.FP_DATABASE_FULL:
                raise denied(self._key, "FP_DATABASE_FULL")

    def _check_name(self, name: str) -> None:
        size, room = len(name.encode()), self._sensor.max_name_bytes
        if size > room:
            raise UnsupportedError(f"{self._key}: a name takes {room} bytes in UTF-8, not {size}")


def find_fingerprint(fingerprints: Iterable[Fingerprint], wanted: str) -> Fingerprint:
    """The one with this id (hexadecimal), or the only one with this name; else NoSuchItemError."""
    known = list(fingerprints)
    fitting = [each for each in known if each.template_id.hex() == wanted.lower()]
    fitting = fitting or [each for each in known if each.name == wanted]
    if len(fitting) == 1:
        return fitting[0]
    listed = "".join(f"\n  {each.template_id.hex()} ({each.name})" for each in fitting or known)
    if fitting:
        raise NoSuchItemError(f"several fingerprints are named {wanted!r}; choose by id:{listed}")
    there = f"; there are:{listed}" if listed else ": there is none on the key"
    raise NoSuchItemError(f"no fingerprint has the id or name {wanted!r}{there}")


def _demand_sensor(key: OpenKey) -> None:
    if not BioEnrollment.is_supported(key.ctap2().info):
        raise UnsupportedError(f"{key}: has no fingerprint sensor")
