"""What the control API takes and says, as JSON. Times are seconds since the Unix epoch, UTC."""

from typing import Annotated

import msgspec

from tokenkit.verifier import DeviceKind
from tokenkit.verifier.findings import FindingKind

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Seconds = Annotated[float, msgspec.Meta(description="seconds")]
Serial = Annotated[str, msgspec.Meta(description="serial number", max_length=256)]
Password = Annotated[str, msgspec.Meta(description="8 to 128 characters")]


class Order(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is sent has no member that is not known."""


class Advance(Order):
    """``by`` is a number of seconds, text such as "2 years", or an ISO 8601 duration."""

    by: Seconds | Text


class SetClock(Order):
    """``to`` is a number of seconds since the Unix epoch, or an ISO 8601 time with a zone."""

    to: Seconds | Text


class MakeTokens(Order):
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    prefix: Annotated[str, msgspec.Meta(min_length=1, max_length=248)] = "TKTEST"
    place: Text = "desk"


class WhichToken(Order):
    """Without a serial number the only token is meant."""

    serial_number: Serial | None = None


class MoveToken(WhichToken, kw_only=True):
    """``place`` is desk, drawer, pocket, car, warehouse, or a temperature such as "5 °C"."""

    place: Text


class ChangeBattery(WhichToken):
    """``outage`` is how long the token is without power: as Advance has it."""

    outage: Seconds | Text = 60.0


class Unlock(Order):
    serial_number: Serial


class MakeUser(Order):
    """Without a password the user cannot sign in to the console."""

    name: str
    password: Password | None = None
    path: str = "/"


class OfUser(Order):
    """Without a name all are meant."""

    user: str | msgspec.UnsetType = msgspec.UNSET


class Unlocked(msgspec.Struct):
    """``failures``: the wrong codes that were forgotten."""

    serial_number: str
    failures: int
    was_locked: bool


class ClockFacts(msgspec.Struct):
    """``runs``: with the computer's clock, or stands until it is moved."""

    now_s: float
    now: str
    runs: bool


class TokenFacts(msgspec.Struct):
    """``error_s``: what the token's clock shows less true time.

    ``dark_until``: when a new battery will be in, while there is none.
    """

    serial_number: str
    algorithm: str
    digits: int
    period_s: int
    place: str
    error_s: float
    low_battery: bool
    battery_empty: bool
    dark_until: str | None


class Shown(msgspec.Struct):
    """What the display shows after a press; ``code`` is None while it stays dark, for ``why_dark``.

    ``bars``: sixths of the time step that are left.
    """

    serial_number: str
    code: str | None
    bars: int
    low_battery: bool
    why_dark: str | None


class TwoCodes(msgspec.Struct):
    """Two consecutive codes; the clock was moved on to the second."""

    serial_number: str
    code1: str
    code2: str


class DeviceFacts(msgspec.Struct):
    serial_number: str
    kind: DeviceKind
    name: str
    user: str
    enabled_s: float
    last_used_s: float | None
    offset_s: float
    failures: int
    locked: bool
    clone_suspected: bool


class UserFacts(msgspec.Struct):
    name: str
    id: str
    arn: str
    path: str
    created_s: float
    has_password: bool


class FindingFacts(msgspec.Struct):
    """What is amiss with a user, or with that one's device, and the advice to mend it."""

    kind: FindingKind
    user: str
    serial_number: str | None
    what: str
    advice: str


class Refusal(msgspec.Struct):
    error: str
