"""authenticatorBioEnrollment (CTAP 2.1 §6.7): fingers taught to the sensor, named, forgotten."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from enum import IntEnum

from firmware_sim.fido import cbor
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.command import Command
from firmware_sim.fido.fingerprint import Template
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, optional, required
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.task import Wait
from firmware_sim.fido.verification import require_token
from firmware_sim.world.finger import Placement

CODE = 0x09
_FINGERPRINT = 1  # the modality
_TOUCH_SENSOR = 1  # the kind of sensor
_MAX_TIMEOUT_S = 300.0


class Feedback(IntEnum):
    """What a sample can be beyond how the finger lay (§6.7.3)."""

    MERGE_FAILURE = 0x0A
    EXISTS = 0x0B
    NO_USER_ACTIVITY = 0x0D


@dataclass(slots=True)
class _Enrolment:
    """A finger being taught: ``missing`` good samples more make it a template."""

    template_id: bytes
    missing: int
    finger: str | None = None


async def run(authenticator: Authenticator, parameters: Map) -> Map | None:
    modality = optional(parameters, 1, int)
    number = optional(parameters, 2, int)
    details = optional(parameters, 3, dict)
    if number is None:
        if not optional(parameters, 6, bool):
            raise CtapStatusError(Status.MISSING_PARAMETER)
        return {1: _FINGERPRINT}
    if modality is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    if modality != _FINGERPRINT:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    subcommand = _SUBCOMMANDS.get(number)
    if subcommand is None:
        raise CtapStatusError(Status.INVALID_SUBCOMMAND)
    if number not in _OPEN:
        message = bytes((modality, number))
        message += b"" if details is None else cbor.encode(details)
        require_token(authenticator, parameters, 5, 4, message, Permission.BIO_ENROLLMENT)
    if number not in _ENROLLING:  # another subcommand ends an enrolment, as another command does
        authenticator.continuation.clear()
    return await subcommand(authenticator, details or {})


async def _begin(authenticator: Authenticator, details: Map) -> Map:
    """§6.7.4: the first sample; FP_DATABASE_FULL where no template more fits."""
    fingerprints = authenticator.fingerprints
    if fingerprints.is_full:
        raise CtapStatusError(Status.FP_DATABASE_FULL)
    samples = authenticator.profile.fingerprint_samples
    enrolment = _Enrolment(fingerprints.new_id(), samples)
    authenticator.continuation = {CODE: enrolment}
    answer = await _capture(authenticator, details, enrolment)
    return {4: enrolment.template_id, **answer}


async def _capture_next(authenticator: Authenticator, details: Map) -> Map:
    """§6.7.4; NOT_ALLOWED where no such enrolment is under way."""
    template_id = required(details, 1, bytes)
    enrolment: _Enrolment | None = authenticator.continuation.get(CODE)
    if enrolment is None or enrolment.template_id != template_id:
        raise CtapStatusError(Status.NOT_ALLOWED)
    return await _capture(authenticator, details, enrolment)


async def _capture(authenticator: Authenticator, details: Map, enrolment: _Enrolment) -> Map:
    """One sample; the last good one makes the template. The user's refusal ends the enrolment."""
    timeout_ms = optional(details, 3, int)
    if timeout_ms is not None and timeout_ms < 0:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    timeout_s = None if timeout_ms is None else min(timeout_ms / 1000, _MAX_TIMEOUT_S)
    feedback: int
    try:
        touch = await authenticator.user_presence("teach it your finger", timeout_s=timeout_s)
        feedback = _take(authenticator, enrolment, touch.press.finger, touch.press.placement)
    except CtapStatusError as error:
        if error.status is not Status.USER_ACTION_TIMEOUT:
            authenticator.continuation.clear()
            raise
        feedback = Feedback.NO_USER_ACTIVITY
    if not enrolment.missing:
        authenticator.continuation.clear()
    return {5: int(feedback), 6: enrolment.missing}


def _take(
    authenticator: Authenticator, enrolment: _Enrolment, finger: str, placement: Placement
) -> int:
    fingerprints = authenticator.fingerprints
    if placement is not Placement.GOOD:
        return placement
    if any(each.finger == finger for each in fingerprints.templates):
        return Feedback.EXISTS
    if enrolment.finger not in (None, finger):
        return Feedback.MERGE_FAILURE
    enrolment.finger = finger
    if enrolment.missing == 1:
        fingerprints.store(Template(enrolment.template_id, finger))
    enrolment.missing -= 1
    return Placement.GOOD


async def _cancel(authenticator: Authenticator, details: Map) -> None:
    """§6.7.5."""
    authenticator.continuation.clear()


async def _enumerate(authenticator: Authenticator, details: Map) -> Map:
    """§6.7.6; INVALID_OPTION where there is none."""
    templates = authenticator.fingerprints.templates
    if not templates:
        raise CtapStatusError(Status.INVALID_OPTION)
    return {7: [{1: each.template_id, 2: each.name or ""} for each in templates]}


async def _set_name(authenticator: Authenticator, details: Map) -> None:
    """§6.7.7; INVALID_LENGTH for too long a name."""
    template = _chosen(authenticator, details)
    name = required(details, 2, str)
    if len(name.encode()) > authenticator.profile.fingerprint_name_length:
        raise CtapStatusError(Status.INVALID_LENGTH)
    authenticator.fingerprints.store(replace(template, name=name))


async def _remove(authenticator: Authenticator, details: Map) -> None:
    """§6.7.8."""
    authenticator.fingerprints.remove(_chosen(authenticator, details))


async def _sensor_info(authenticator: Authenticator, details: Map) -> Map:
    """§6.7.3."""
    profile = authenticator.profile
    answer: Map = {2: _TOUCH_SENSOR, 3: profile.fingerprint_samples}
    if "bioEnroll" in profile.options:  # the preview knows no limit of names
        answer[8] = profile.fingerprint_name_length
    return answer


def _chosen(authenticator: Authenticator, details: Map) -> Template:
    """The template that the request names; INVALID_OPTION if there is none."""
    template = authenticator.fingerprints.template(required(details, 1, bytes))
    if template is None:
        raise CtapStatusError(Status.INVALID_OPTION)
    return template


_SUBCOMMANDS: dict[int, Callable[[Authenticator, Map], Coroutine[Wait, None, Map | None]]] = {
    0x01: _begin,
    0x02: _capture_next,
    0x03: _cancel,
    0x04: _enumerate,
    0x05: _set_name,
    0x06: _remove,
    0x07: _sensor_info,
}
_ENROLLING = (0x01, 0x02)
_OPEN = (0x03, 0x07)  # these need no token

COMMAND = Command(
    CODE,
    run,
    options=("bioEnroll",),
    info=lambda authenticator: {
        0x04: {"bioEnroll": authenticator.fingerprints.is_enrolled, "uvBioEnroll": True}
    },
    follows=CODE,
    permission=Permission.BIO_ENROLLMENT,
)
