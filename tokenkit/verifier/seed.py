"""What a seed file says of a token, and what no token can have."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from tokenkit.verifier.errors import SeedFileError, ValidationError
from tokenkit.verifier.names import check_serial_number

_ALGORITHMS = ("SHA1", "SHA256", "SHA512")
_DIGITS = range(6, 9)
_PERIODS_S = range(1, 3601)
_MOST_SEED_BYTES = 1024


@dataclass(frozen=True)
class Seed:
    """What a seed file says of one TOTP token."""

    serial_number: str
    secret: bytes = field(repr=False)
    algorithm: str
    digits: int
    period_s: int


class Place(NamedTuple):
    """Where in a seed file a token is: its line, and which key of a PSKC file it is."""

    line: int | None
    key: int | None = None

    def __str__(self) -> str:
        parts = (("line", self.line), ("key", self.key))
        return ", ".join(f"{name} {number}" for name, number in parts if number is not None)


class Found(NamedTuple):
    """What is at a place: a token, or why there is none; its serial number as far as told."""

    place: Place
    serial_number: str
    seed: Seed | SeedFileError


Entries: TypeAlias = Iterator[Found]


def checked(seed: Seed) -> Seed:
    """``seed``, or SeedFileError if no token can have it."""

    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise SeedFileError(what)

    try:
        check_serial_number(seed.serial_number)
    except ValidationError as error:
        raise SeedFileError(str(error)) from None
    listed = ", ".join(_ALGORITHMS)
    demand(seed.algorithm in _ALGORITHMS, f"algorithm {seed.algorithm!r} is not one of {listed}")
    demand(seed.digits in _DIGITS, "its codes do not have 6 to 8 digits")
    demand(seed.period_s in _PERIODS_S, "its time interval is not 1 to 3600 s")
    demand(bool(seed.secret), "the secret key is empty")
    size = len(seed.secret)
    demand(size <= _MOST_SEED_BYTES, f"a secret key of {size} bytes: over {_MOST_SEED_BYTES}")
    return seed


def algorithm_named(name: str) -> str:
    """``name`` in our form: HMAC-SHA-256, hmacsha256 and SHA256 are one."""
    return name.upper().removeprefix("HMAC").replace("-", "") or "SHA1"
