"""Assign MFA device: a name and a kind, then what that kind needs."""

import re

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from tokenkit.verifier import (
    MAX_DEVICES,
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
    VerifierError,
)
from tokenkit.verifier.console_sessions import ENROL, SIGNED_IN
from tokenkit.verifier.names import app_serial_number
from tokenkit.web.codes import clean
from tokenkit.web.pending_apps import PendingApp, PendingApps
from tokenkit.web.security_key import begun, completed
from tokenkit.web.sign_in import admit
from tokenkit.web.visit import Visit, said, status_of, visited

KINDS = ("security-key", "authenticator-app", "hardware-token")
_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_BAD_NAME = (
    "Give the device a name of 1 to 128 of the letters A-Z and a-z, digits, and _ + = , . @ -"
    " without spaces."
)
_NAME_TAKEN = "An MFA device of that name exists in this account: choose another name."
_EXPIRED = "Begin anew: the QR code that was made before has expired."
_FULL = f"You have {MAX_DEVICES} MFA devices, which is the most there can be: remove one first."


def choose(visit: Visit) -> Response:
    full = len(visit.verifier.devices(visit.user)) >= MAX_DEVICES
    form = {"name": visit.query("name"), "kind": visit.query("kind")}
    return visit.page("assign.html", form=form, error=_FULL if full else None)


def chosen(visit: Visit) -> Response:
    visit.demand_own("iam:EnableMFADevice")
    name, kind = visit.text("name").strip(), visit.text("kind")
    try:
        _check(visit, name, kind)
        if kind == "authenticator-app":
            _demand_app(visit, name)
            _begin_app(visit, name)
    except VerifierError as error:
        form = {"name": name, "kind": kind}
        return visit.page("assign.html", status_of(error), form=form, error=_readable(error))
    return visit.go(f"assign/{kind}", name=name)


def _check(visit: Visit, name: str, kind: str) -> None:
    """ValidationError, LimitExceeded, EntityAlreadyExists."""
    _check_name(name)
    if kind not in KINDS:
        raise ValidationError("Choose what kind of device it is.")
    devices = visit.verifier.devices(visit.user)
    if len(devices) >= MAX_DEVICES:
        raise LimitExceeded(_FULL)
    if any(device.name == name for device in devices):
        raise EntityAlreadyExists("You have a device of that name: choose another name.")


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ValidationError(_BAD_NAME)


def _readable(error: VerifierError) -> str:
    return error.message if isinstance(error, ValidationError) else said(error)


def _assigned(visit: Visit, name: str) -> str:
    """Where to go on. Who was in by a password alone has proved the device by that."""
    assert visit.session is not None
    if visit.session.state.get("mfa_s") is None:
        admit(visit, visit.user, mfa=True)
    visit.put_state(message=f"MFA device {name} is assigned.")
    return "security-credentials"


# security keys


def show_key(visit: Visit) -> Response:
    return visit.page("assign_security_key.html", name=visit.query("name"))


def begin_key(visit: Visit) -> Response:
    visit.demand_own("iam:EnableMFADevice")
    return begun(visit, lambda: visit.verifier.begin_registration(visit.user))


def complete_key(visit: Visit) -> Response:
    def complete(ceremony_id: str, answer: object) -> str:
        visit.demand_own("iam:EnableMFADevice")
        name = str(visit.json.get("name", ""))
        _check_name(name)
        visit.verifier.complete_registration(
            ceremony_id,
            answer,  # type: ignore[arg-type]
            name=name,
            user=visit.user,
            session=visit.cookie,
        )
        return visit.url(_assigned(visit, name))

    return completed(visit, complete)


# authenticator apps


def _pending_apps(visit: Visit) -> PendingApps:
    pending: PendingApps = visit.request.app.state.pending_apps
    return pending


def _pending(visit: Visit) -> PendingApp | None:
    """The app that this session began."""
    assert visit.session is not None
    return _pending_apps(visit).find(visit.session.state.get("pending_app", ""))


