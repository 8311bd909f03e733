"""Signing in, by password and then by an MFA device, and out."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tokenkit.verifier import (
    AccessDenied,
    Device,
    InvalidAuthenticationCode,
    Locked,
    NoSuchEntity,
    Throttled,
    ValidationError,
)
from tokenkit.verifier.console_sessions import ENROL, PASSWORD, SIGNED_IN
from tokenkit.verifier.passwords import LONGEST_WAIT_S
from tokenkit.virtual import SimulatedClock
from tokenkit.web.codes import clean
from tokenkit.web.pages import counted
from tokenkit.web.security_key import begun, completed
from tokenkit.web.visit import START_PAGE, Visit, visited

# one text each, so that a stranger learns nothing: not which names there are, nor what was wrong
WRONG_PASSWORD = (
    "Your authentication information is incorrect, or you tried too soon after a wrong password."
)
WRONG_CODE = (
    "MFA failed: the code is not valid, was used already, or came too soon after a wrong one."
    " Wait for the next code and enter it."
)
WRONG_PAIR = (
    "The device could not be synchronised. Wait a few seconds, then enter two codes that it shows"
    " one after the other and that were not used before."
)
_GUESSED = (InvalidAuthenticationCode, Throttled, Locked, NoSuchEntity, ValidationError)


def show_sign_in(visit: Visit) -> Response:
    return visit.page("sign_in.html")


def sign_in(visit: Visit) -> Response:
    user = visit.text("user").strip()
    try:
        visit.verifier.check_password(user, visit.text("password"))
    except (AccessDenied, Throttled, ValidationError):
        longest = f"up to {LONGEST_WAIT_S / 60:g} minutes"
        error = f"{WRONG_PASSWORD} {_how_long(visit, longest)}".rstrip()
        return visit.page("sign_in.html", 403, error=error, form={"user": user})
    return admit(visit, user, mfa=False)


def _how_long(visit: Visit, longest: str) -> str:
    """How long whoever was wrong has to wait, whether or not this visitor has to; "" if nobody."""
    delay_s = visit.verifier.totp.delay_s
    if not delay_s:
        return ""
    wait = f"{delay_s:g} s"
    text = f"After a wrong one wait {wait}, after each further one {wait} more, {longest}."
    if isinstance(visit.service.clock, SimulatedClock):
        text += (
            " The service's clock stands still: it has to be moved on, by a virtual token's page or"
            " by tokenkit ctl clock advance."
        )
    return text


def admit(visit: Visit, user: str, *, mfa: bool) -> Response:
    """Let somebody in, as far as a password alone leads, or with MFA."""
    now_s = visit.service.clock.now()
    visit.begin_session(user, mfa=mfa, signed_in_s=now_s, mfa_s=now_s if mfa else None)
    return visit.go(START_PAGE[visit.stage])


def _wrong(visit: Visit, text: str) -> str:
    lock_after = visit.verifier.totp.lock_after
    locked = f"until {counted(lock_after, 'wrong one')} in a row lock the device"
    return f"{text} {_how_long(visit, locked)}".rstrip()


def show_mfa(visit: Visit) -> Response:
    return _mfa_page(visit)


def _mfa_page(visit: Visit, status: int = 200, **context: Any) -> Response:
    devices = visit.verifier.devices(visit.user)
    return visit.page(
        "sign_in_mfa.html",
        status,
        code_devices=_code_devices(devices),
        has_key=any(not device.period_s for device in devices),
        virtual_tokens=bool(visit.service.tokens.all()),
        **{"offer_resync": False, **context},
    )


def _code_devices(devices: list[Device]) -> list[Device]:
    return [device for device in devices if device.period_s]


def sign_in_by_code(visit: Visit) -> Response:
    try:
        visit.verifier.sign_in(visit.user, clean(visit.text("code")))
    except _GUESSED:
        return _mfa_page(visit, 403, error=_wrong(visit, WRONG_CODE), offer_resync=True)
    return admit(visit, visit.user, mfa=True)


def show_resync(visit: Visit) -> Response:
    return _resync_page(visit)


def _resync_page(visit: Visit, status: int = 200, **context: Any) -> Response:
    devices = _code_devices(visit.verifier.devices(visit.user))
    return visit.page("sign_in_resync.html", status, code_devices=devices, **context)


def resync(visit: Visit) -> Response:
    """As AWS does: the two codes set the device right, and its next one signs in."""
    serial_number = visit.text("serial")
    codes = clean(visit.text("code1")), clean(visit.text("code2"))
    try:
        visit.verifier.resync(visit.user, serial_number, *codes)
    except _GUESSED:
        error = _wrong(visit, WRONG_PAIR)
        return _resync_page(visit, 403, error=error, form={"serial": serial_number})
    return visit.go(
        "sign-in/mfa", "The device is synchronised. Wait for its next code, and enter that."
    )


def begin_key(visit: Visit) -> Response:
    return begun(visit, lambda: visit.verifier.begin_assertion(visit.user))


def complete_key(visit: Visit) -> Response:
    def complete(ceremony_id: str, answer: object) -> str:
        visit.verifier.complete_assertion(ceremony_id, answer, user=visit.user)  # type: ignore[arg-type]
        admit(visit, visit.user, mfa=True)
        return visit.url("security-credentials")

    return completed(visit, complete)


def sign_out(visit: Visit) -> Response:
    visit.end_session()
    return visit.go("sign-in")


ANYBODY = [None, PASSWORD, ENROL, SIGNED_IN]
SIGN_IN_ROUTES = [
    Route("/sign-in", visited(show_sign_in, [None, PASSWORD])),
    Route("/sign-in", visited(sign_in, [None, PASSWORD]), methods=["POST"]),
    Route("/sign-in/mfa", visited(show_mfa, [PASSWORD])),
    Route("/sign-in/mfa", visited(sign_in_by_code, [PASSWORD]), methods=["POST"]),
    Route("/sign-in/resync", visited(show_resync, [PASSWORD])),
    Route("/sign-in/resync", visited(resync, [PASSWORD]), methods=["POST"]),
    Route("/sign-in/key/begin", visited(begin_key, [PASSWORD]), methods=["POST"]),
    Route("/sign-in/key/complete", visited(complete_key, [PASSWORD]), methods=["POST"]),
    Route("/sign-out", visited(sign_out, ANYBODY), methods=["POST"]),
]
