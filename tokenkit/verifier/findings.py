"""What is amiss with users and their devices, and how to mend it. No storage in here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tokenkit.verifier.model import Device, DeviceKind, User
from tokenkit.verifier.names import ROOT
from tokenkit.verifier.policy import AccountPolicy, WebAuthnPolicy

_DAY_S = 86_400.0


class FindingKind(StrEnum):
    NO_MFA = "no-mfa"
    TOO_FEW_DEVICES = "too-few-devices"
    STALE_DEVICE = "stale-device"
    DRIFTING = "drifting"
    LOCKED = "locked"
    CLONE_SUSPECTED = "clone-suspected"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True)
class Finding:
    """``what`` is amiss with a user, or with that one's device, and the ``advice`` to mend it."""

    kind: FindingKind
    user: str
    serial_number: str | None
    what: str
    advice: str


def find(
    users: Sequence[User],
    devices: Iterable[Device],
    account: AccountPolicy,
    webauthn: WebAuthnPolicy,
    now_s: float,
) -> list[Finding]:
    """All findings at ``now_s``, by user in the order given, then by device in the order given."""
    held: dict[str, list[Device]] = {user.name: [] for user in users}
    signing_in = {user.name for user in users if user.has_password or user.name == ROOT}
    for device in devices:
        held.setdefault(device.user, []).append(device)
    return [
        finding
        for user, of_user in held.items()
        for finding in (
            *_of_user(user, len(of_user), user in signing_in, account),
            *(each for device in of_user for each in _of_device(device, account, webauthn, now_s)),
        )
    ]


def _of_user(user: str, count: int, signs_in: bool, account: AccountPolicy) -> Iterator[Finding]:
    required = account.requires_mfa(user)
    if count == 0 and (required or signs_in):
        what = f"{user} has no MFA device"
        yield Finding(
            FindingKind.NO_MFA,
            user,
            None,
            f"{what}, though the account's policy asks for one." if required else f"{what}.",
            "Assign one: best a security key, which cannot be phished.",
        )
    elif 0 < count < account.minimum_devices:
        yield Finding(
            FindingKind.TOO_FEW_DEVICES,
            user,
            None,
            f"{user} has {count} MFA device{'s'[: count > 1]}, the account's policy asks for"
            f" {account.minimum_devices}.",
            "Assign another: whoever loses the only one is locked out.",
        )


def _of_device(
    device: Device, account: AccountPolicy, webauthn: WebAuthnPolicy, now_s: float
) -> Iterator[Finding]:
    def finding(kind: FindingKind, what: str, advice: str) -> Finding:
        return Finding(kind, device.user, device.serial_number, what, advice)

    if device.locked:
        yield finding(
            FindingKind.LOCKED,
            f"It is locked after {device.failures} wrong codes in a row.",
            "Find out who entered them, then unlock it.",
        )
    if device.clone_suspected:
        yield finding(
            FindingKind.CLONE_SUSPECTED,
            "Its signature counter went back: somebody may have a copy of it.",
            "Remove it, and look in the log for sign-ins that were not its owner's.",
        )
    if (distrust := _distrust(device, webauthn)) is not None:
        yield finding(
            FindingKind.UNTRUSTED,
            distrust,
            "Remove it and register a genuine one.",
        )
    if _is_window_nearly_left(device):
        yield finding(
            FindingKind.DRIFTING,
            _drift(device),
            "Resynchronise it with two consecutive codes.",
        )
    idle_s = now_s - (device.enabled_s if device.last_used_s is None else device.last_used_s)
    if idle_s > account.stale_after_days * _DAY_S:
        yield finding(
            FindingKind.STALE_DEVICE,
            f"It was neither used nor resynchronised for {idle_s / _DAY_S:.0f} days.",
            "Remove it if it is lost or no longer needed; else sign in with it.",
        )


def _distrust(device: Device, webauthn: WebAuthnPolicy) -> str | None:
    """Why a security key that was registered could not be registered now."""
    if device.kind is not DeviceKind.SECURITY_KEY or webauthn.attestation != "direct":
        return None
    form = device.attestation_format or "none"
    if form not in webauthn.attestation_formats:
        return f"It was registered with attestation {form!r}, which the policy does not take now."
    if webauthn.aaguids and device.aaguid not in webauthn.aaguids:
        return f"It is of model {device.aaguid}, which the policy does not take now."
    return None


def _drift(device: Device) -> str:
    """What a clock does that has nearly left the window, or has left it."""
    assert device.predicted_offset_s is not None
    assert device.window_s is not None
    low_s, high_s = device.window_s
    if not low_s <= device.predicted_offset_s <= high_s:
        said = "Its codes are probably refused"
    elif device.failures:
        said = "Its last code was refused, and its clock may be why"
    else:
        said = "Its next code may be refused"
    return (
        f"{said}: its clock is {_error(device.predicted_offset_s)} by now,"
        f" give or take {device.uncertainty_s or 0.0:.0f} s, and codes are accepted"
        f" from {_error(low_s)} to {_error(high_s)}."
    )


def _error(error_s: float) -> str:
    seconds = round(abs(error_s))
    if not seconds:
        return "on time"
    return f"{seconds} s {'ahead' if error_s > 0 else 'behind'}"


def _is_window_nearly_left(device: Device) -> bool:
    """Whether the predicted offset, give or take what is not known of it, is out of the window.

    Half a time step is never known, of a phone's clock nothing need be: its network sets it.
    """
    if device.predicted_offset_s is None or device.window_s is None:
        return False
    doubt_s = max(0.0, (device.uncertainty_s or 0.0) - device.period_s / 2.0)
    if device.kind is not DeviceKind.HARDWARE_TOKEN:
        doubt_s = 0.0
    low_s, high_s = device.window_s
    return not low_s + doubt_s <= device.predicted_offset_s <= high_s - doubt_s
