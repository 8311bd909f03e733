"""Hardware tokens on the screen, for those who have none: display, button, back, and a clock."""

from functools import partial
from typing import Any

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from tokenkit.scenario.durations import DAY_S, YEAR_S
from tokenkit.service import clock
from tokenkit.verifier import ValidationError, VerifierError
from tokenkit.verifier.console_sessions import ENROL, PASSWORD, SIGNED_IN
from tokenkit.virtual import PLACES, HardwareToken, SimulatedClock
from tokenkit.web.admin_pages import administrators
from tokenkit.web.pages import counted
from tokenkit.web.visit import Visit, said, status_of, visited

ADVANCES = {
    "step": ("Half a minute", 30.0),
    "hour": ("An hour", 3600.0),
    "month": ("A month", YEAR_S / 12),
    "eight-months": ("Eight months", YEAR_S * 8 / 12),
}
MOST_AT_ONCE = 50
# whoever knows a password: the token is needed to get any further
users = partial(visited, stages=(PASSWORD, ENROL, SIGNED_IN))


@users
def show_drawer(visit: Visit) -> Response:
    return _drawer_page(visit)


def _drawer_page(visit: Visit, status: int = 200, **context: Any) -> Response:
    tokens = visit.service.tokens
    owners = {device.serial_number: device.user for device in visit.verifier.devices()}
    drawer = [
        (each.serial_number, tokens.place(each.serial_number), owners.get(each.serial_number))
        for each in tokens.all()
    ]
    return visit.page(
        "virtual_tokens.html", status, tokens=drawer, places=PLACES, most=MOST_AT_ONCE, **context
    )


@administrators("tokenkit:MakeVirtualTokens")
def make_tokens(visit: Visit) -> Response:
    count, place = visit.text("count"), visit.text("place")
    try:
        if not (count.isascii() and count.isdigit() and 1 <= int(count[:9]) <= MOST_AT_ONCE):
            raise ValidationError(f"Between 1 and {MOST_AT_ONCE} tokens are made at once.")
        _check_place(place)
        made = visit.service.tokens.make(count=int(count), place=place)
    except VerifierError as error:
        return _drawer_page(visit, status_of(error), error=said(error))
    return visit.go("virtual-tokens", f"{counted(len(made), 'token')} made.")


@users
def show_token(visit: Visit) -> Response:
    token = visit.service.tokens.find(visit.query("serial"))
    return _token_page(visit, token)


def _token_page(visit: Visit, token: HardwareToken) -> Response:
    return visit.page(
        "virtual_token.html",
        back=visit.query("side") == "back",
        back_picture=Markup(token.back_svg()),
        places=_warmth(),
        place=visit.service.tokens.place(token.serial_number),
        advances={name: words for name, (words, _) in _advances(visit).items()},
        stands_still=_stands_still(visit),
        **_now(visit, token),
    )


def _now(visit: Visit, token: HardwareToken) -> dict[str, Any]:
    """What of a token changes as time passes."""
    now_s = visit.service.clock.now()
    display = token.display()
    return {
        "serial_number": token.serial_number,
        "display": display,
        "face": Markup(display.svg()),
        "now_s": now_s,
        "error_s": token.token_clock.error_s(now_s),
        "temperature_c": token.environment.temperature_c(now_s),
        "battery_empty": token.battery_empty,
    }


@partial(users, is_use=False)
def show_now(visit: Visit) -> Response:
    """The part of a token's page that its script fetches each second."""
    token = visit.service.tokens.find(visit.query("serial"))
    return visit.page("virtual_token_now.html", **_now(visit, token))


@users
def press(visit: Visit) -> Response:
    token = visit.service.tokens.find(visit.text("serial"))
    token.press()
    return visit.go("virtual-token", serial=token.serial_number)


@users
def move(visit: Visit) -> Response:
    serial_number, place = visit.text("serial"), visit.text("place")
    _check_place(place)
    visit.service.tokens.move(serial_number, place)
    return visit.go("virtual-token", f"It lies here now: {place}.", serial=serial_number)


def _warmth() -> dict[str, float]:
    """The places, and how warm it is there on average, in °C."""
    return {name: place.moments(0.0, DAY_S)[0] / DAY_S for name, place in PLACES.items()}


def _check_place(place: str) -> None:
    if place not in PLACES:
        raise ValidationError(f"A token lies at one of these: {', '.join(PLACES)}.")


def _stands_still(visit: Visit) -> bool:
    return isinstance(visit.service.clock, SimulatedClock)


def _advances(visit: Visit) -> dict[str, tuple[str, float]]:
    """By how much the visitor may move the clock: one that stands still, everybody by a step.

    Else nobody could wait for the next code.
    """
    if visit.may("tokenkit:AdvanceClock"):
        return ADVANCES
    return {"step": ADVANCES["step"]} if _stands_still(visit) else {}


@users
def advance(visit: Visit) -> Response:
    serial_number, by = visit.text("serial"), visit.text("by")
    visit.service.tokens.find(serial_number)
    if by not in ADVANCES:
        raise ValidationError(f"The clock is moved by one of these: {', '.join(ADVANCES)}.")
    if by not in _advances(visit):
        visit.demand("tokenkit:AdvanceClock")
    words, seconds = ADVANCES[by]
    try:
        clock.advance(visit.service, seconds)
    except ValueError as error:
        raise ValidationError(f"{error}.") from None
    assert visit.session is not None
    # for who moves the clock no time has passed: everybody else's session may be over
    state = visit.session.state
    visit.begin_session(visit.user, mfa=state.get("mfa_s") is not None, **state)
    return visit.go("virtual-token", f"{words} later.", serial=serial_number)


TOKEN_ROUTES = [
    Route("/virtual-tokens", show_drawer),
    Route("/virtual-tokens", make_tokens, methods=["POST"]),
    Route("/virtual-token", show_token),
    Route("/virtual-token/now", show_now),
    Route("/virtual-token/press", press, methods=["POST"]),
    Route("/virtual-token/move", move, methods=["POST"]),
    Route("/virtual-token/advance", advance, methods=["POST"]),
]
