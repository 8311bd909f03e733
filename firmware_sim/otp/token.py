"""The TOTP or HOTP token: a seed, a crystal, a battery, a button and a display."""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from firmware_sim.otp.battery import Battery
from firmware_sim.otp.display import Display
from firmware_sim.otp.face import BARS, back_svg
from firmware_sim.otp.hotp import check_code_format, hotp
from firmware_sim.world.clock import Clock
from firmware_sim.world.environment import Schedule
from firmware_sim.world.flash import Flash, MemoryFlash
from firmware_sim.world.oscillator import Crystal, Oscillator
from firmware_sim.world.token_clock import BatteryChange, ClockEvent, Stuck, TokenClock

LIT_S = 30.0
_REGISTER = 1 << 64  # values of a counter, RFC 4226 section 5.1; it wraps around
PERIODS_S = (30, 60)
_YEAR_10000_S = 253_402_300_800.0
_SERIAL_NUMBER = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)


class TokenKind(StrEnum):
    TOTP = "TOTP"
    HOTP = "HOTP"


class EmptyBatteryError(ValueError):
    """There is no code to read: the display stays dark."""


@dataclass(frozen=True)
class TokenSpec:
    """What the factory put into one token. ValueError if a field is out of range.

    serial_number: 9 to 256 of the characters that IAM accepts in one.
    seed: the secret key, at least 16 bytes (RFC 4226 section 4, R6).
    algorithm, digits, period_s: SHA1, SHA256 or SHA512; 6 to 8; 30 or 60 (an HOTP token has no
        use for the period).
    crystal, entropy_key: what its clock does, see ``firmware_sim.world.oscillator``; the key has
        1 to 64 bytes.
    made_s: true time at which the factory set the clock and fitted the battery.
    """

    serial_number: str
    seed: bytes = field(repr=False)
    kind: TokenKind = TokenKind.TOTP
    algorithm: str = "SHA1"
    digits: int = 6
    period_s: int = 30
    crystal: Crystal = field(default_factory=Crystal)
    entropy_key: bytes = field(default=bytes(32), repr=False)
    made_s: float = 0.0

    def __post_init__(self) -> None:
        check_serial_number(self.serial_number)
        if len(self.seed) < 16:
            raise ValueError(f"a seed has at least 16 bytes, not {len(self.seed)}")
        check_code_format(self.digits, self.algorithm)
        if self.period_s not in PERIODS_S:
            raise ValueError(f"a time step is 30 or 60 s, not {self.period_s}")
        if not 1 <= len(self.entropy_key) <= 64:
            raise ValueError(f"an entropy key has 1 to 64 bytes, not {len(self.entropy_key)}")
        if not 0.0 <= self.made_s < _YEAR_10000_S:  # also refuses NaN
            raise ValueError(f"a token is made between 1970 and 9999, not at {self.made_s}")


def check_serial_number(serial_number: str) -> None:
    """ValueError unless it has 9 to 256 of the characters that IAM accepts in one."""
    if not _SERIAL_NUMBER.fullmatch(serial_number):
        raise ValueError(
            f"serial number {serial_number!r}: it has 9 to 256 of the characters"
            " A-Z a-z 0-9 _ + = / : , . @ -"
        )


