"""The one-time password itself: RFC 4226, with the longer hashes of RFC 6238."""

import hmac

# hash: bytes in a seed as long as its output, which RFC 6238 Appendix B uses
SEED_BYTES = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
ALGORITHMS = tuple(SEED_BYTES)
DIGITS = (6, 7, 8)


def hotp(seed: bytes, counter: int, digits: int = 6, algorithm: str = "SHA1") -> str:
    """The code for ``counter`` (0 to 2⁶⁴ - 1), with leading zeros: RFC 4226 section 5.3.

    ``digits`` is 6, 7 or 8, ``algorithm`` SHA1, SHA256 or SHA512. For TOTP the counter is the
    time step (RFC 6238 section 4.2). ValueError if an argument is out of range.
    """
    check_code_format(digits, algorithm)
    if not 0 <= counter < 1 << 64:
        raise ValueError(f"a counter is from 0 to 2^64 - 1, not {counter}")
    mac = hmac.digest(seed, counter.to_bytes(8, "big"), algorithm.lower())
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def check_code_format(digits: int, algorithm: str) -> None:
    """ValueError unless the number of digits and the hash are ones that a token can have."""
    if digits not in DIGITS:
        raise ValueError(f"a code has 6, 7 or 8 digits, not {digits}")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"the algorithm is {', '.join(ALGORITHMS)}, not {algorithm}")
