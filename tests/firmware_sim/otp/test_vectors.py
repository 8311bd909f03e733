"""The published test vectors, read off the device's display; pyotp as a second opinion."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.hotp import hotp
from firmware_sim.otp.token import HardwareToken, TokenKind
from firmware_sim.world.clock import SimulatedClock

MakeToken = Callable[..., tuple[HardwareToken, SimulatedClock]]

SEED = b"12345678901234567890"
HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}

RFC_4226_CODES = [
    "755224",
    "287082",
    "359152",
    "969429",
    "338314",
    "254676",
    "287922",
    "162583",
    "399871",
    "520489",
]

RFC_6238_CODES = {
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}

seeds = st.binary(min_size=16, max_size=80)


def base32(seed: bytes) -> str:
    return base64.b32encode(seed).decode()


def test_rfc_4226_appendix_d_on_the_device(make_token: MakeToken) -> None:
    token, clock = make_token(kind=TokenKind.HOTP)
    shown = []
    for _ in RFC_4226_CODES:
        shown.append(token.code())
        clock.advance(31)  # asleep
    assert shown == RFC_4226_CODES


@pytest.mark.parametrize("true_s", RFC_6238_CODES)
@pytest.mark.parametrize("algorithm", HASHES)
def test_rfc_6238_appendix_b_on_the_device(
    true_s: int, algorithm: str, make_token: MakeToken
) -> None:
    length = {"SHA1": 20, "SHA256": 32, "SHA512": 64}[algorithm]
    token, clock = make_token(
        made_s=max(0.0, true_s - 86_400.0),
        seed=(SEED * 4)[:length],
        algorithm=algorithm,
        digits=8,
    )
    clock.set(true_s)
    assert token.code() == RFC_6238_CODES[true_s][list(HASHES).index(algorithm)]


@given(seeds, st.integers(0, 2**64 - 1), st.integers(6, 8), st.sampled_from(list(HASHES)))
def test_hotp_equals_pyotp(seed: bytes, counter: int, digits: int, algorithm: str) -> None:
    other = pyotp.HOTP(base32(seed), digits=digits, digest=HASHES[algorithm])
    assert hotp(seed, counter, digits, algorithm) == other.at(counter)


@given(
    seed=seeds,
    true_s=st.integers(0, 253_402_300_799),
    digits=st.integers(6, 8),
    algorithm=st.sampled_from(list(HASHES)),
    period_s=st.sampled_from([30, 60]),
)
def test_totp_on_the_device_equals_pyotp(
    seed: bytes, true_s: int, digits: int, algorithm: str, period_s: int, make_token: MakeToken
) -> None:
    token, _ = make_token(
        made_s=true_s, seed=seed, digits=digits, algorithm=algorithm, period_s=period_s
    )
    other = pyotp.TOTP(base32(seed), digits=digits, digest=HASHES[algorithm], interval=period_s)
    assert token.code() == other.at(datetime.fromtimestamp(true_s, UTC))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"counter": -1}, "counter"),
        ({"counter": 2**64}, "counter"),
        ({"digits": 5}, "6, 7 or 8"),
        ({"digits": 9}, "6, 7 or 8"),
        ({"algorithm": "MD5"}, "SHA1, SHA256, SHA512"),
    ],
)
def test_hotp_refuses_what_no_token_has(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hotp(SEED, **({"counter": 0} | arguments))