class HardwareToken:
    """A token that lies where ``environment`` says; ``clock`` is true time, which it cannot read.

    The button lights the display, which sleeps 30 s later by the token's own clock. Pressing it
    again before then keeps it lit for another 30 s: a TOTP code goes on following the time step,
    an HOTP token goes on showing the same code, so that impatience does not use up codes. An HOTP
    token writes its counter to ``flash`` before it shows a code: after a power cut at any moment
    a code may have been skipped, but none is shown twice.

    When the battery is empty the clock stops and the display stays dark.
    """

    def __init__(
        self,
        spec: TokenSpec,
        clock: Clock,
        environment: Schedule,
        flash: Flash | None = None,
        battery: Battery | None = None,
    ) -> None:
        if clock.now() < spec.made_s:
            raise ValueError(f"token {spec.serial_number} is not made before {_iso(spec.made_s)}")
        self.spec = spec
        self.environment = environment
        self.battery = Battery() if battery is None else battery
        self._clock = clock
        self._flash = MemoryFlash() if flash is None else flash
        oscillator = Oscillator(spec.crystal, environment, spec.entropy_key, spec.made_s)
        self._token_clock = TokenClock(oscillator)
        self._fitted_s = spec.made_s  # true time of the present battery
        self._presses = 0  # on the present battery
        self._pressed_s = spec.made_s  # true time of the last press
        self._stopped = False  # whether the battery's end has stopped the clock
        # in memory, lost with the battery: token time of the last press, counter being shown
        self._lit_from_s: float | None = None
        self._counter = 0

    @property
    def serial_number(self) -> str:
        """As printed on the back."""
        return self.spec.serial_number

    @property
    def token_clock(self) -> TokenClock:
        """The token's own clock; it stands still since the battery's end, if that is past."""
        self._check_battery()
        return self._token_clock

    @property
    def low_battery(self) -> bool:
        """Whether the battery is low; the sign shows only while the display is lit."""
        return self.battery.is_low(self._clock.now() - self._fitted_s, self._presses)

    @property
    def battery_empty(self) -> bool:
        """Whether the battery has ended, and with it the clock."""
        self._check_battery()
        return self._stopped

    @property
    def dark_until_s(self) -> float | None:
        """True time at which a new battery will be in, while the token is without one."""
        return self._fitted_s if self._clock.now() < self._fitted_s else None

    @property
    def why_dark(self) -> str | None:
        """Why no press lights the display, None if one does."""
        if self._has_power:
            return None
        if self.dark_until_s is None:
            return "it has no power, its battery is empty"
        return f"it has no power until {_iso(self.dark_until_s)}, when a new battery is in"

    def press(self) -> Display:
        """Press the button, and look. Without power nothing happens."""
        if not self._has_power:
            return self.display()
        token_s = self._token_s
        if self.spec.kind is TokenKind.HOTP and not self._is_lit(token_s):
            self._counter = self._take_counter()
        self._lit_from_s = token_s
        self._presses += 1
        self._pressed_s = self._clock.now()
        return self.display()

    def display(self) -> Display:
        """What the display shows now, without a press."""
        spec = self.spec
        if not self._has_power or not self._is_lit(token_s := self._token_s):
            return Display(lit=False, places=spec.digits)
        if spec.kind is TokenKind.HOTP:
            counter, bars = self._counter, 0
        else:
            counter = int(token_s // spec.period_s) % _REGISTER
            # just before a time step the remainder of a negative time is rounded up to a whole one
            bars = max(1, BARS - int(token_s % spec.period_s * BARS / spec.period_s))
        code = hotp(spec.seed, counter, spec.digits, spec.algorithm)
        return Display(True, code, bars, self.low_battery, spec.digits)

    def back_svg(self) -> str:
        """The token from behind as an SVG document, with its label: the serial number, its kind."""
        spec = self.spec
        kind = f"{spec.kind} {spec.algorithm}, {spec.digits} digits"
        if spec.kind is TokenKind.TOTP:
            kind += f", {spec.period_s} s"
        made = f"Made {_iso(spec.made_s)[:10]}"
        return back_svg(self.serial_number, (kind, made, "Simulated token"), spec.digits)

    def code(self) -> str:
        """Press the button and read the digits; EmptyBatteryError if none appear."""
        display = self.press()
        if not display.lit:
            raise EmptyBatteryError(
                f"the display of token {self.serial_number} stays dark: {self.why_dark}"
            )
        return display.digits

    def two_codes(self) -> tuple[str, str]:
        """Read two consecutive codes, as one does to enable or resynchronise a token.

        Waits until a TOTP token is amid its next time step, or until an HOTP token's display has
        gone out. If the clock stands still the codes are the same.
        """
        first = self.code()
        period_s = self.spec.period_s
        if self.spec.kind is TokenKind.TOTP:
            wait_s = period_s - self._token_s % period_s + period_s / 2
        else:
            wait_s = LIT_S + 1.0  # by a slow clock, too
        self._clock.wait_until(self._clock.now() + wait_s)
        return first, self.code()

    def replace_battery(self, outage_s: float) -> None:
        """Take the battery out now, and have a new one in ``outage_s`` seconds later.

        Meanwhile the token is dark, and then its clock goes on from where it stopped: now, or
        when the old battery ended. ValueError if ``outage_s`` is negative or not finite, or if
        the last replacement is not over.
        """
        now_s = self._clock.now()
        self.token_clock.add(BatteryChange(now_s, outage_s))
        self._fitted_s = self._pressed_s = now_s + outage_s
        self._presses = 0
        self._stopped = False
        self._lit_from_s = None

    @property
    def _token_s(self) -> float:
        """Token time, all that the token knows of time."""
        return self._token_clock.read(self._clock.now())

    @property
    def _has_power(self) -> bool:
        return not self.battery_empty and self._clock.now() >= self._fitted_s

    def _is_lit(self, token_s: float) -> bool:
        # A clock set back under a lit display puts the press into the future: it stays lit.
        return self._lit_from_s is not None and token_s - self._lit_from_s < LIT_S

    def _take_counter(self) -> int:
        """The counter to show: the flash has moved on before anybody sees its code."""
        key = f"otp/{self.serial_number}/counter"
        counter = int.from_bytes(self._flash.get(key) or b"", "big")
        self._flash.write({key: ((counter + 1) % _REGISTER).to_bytes(8, "big")})
        return counter

    def _check_battery(self) -> None:
        """Stop the clock where the battery ended, once that is past."""
        if self._stopped:
            return
        # a press can take the last of the charge, but not before it happens
        end_s = max(self._fitted_s + self.battery.life_s(self._presses), self._pressed_s)
        if self._clock.now() >= end_s:
            # an event that is under way has its end first
            last_s = max(map(_end_s, self._token_clock.events), default=end_s)
            self._token_clock.add(Stuck(max(end_s, last_s)))
            self._stopped = True


def _iso(true_s: float) -> str:
    return f"{datetime.fromtimestamp(true_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _end_s(event: ClockEvent) -> float:
    match event:
        case BatteryChange(at_s, outage_s):
            return at_s + outage_s
        case Stuck(_, until_s) if until_s is not None and until_s < math.inf:
            return until_s
    return event.at_s
