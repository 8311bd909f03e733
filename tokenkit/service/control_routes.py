"""The control API's routes: what each takes, does and answers with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from tokenkit.errors import TokenkitError
from tokenkit.service import clock
from tokenkit.service import control_orders as orders
from tokenkit.service.moments import duration_s, iso, moment_s
from tokenkit.service.service import Service
from tokenkit.verifier import NoSuchEntity, User, ValidationError
from tokenkit.verifier.desk import no_such_device
from tokenkit.verifier.throttle import is_locked
from tokenkit.virtual import HardwareToken, SimulatedClock


class NotNowError(TokenkitError):
    """An order that is right, but not in the state that things are in."""


class JsonLines(msgspec.Struct):
    """What an answer is made of that may be too long to be held: a JSON object a line."""


@dataclass(frozen=True)
class Route:
    """One method of one path. ``run`` gets the service and the order.

    takes: the struct of the body of a POST, of the query of a GET; None for neither.
    gives: the type of the answer; JsonLines of one that is sent as it is made.
    refuses: statuses of errors beside those that any request may have.
    """

    method: str
    path: str
    summary: str
    run: Callable[[Service, Any], Any]
    gives: Any
    takes: type[msgspec.Struct] | None = None
    status: HTTPStatus = HTTPStatus.OK
    refuses: tuple[HTTPStatus, ...] = ()


def _clock(service: Service, order: None = None) -> orders.ClockFacts:
    now_s = service.clock.now()
    return orders.ClockFacts(now_s, iso(now_s), not isinstance(service.clock, SimulatedClock))


def _advance(service: Service, order: orders.Advance) -> orders.ClockFacts:
    clock.advance(service, duration_s(order.by))
    return _clock(service)


def _set_clock(service: Service, order: orders.SetClock) -> orders.ClockFacts:
    clock.set_to(service, moment_s(order.to))
    return _clock(service)


def _tokens(service: Service, order: None) -> list[orders.TokenFacts]:
    return [_token(service, each) for each in service.tokens.all()]


def _make_tokens(service: Service, order: orders.MakeTokens) -> list[orders.TokenFacts]:
    made = service.tokens.make(order.prefix, order.count, place=order.place)
    return [_token(service, service.tokens.find(each)) for each in made]


def _press(service: Service, order: orders.WhichToken) -> orders.Shown:
    token = _find(service, order)
    display = token.press()
    code = display.digits if display.lit else None
    return orders.Shown(
        token.serial_number, code, display.bars, display.low_battery, token.why_dark
    )


def _two_codes(service: Service, order: orders.WhichToken) -> orders.TwoCodes:
    token, before_s = _find(service, order), service.clock.now()
    clock.demand_time(service, 2.0 * token.spec.period_s)
    codes = token.two_codes()
    service.verifier.note_clock(service.clock.now() - before_s)
    return orders.TwoCodes(token.serial_number, *codes)


def _move(service: Service, order: orders.MoveToken) -> orders.TokenFacts:
    token = _find(service, order)
    service.tokens.move(token.serial_number, order.place)
    return _token(service, token)


def _battery(service: Service, order: orders.ChangeBattery) -> orders.TokenFacts:
    token, outage_s = _find(service, order), duration_s(order.outage)
    try:
        token.replace_battery(outage_s)
    except ValueError:
        raise NotNowError(
            f"token {token.serial_number} is without a battery already: {token.why_dark};"
            " move the clock forward"
        ) from None
    return _token(service, token)


def _find(service: Service, order: orders.WhichToken) -> HardwareToken:
    if order.serial_number is not None:
        return service.tokens.find(order.serial_number)
    tokens = service.tokens.all()
    if len(tokens) != 1:
        raise NoSuchEntity(
            f"Say which virtual token by its serial number (tokenkit ctl: --serial): there are"
            f" {len(tokens)}."
            if tokens
            else "There is no virtual token: tokenkit ctl make-tokens makes some."
        )
    return tokens[0]


def _token(service: Service, token: HardwareToken) -> orders.TokenFacts:
    return orders.TokenFacts(
        serial_number=token.serial_number,
        algorithm=token.spec.algorithm,
        digits=token.spec.digits,
        period_s=token.spec.period_s,
        place=service.tokens.place(token.serial_number),
        error_s=token.token_clock.error_s(service.clock.now()),
        low_battery=token.low_battery,
        battery_empty=token.battery_empty,
        dark_until=None if token.dark_until_s is None else iso(token.dark_until_s),
    )


def _devices(service: Service, order: orders.OfUser) -> list[orders.DeviceFacts]:
    return [
        orders.DeviceFacts(
            serial_number=device.serial_number,
            kind=device.kind,
            name=device.name,
            user=device.user,
            enabled_s=device.enabled_s,
            last_used_s=device.last_used_s,
            offset_s=device.offset_s,
            failures=device.failures,
            locked=device.locked,
            clone_suspected=device.clone_suspected,
        )
        for device in service.verifier.devices(order.user or None)
    ]


def _unlock(service: Service, order: orders.Unlock) -> orders.Unlocked:
    verifier = service.verifier
    try:
        failures = verifier.unlock(order.serial_number)
    except ValidationError:  # none can have it
        raise no_such_device(order.serial_number) from None
    return orders.Unlocked(order.serial_number, failures, is_locked(verifier.totp, failures))


def _users(service: Service, order: None) -> list[orders.UserFacts]:
    return [_user(each) for each in service.verifier.users()]


def _make_user(service: Service, order: orders.MakeUser) -> orders.UserFacts:
    verifier, password = service.verifier, order.password
    hashed = None if password is None else verifier.hash_password(password)
    return _user(verifier.create_user(order.name, path=order.path, password_hash=hashed))


def _user(user: User) -> orders.UserFacts:
    return orders.UserFacts(
        user.name, user.id, user.arn, user.path, user.created_s, user.has_password
    )


def _findings(service: Service, order: None) -> list[orders.FindingFacts]:
    return [
        orders.FindingFacts(each.kind, each.user, each.serial_number, each.what, each.advice)
        for each in service.verifier.findings()
    ]


def _audit(service: Service, order: None) -> Iterator[str]:
    return service.verifier.export_audit()


_MISSING = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT

ROUTES = (
    Route("GET", "/clock", "Read the clock", _clock, orders.ClockFacts),
    Route("POST", "/clock/advance", "Move it forward", _advance, orders.ClockFacts, orders.Advance),
    Route(
        "POST", "/clock/set", "Move it to a time", _set_clock, orders.ClockFacts, orders.SetClock
    ),
    Route("GET", "/tokens", "List the virtual tokens", _tokens, list[orders.TokenFacts]),
    Route(
        "POST",
        "/tokens",
        "Make virtual tokens, and import their seeds",
        _make_tokens,
        list[orders.TokenFacts],
        orders.MakeTokens,
        HTTPStatus.CREATED,
        (_CONFLICT,),
    ),
    Route(
        "POST",
        "/tokens/press",
        "Press a token's button, and look",
        _press,
        orders.Shown,
        orders.WhichToken,
        refuses=(_MISSING,),
    ),
    Route(
        "POST",
        "/tokens/two-codes",
        "Read two consecutive codes",
        _two_codes,
        orders.TwoCodes,
        orders.WhichToken,
        refuses=(_MISSING, _CONFLICT),
    ),
    Route(
        "POST",
        "/tokens/move",
        "Lay a token elsewhere",
        _move,
        orders.TokenFacts,
        orders.MoveToken,
        refuses=(_MISSING,),
    ),
    Route(
        "POST",
        "/tokens/battery",
        "Change a token's battery",
        _battery,
        orders.TokenFacts,
        orders.ChangeBattery,
        refuses=(_MISSING, _CONFLICT),
    ),
    Route(
        "GET",
        "/devices",
        "List the enabled devices",
        _devices,
        list[orders.DeviceFacts],
        orders.OfUser,
        refuses=(_MISSING,),
    ),
    Route(
        "POST",
        "/devices/unlock",
        "Forget a device's wrong codes",
        _unlock,
        orders.Unlocked,
        orders.Unlock,
        refuses=(_MISSING,),
    ),
    Route("GET", "/users", "List the users", _users, list[orders.UserFacts]),
    Route(
        "POST",
        "/users",
        "Make a user",
        _make_user,
        orders.UserFacts,
        orders.MakeUser,
        HTTPStatus.CREATED,
        (_CONFLICT,),
    ),
    Route("GET", "/findings", "Say what is amiss", _findings, list[orders.FindingFacts]),
    Route("GET", "/audit", "Export the log as JSON Lines", _audit, JsonLines),
)
