"""Security credentials: a user's own MFA devices, set right and removed."""

from collections.abc import Iterable

from starlette.responses import Response
from starlette.routing import Route

from tokenkit.verifier import MAX_DEVICES, Device, NoSuchEntity, VerifierError
from tokenkit.verifier.findings import find
from tokenkit.web.codes import clean
from tokenkit.web.sign_in import admit
from tokenkit.web.visit import Visit, said, status_of, visited


def show_credentials(visit: Visit) -> Response:
    devices = visit.verifier.devices(visit.user)
    user = visit.verifier.user(visit.user)
    verifier = visit.verifier
    now_s = visit.service.clock.now()
    findings = find([user], devices, verifier.account, verifier.webauthn, now_s)
    return visit.page(
        "credentials.html",
        user=user,
        devices=devices,
        findings=findings,
        most=MAX_DEVICES,
        may_assign=visit.may("iam:EnableMFADevice", user.arn),
    )


def find_device(devices: Iterable[Device], serial_number: str) -> Device:
    """NoSuchEntity."""
    for device in devices:
        if device.serial_number == serial_number:
            return device
    raise NoSuchEntity(f"There is no MFA device {serial_number} here (any more).")


def _own(visit: Visit, serial_number: str) -> Device:
    return find_device(visit.verifier.devices(visit.user), serial_number)


def show_resync(visit: Visit) -> Response:
    return visit.page("resync.html", device=_own(visit, visit.query("serial")))


def resync(visit: Visit) -> Response:
    device = _own(visit, visit.text("serial"))
    visit.demand_own("iam:ResyncMFADevice")
    codes = clean(visit.text("code1")), clean(visit.text("code2"))
    try:
        visit.verifier.resync(visit.user, device.serial_number, *codes)
    except VerifierError as error:
        return visit.page("resync.html", status_of(error), device=device, error=said(error))
    return visit.go("security-credentials", f"MFA device {_called(device)} is synchronised.")


def ask_to_remove(visit: Visit) -> Response:
    return _remove_page(visit, _own(visit, visit.query("serial")))


def _remove_page(visit: Visit, device: Device) -> Response:
    left = len(visit.verifier.devices(visit.user)) - 1
    return visit.page("remove.html", device=device, left=left)


def remove(visit: Visit) -> Response:
    device = _own(visit, visit.text("serial"))
    visit.demand_own("iam:DeactivateMFADevice")
    visit.verifier.deactivate(visit.user, device.serial_number)
    if not visit.verifier.devices(visit.user) and visit.verifier.account.requires_mfa(visit.user):
        return admit(visit, visit.user, mfa=False)
    return visit.go("security-credentials", f"MFA device {_called(device)} was removed.")


def _called(device: Device) -> str:
    return device.name or device.serial_number


CREDENTIAL_ROUTES = [
    Route("/security-credentials", visited(show_credentials)),
    Route("/resync", visited(show_resync)),
    Route("/resync", visited(resync), methods=["POST"]),
    Route("/remove", visited(ask_to_remove)),
    Route("/remove", visited(remove), methods=["POST"]),
]
