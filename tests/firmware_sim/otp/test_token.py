"""Button and display: what a person sees, and when."""

import base64
import hashlib
from collections.abc import Callable, Mapping

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.token import HardwareToken, TokenKind
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.flash import MemoryFlash, PowerCutError
from firmware_sim.world.token_clock import Step, Stuck

MakeToken = Callable[..., tuple[HardwareToken, SimulatedClock]]

MADE_S = 1_767_225_600.0  # begins a time step of 30 and of 60 s
HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}


def totp_of(token: HardwareToken, token_s: float) -> str:
    """What pyotp says the token shows when its own clock is at ``token_s``."""
    spec = token.spec
    other = pyotp.HOTP(
        base64.b32encode(spec.seed).decode(), digits=spec.digits, digest=HASHES[spec.algorithm]
    )
    return other.at(int(token_s) // spec.period_s)


def test_a_new_token_is_dark(make_token: MakeToken) -> None:
    token, _ = make_token(digits=8)
    assert token.serial_number == "TEST00001"
    display = token.display()
    assert (display.lit, display.digits, display.bars, display.places) == (False, "", 0, 8)


@given(
    algorithm=st.sampled_from(list(HASHES)),
    digits=st.integers(6, 8),
    period_s=st.sampled_from([30, 60]),
    later_s=st.floats(0, 3e7),
)
def test_a_press_shows_the_code_of_the_time_step(
    make_token: MakeToken, algorithm: str, digits: int, period_s: int, later_s: float
) -> None:
    token, clock = make_token(algorithm=algorithm, digits=digits, period_s=period_s)
    clock.advance(later_s)
    display = token.press()
    assert display.lit
    assert display.digits == totp_of(token, clock.now())
    assert len(display.digits) == display.places == digits


@pytest.mark.parametrize("period_s", [30, 60])
def test_a_bar_goes_out_with_each_sixth_of_the_time_step(
    make_token: MakeToken, period_s: int
) -> None:
    token, clock = make_token(period_s=period_s)
    seen = []
    for quarter in range(4 * period_s):
        clock.set(MADE_S + quarter / 4)
        seen.append(token.press().bars)
    sixth = 4 * period_s // 6
    assert seen == [bars for bars in (6, 5, 4, 3, 2, 1) for _ in range(sixth)]
    clock.set(MADE_S + period_s)
    assert token.press().bars == 6


@given(st.floats(0, 1e6), st.sampled_from([30, 60]))
def test_a_lit_display_always_has_a_bar(
    make_token: MakeToken, later_s: float, period_s: int
) -> None:
    token, clock = make_token(made_s=0.0, period_s=period_s)
    clock.advance(later_s)
    bars = token.press().bars
    assert 1 <= bars <= 6
    # the time left is in the last sixth that is still lit
    left_s = period_s - later_s % period_s
    assert (bars - 1) * period_s / 6 <= left_s + 1e-9
    assert left_s <= bars * period_s / 6 + 1e-9


@pytest.mark.parametrize("kind", TokenKind)
def test_the_display_sleeps_after_30_s(make_token: MakeToken, kind: TokenKind) -> None:
    token, clock = make_token(kind=kind)
    token.press()
    clock.advance(29.75)
    assert token.display().lit
    clock.advance(0.25)
    assert not token.display().lit
    assert token.display().digits == ""


@pytest.mark.parametrize("kind", TokenKind)
def test_a_second_press_keeps_it_lit_for_another_30_s(
    make_token: MakeToken, kind: TokenKind
) -> None:
    token, clock = make_token(kind=kind)
    token.press()
    clock.advance(20)
    token.press()
    clock.advance(29)
    assert token.display().lit
    clock.advance(1)
    assert not token.display().lit


def test_a_totp_code_follows_the_time_step_while_lit(make_token: MakeToken) -> None:
    token, clock = make_token()
    clock.advance(20)
    first = token.press()
    clock.advance(9.75)
    assert token.display().digits == first.digits
    clock.advance(0.25)
    assert token.display().digits == totp_of(token, clock.now()) != first.digits
    assert token.display().bars == 6


def test_looking_changes_nothing(make_token: MakeToken) -> None:
    token, _ = make_token(kind=TokenKind.HOTP)
    shown = token.press()
    assert [token.display() for _ in range(3)] == [shown] * 3


def test_impatience_uses_up_no_hotp_codes(make_token: MakeToken) -> None:
    token, clock = make_token(kind=TokenKind.HOTP)
    assert [token.code() for _ in range(3)] == ["755224"] * 3
    assert token.display().bars == 0
    clock.advance(30)
    assert token.code() == "287082"


def test_two_tokens_on_one_flash_count_for_themselves(make_token: MakeToken) -> None:
    flash = MemoryFlash()
    one, _ = make_token(kind=TokenKind.HOTP, flash=flash)
    two, _ = make_token(kind=TokenKind.HOTP, flash=flash, serial_number="TEST00002")
    assert (one.code(), two.code()) == ("755224", "755224")
    again, _ = make_token(kind=TokenKind.HOTP, flash=flash)
    assert again.code() == "287082"


def test_a_totp_token_writes_nothing(make_token: MakeToken) -> None:
    flash = MemoryFlash()
    token, _ = make_token(flash=flash)
    token.code()
    assert flash.contents == {}


class CutFlash(MemoryFlash):
    """Loses its supply before or after the write that it is told to."""

    cut: str | None = None

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        if self.cut == "before":
            raise PowerCutError
        super().write(changes)
        if self.cut == "after":
            raise PowerCutError


@pytest.mark.parametrize(("cut", "next_code"), [("before", "287082"), ("after", "359152")])
def test_a_power_cut_may_skip_a_code_and_shows_none_twice(
    make_token: MakeToken, cut: str, next_code: str
) -> None:
    flash = CutFlash()
    token, clock = make_token(kind=TokenKind.HOTP, flash=flash)
    assert token.code() == "755224"
    clock.advance(30)
    flash.cut = cut
    with pytest.raises(PowerCutError):
        token.press()
    assert not token.display().lit
    flash.cut = None
    assert token.code() == next_code


def test_the_counter_is_a_register_of_64_bits(make_token: MakeToken) -> None:
    flash = MemoryFlash({"otp/TEST00001/counter": b"\xff" * 8})
    token, clock = make_token(kind=TokenKind.HOTP, flash=flash)
    other = pyotp.HOTP(base64.b32encode(token.spec.seed).decode())
    assert token.code() == other.at(2**64 - 1)
    clock.advance(30)
    assert token.code() == other.at(0)


def test_a_clock_set_back_leaves_the_display_lit(make_token: MakeToken) -> None:
    token, clock = make_token()
    clock.advance(100)
    token.press()
    token.token_clock.add(Step(clock.now(), -50.0))
    clock.advance(79)
    assert token.display().lit
    assert token.display().digits == totp_of(token, clock.now() - 50)
    clock.advance(1)
    assert not token.display().lit


def test_a_clock_set_forward_sends_the_display_to_sleep(make_token: MakeToken) -> None:
    token, clock = make_token()
    token.press()
    token.token_clock.add(Step(clock.now(), 30.0))
    assert not token.display().lit


def test_a_stuck_clock_shows_the_same_code(make_token: MakeToken) -> None:
    token, clock = make_token()
    code = token.code()
    token.token_clock.add(Stuck(clock.now()))
    clock.advance(86_400)
    assert token.code() == code
    assert token.display().bars == 6


@given(st.floats(-1e12, 1e12))
def test_a_clock_at_any_time_shows_a_code(make_token: MakeToken, by_s: float) -> None:
    """Also before 1970, where the counter of time steps has wrapped around."""
    token, clock = make_token()
    token.token_clock.add(Step(clock.now(), by_s))
    display = token.press()
    step = int(token.token_clock.read(clock.now()) // 30) % 2**64  # exact, unlike a float
    other = pyotp.HOTP(base64.b32encode(token.spec.seed).decode())
    assert display.digits == other.at(step)
    assert 1 <= display.bars <= 6


def test_a_clock_just_before_1970_has_its_last_bar(make_token: MakeToken) -> None:
    token, _ = make_token(made_s=0.0)
    token.token_clock.add(Step(0.0, -1e-20))
    assert token.press().bars == 1


def test_a_token_is_not_there_before_it_is_made(make_token: MakeToken) -> None:
    token, clock = make_token()
    early = SimulatedClock(clock.now() - 1)
    with pytest.raises(ValueError, match="TEST00001 is not made before 2026-01-01T00:00:00Z"):
        HardwareToken(token.spec, early, token.environment)