def _begin_app(visit: Visit, name: str) -> None:
    """The one that the session began before is given up."""
    try:
        app = visit.verifier.offer_authenticator_app(name)
    except EntityAlreadyExists:
        raise EntityAlreadyExists(_NAME_TAKEN) from None
    before = _pending(visit)
    if before is not None:
        _pending_apps(visit).forget(before.id)
    visit.put_state(pending_app=_pending_apps(visit).put(name, app).id)


def _demand_app(visit: Visit, name: str) -> None:
    """AccessDenied unless the visitor may make and enable an app called ``name``."""
    visit.demand_own("iam:EnableMFADevice")
    if _NAME.fullmatch(name):
        visit.demand_own("iam:CreateVirtualMFADevice", app_serial_number(name))


def show_app(visit: Visit) -> Response:
    pending = _pending(visit)
    if pending is None:
        return visit.go("assign", _EXPIRED)
    return _app_page(visit, pending)


def _app_page(
    visit: Visit, pending: PendingApp, status: int = 200, error: str | None = None
) -> Response:
    return visit.page(
        "assign_authenticator_app.html",
        status,
        error=error,
        name=pending.name,
        secret=" ".join(re.findall(".{1,4}", pending.app.secret)),
        qr=Markup(pending.app.qr_svg().partition("?>")[2]),  # without the XML declaration
        opened=bool(error),
    )


def assign_app(visit: Visit) -> Response:
    pending = _pending(visit)
    if pending is None:
        return visit.go("assign", _EXPIRED)
    _demand_app(visit, pending.name)
    codes = clean(visit.text("code1")), clean(visit.text("code2"))
    try:
        visit.verifier.enable_app(
            visit.user, pending.app, *codes, name=pending.name, session=visit.cookie
        )
    except EntityAlreadyExists:  # meanwhile
        form = {"name": pending.name, "kind": "authenticator-app"}
        return visit.page("assign.html", 400, form=form, error=_NAME_TAKEN)
    except VerifierError as error:
        return _app_page(visit, pending, status_of(error), said(error))
    _pending_apps(visit).forget(pending.id)
    return visit.go(_assigned(visit, pending.name))


# hardware tokens


def show_token(visit: Visit) -> Response:
    return visit.page("assign_hardware_token.html", name=visit.query("name"))


def assign_token(visit: Visit) -> Response:
    visit.demand_own("iam:EnableMFADevice")
    name, serial_number = visit.text("name"), visit.text("serial").strip()
    codes = clean(visit.text("code1")), clean(visit.text("code2"))
    try:
        _check_name(name)
        visit.verifier.enable(visit.user, serial_number, *codes, name=name, session=visit.cookie)
    except VerifierError as error:
        text = _readable(error)
        if isinstance(error, NoSuchEntity):
            text = (
                f"There is no token {serial_number} in this account. Compare the number with that"
                " on the back of the token; an administrator imports the seeds of new ones."
            )
        return visit.page(
            "assign_hardware_token.html",
            status_of(error),
            error=text,
            name=name,
            form={"serial": serial_number},
        )
    return visit.go(_assigned(visit, name))


_OPEN = (SIGNED_IN, ENROL)
ASSIGN_ROUTES = [
    Route("/assign", visited(choose, _OPEN)),
    Route("/assign", visited(chosen, _OPEN), methods=["POST"]),
    Route("/assign/security-key", visited(show_key, _OPEN)),
    Route("/assign/security-key/begin", visited(begin_key, _OPEN), methods=["POST"]),
    Route("/assign/security-key/complete", visited(complete_key, _OPEN), methods=["POST"]),
    Route("/assign/authenticator-app", visited(show_app, _OPEN)),
    Route("/assign/authenticator-app", visited(assign_app, _OPEN), methods=["POST"]),
    Route("/assign/hardware-token", visited(show_token, _OPEN)),
    Route("/assign/hardware-token", visited(assign_token, _OPEN), methods=["POST"]),
]
