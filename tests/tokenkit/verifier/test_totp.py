"""Codes, and the window around the learned offset."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import (
    InvalidAuthenticationCode,
    MalformedCode,
    OutOfWindow,
    Replayed,
    totp,
)
from tokenkit.verifier.totp import CodeGenerator, TotpState, step, verify, verify_in

ALGORITHMS = ["SHA1", "SHA256", "SHA512"]

seeds = st.binary(min_size=1, max_size=200)
offsets = st.integers(-100_000, 100_000)


CodeAt = Callable[..., bytes]


@given(
    seeds,
    st.sampled_from(ALGORITHMS),
    st.integers(1, 8),
    st.lists(st.integers(-(2**63), 2**63)),
)
def test_codes_are_pyotps(
    code_at: CodeAt, seed: bytes, algorithm: str, digits: int, counters: list[int]
) -> None:
    generator = CodeGenerator(seed, algorithm, digits)
    assert generator.codes(counters) == [
        code_at(seed, digits, counter, algorithm) for counter in counters
    ]


@pytest.mark.parametrize(
    ("time_s", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_the_vectors_of_rfc_6238(time_s: float, sha1: str, sha256: str, sha512: str) -> None:
    key = b"1234567890" * 7
    for algorithm, key_bytes, code in [
        ("SHA1", 20, sha1),
        ("SHA256", 32, sha256),
        ("SHA512", 64, sha512),
    ]:
        generator = CodeGenerator(key[:key_bytes], algorithm, 8)
        assert generator.codes([step(time_s, 30)]) == [code.encode()]


@given(st.floats(-1e11, 1e11), st.integers(1, 3600))
@pytest.mark.parametrize("time_s", [1_699_999_979.999_999_8, -1e-9])
def test_a_step_is_the_exact_quotient_rounded_down(
    time_s: float, any_time_s: float, period_s: int
) -> None:
    assert step(any_time_s, period_s) == Fraction(any_time_s) // period_s
    assert step(time_s, 30) == Fraction(time_s) // 30


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_step_needs_a_time(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        step(bad, 30)


@pytest.mark.parametrize(
    "code",
    [
        *("", "12345", "1234567", " 12345", "123456 ", "12345\n", "12345a", "1" * 1_000_000),
        *(
            "+12345",
            "-12345",
            "1_2345",
            "0x1234",
            "٣٤٥٦٧٨",
            "²²²²²²",
            "１２３４５６",
            "12345\ud800",
        ),
    ],
)
def test_malformed_codes(code: str) -> None:
    with pytest.raises(MalformedCode, match="6 digits"):
        CodeGenerator(b"seed").parse(code)


def slow_verify(
    code_at: Callable[[int], bytes],
    state: TotpState,
    code: bytes,
    now_step: int,
    window_steps: int,
) -> TotpState | type[InvalidAuthenticationCode]:
    """The rules one by one, over every counter there could be."""
    right = set()
    for away in range(window_steps + 1):
        for counter in (now_step + state.offset_steps - away, now_step + state.offset_steps + away):
            if code_at(counter) == code:
                right.add((away, counter))
    if not right:
        return OutOfWindow
    if any(
        state.last_counter is not None and counter <= state.last_counter for _, counter in right
    ):
        return Replayed
    (_, nearest) = min(right)
    return TotpState(nearest - now_step, max(counter for _, counter in right))


@given(
    seeds,
    st.sampled_from(ALGORITHMS),
    st.integers(1, 8),
    st.sampled_from([30, 60]),
    st.floats(-4e9, 4e9),
    offsets,
    st.one_of(st.none(), st.integers(-15, 15)),
    st.integers(0, 12),
    st.integers(-15, 15),
)
def test_verification_against_the_slow_rules(
    code_at: CodeAt,
    seed: bytes,
    algorithm: str,
    digits: int,
    period_s: int,
    now_s: float,
    offset_steps: int,
    used: int | None,
    window_steps: int,
    shown: int,
) -> None:
    """One and two digits make codes collide within the window."""
    at = partial(code_at, seed, digits, algorithm=algorithm)
    now_step = step(now_s, period_s)
    expected = now_step + offset_steps
    state = TotpState(offset_steps, None if used is None else expected + used)
    code = at(expected + shown)
    judged: Any
    try:
        judged = verify(CodeGenerator(seed, algorithm, digits), state, code, now_step, window_steps)
    except InvalidAuthenticationCode as refusal:
        judged = type(refusal)
    assert judged == slow_verify(at, state, code, now_step, window_steps)


@given(seeds, offsets, st.integers(0, 12), st.integers(1, 6), st.data())
def test_the_same_digits_are_not_accepted_again_at_once(
    seed: bytes, now_step: int, window_steps: int, digits: int, data: st.DataObject
) -> None:
    """Learning the offset moves the window, perhaps to where the digits are right once more."""
    generator = CodeGenerator(seed, digits=digits)
    shown = data.draw(st.integers(-window_steps, window_steps))
    [code] = generator.codes([now_step + shown])
    state = verify(generator, TotpState(), code, now_step, window_steps)
    with pytest.raises(InvalidAuthenticationCode):
        verify(generator, state, code, now_step, window_steps)


@given(seeds, offsets, st.integers(-8, 0), st.integers(0, 8), st.integers(-12, 12))
def test_a_window_that_is_not_the_same_to_both_sides(
    seed: bytes, offset_steps: int, first: int, last: int, shown: int
) -> None:
    generator, now_step = CodeGenerator(seed), 60_000_000
    amid = now_step + offset_steps
    state = TotpState(offset_steps, amid - 4)
    [code] = generator.codes([amid + shown])
    counters = range(amid + first, amid + last + 1)
    if generator.codes(counters).count(code) > 1:  # once in a million
        return
    if amid + shown not in counters:
        with pytest.raises(OutOfWindow):
            verify_in(counters, generator, state, code, now_step)
    elif shown <= -4:
        with pytest.raises(Replayed):
            verify_in(counters, generator, state, code, now_step)
    else:
        found = verify_in(counters, generator, state, code, now_step)
        assert found == TotpState(offset_steps + shown, amid + shown)


def test_equal_digits_in_a_window_the_nearer_is_learned_and_all_are_used_up(
    code_at: CodeAt,
) -> None:
    seed, generator = b"seed", CodeGenerator(b"seed", digits=1)
    codes = [code_at(seed, 1, counter) for counter in range(1000)]
    same = next(c for c in range(10, 1000) if codes[c] == codes[c + 2] != codes[c + 1])
    state = verify(generator, TotpState(), codes[same], same + 1, 1)
    assert state == TotpState(-1, same + 2)
    state = verify(generator, TotpState(), codes[same], same + 2, 2)
    assert state == TotpState(0, same + 2)


def test_every_code_of_the_window_is_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(totp, "compare_digest", watched)
    generator = CodeGenerator(b"seed")
    codes = generator.codes(range(98, 103))
    verify(generator, TotpState(), codes[0], 100, 2)
    assert compared == [(code, codes[0]) for code in codes]
