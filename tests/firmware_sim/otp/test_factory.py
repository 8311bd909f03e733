"""Batches: serial numbers, secrets, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.factory import MONTH_S, Batch, Factory
from firmware_sim.otp.hotp import SEED_BYTES
from firmware_sim.otp.token import TokenKind, TokenSpec
from firmware_sim.world.entropy import OsEntropy, SeededEntropy

MADE_S = 1_767_225_600.0
IAM_CHARACTERS = "ABCXYZabcxyz0189_+=/:,.@-"


def factory(seed: int | str = 1) -> Factory:
    return Factory(SeededEntropy(seed), MADE_S)


@given(
    st.text(IAM_CHARACTERS, min_size=1, max_size=248),
    st.integers(1, 5),
    st.integers(0, 10**8 - 5),
)
def test_serial_numbers_are_in_order(prefix: str, count: int, first: int) -> None:
    batch = factory().make_batch(prefix, count, first)
    numbers = [spec.serial_number for spec in batch.tokens]
    assert numbers == [prefix + str(first + i).rjust(8, "0") for i in range(count)]
    assert numbers == sorted(numbers)
    assert [batch.find(number) for number in numbers] == batch.tokens


def test_the_last_number_there_is() -> None:
    [spec] = factory().make_batch("TK", 1, 99_999_999).tokens
    assert spec.serial_number == "TK99999999"


@given(st.integers() | st.text(), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_a_part_of_a_batch_is_the_same_made_alone(
    seed: int | str, first: int, skip: int, count: int
) -> None:
    whole = factory(seed).make_batch("TKTEST", 8, first).tokens
    part = factory(seed).make_batch("TKTEST", count, first + skip).tokens
    assert part == whole[skip : skip + count]


def test_seed_prefix_and_number_each_change_all_secrets() -> None:
    specs = [
        *factory(1).make_batch("TKTEST", 3).tokens,
        *factory(2).make_batch("TKTEST", 3).tokens,
        *factory(1).make_batch("TKOTHER", 3).tokens,
    ]
    for secrets in (
        {spec.seed for spec in specs},
        {spec.entropy_key for spec in specs},
        {spec.crystal for spec in specs},
    ):
        assert len(secrets) == 9


@pytest.mark.parametrize("algorithm", SEED_BYTES)
@pytest.mark.parametrize("kind", TokenKind)
def test_options_reach_the_token_and_change_no_secret(algorithm: str, kind: TokenKind) -> None:
    [plain] = factory().make_batch("TKTEST", 1, algorithm="SHA512").tokens
    [spec] = (
        factory()
        .make_batch(
            "TKTEST", 1, kind=kind, algorithm=algorithm, digits=8, period_s=60, months_in_stock=12
        )
        .tokens
    )
    assert (spec.kind, spec.algorithm, spec.digits, spec.period_s) == (kind, algorithm, 8, 60)
    assert len(spec.seed) == {"SHA1": 20, "SHA256": 32, "SHA512": 64}[algorithm]
    assert plain.seed.startswith(spec.seed)
    assert (spec.entropy_key, spec.crystal) == (plain.entropy_key, plain.crystal)
    assert spec.made_s == MADE_S - 365.25 * 86_400


def test_without_a_seed_no_two_batches_are_the_same() -> None:
    maker = Factory(OsEntropy(), MADE_S)
    specs = [*maker.make_batch("TKTEST", 2).tokens, *maker.make_batch("TKTEST", 2).tokens]
    assert len({spec.seed for spec in specs}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "at least one token"),
        ({"count": -1}, "at least one token"),
        ({"first": -1}, "numbers from 0 to 99999999"),
        ({"first": 10**8}, "numbers from 0 to 99999999"),
        ({"count": 2, "first": 10**8 - 1}, "not 2 from 99999999 on"),
        ({"count": 10**8 + 1, "first": 0}, "numbers from 0 to 99999999"),
        ({"prefix": ""}, "'00000001': it has 9 to 256"),
        ({"prefix": "A" * 249}, "9 to 256"),
        ({"prefix": "TK TEST"}, "A-Z a-z 0-9"),
        ({"prefix": "TÖKEN"}, "A-Z a-z 0-9"),
        ({"prefix": "TK\n"}, "A-Z a-z 0-9"),
        ({"prefix": "TK\udcff"}, "A-Z a-z 0-9"),
        ({"kind": "totp"}, "TOTP or HOTP, not totp"),
        ({"algorithm": "MD5"}, "SHA1, SHA256, SHA512, not MD5"),
        ({"digits": 5}, "6, 7 or 8 digits, not 5"),
        ({"digits": 9}, "6, 7 or 8 digits, not 9"),
        ({"period_s": 45}, "30 or 60 s, not 45"),
        ({"grade": "10ppm"}, "no grade '10ppm'; there are token, 20ppm, 50ppm, perfect"),
        ({"months_in_stock": -1}, "at least 0, not -1"),
        ({"months_in_stock": float("nan")}, "at least 0, not nan"),
        ({"months_in_stock": float("inf")}, "at least 0, not inf"),
        ({"months_in_stock": MADE_S / MONTH_S + 1}, "between 1970 and 9999"),
    ],
)
def test_bad_orders_are_refused(change: dict[str, Any], message: str) -> None:
    order: dict[str, Any] = {"prefix": "TKTEST", "count": 1} | change
    with pytest.raises(ValueError, match=message) as caught:
        factory().make_batch(**order)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UnicodeError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serial_number": "ABCDEFGH"}, "9 to 256"),
        ({"seed": bytes(15)}, "at least 16 bytes, not 15"),
        ({"entropy_key": b""}, "1 to 64 bytes, not 0"),
        ({"entropy_key": bytes(65)}, "1 to 64 bytes, not 65"),
        ({"made_s": -1.0}, "between 1970 and 9999"),
        ({"made_s": 253_402_300_800.0}, "between 1970 and 9999"),
        ({"made_s": float("nan")}, "between 1970 and 9999"),
    ],
)
def test_bad_tokens_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokenSpec(**({"serial_number": "ABCDEFGHI", "seed": bytes(16)} | change))


@pytest.mark.parametrize(
    ("count", "message"), [(3, "which has TK00000001 to TK00000003"), (1, "only TK00000001")]
)
def test_a_wrong_serial_number_is_told_the_range(count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factory().make_batch("TK", count).find("TK00000009")


def test_an_empty_batch_finds_nothing() -> None:
    with pytest.raises(ValueError, match="no token 'TK00000001'"):
        Batch([]).find("TK00000001")


def test_secrets_stay_out_of_a_printed_token() -> None:
    [spec] = factory().make_batch("TKTEST", 1).tokens
    assert repr(spec.seed) not in repr(spec)
    assert repr(spec.entropy_key) not in repr(spec)
    assert "TKTEST00000001" in repr(spec)
