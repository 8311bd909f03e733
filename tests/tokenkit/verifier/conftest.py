"""A verifier on a clock that tests set, and phones and tokens whose codes pyotp makes."""

import base64
import hashlib
import itertools
import math
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pyotp
import pytest
from sqlalchemy import create_engine

from tokenkit.verifier import ROOT, Device, SignIn, Verifier, store
from tokenkit.verifier.seal import Sealer

START_S = 1_700_000_010.0  # at the beginning of a step of 30 s and of one of 60 s
COUNTERS = 2**64
DIGESTS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}


class Hotp(pyotp.HOTP):
    min_secret_length_bits = 8  # some tokens have short seeds


class Phone:
    """What shows codes: its clock is ``offset_s`` ahead of the verifier's."""

    def __init__(self, bench: "Bench", serial_number: str, hotp: pyotp.HOTP) -> None:
        self.bench, self.serial_number = bench, serial_number
        self.offset_s = 0.0
        self._hotp = hotp

    @property
    def counter(self) -> int:
        return math.floor((self.bench.now_s + self.offset_s) / 30)

    def code(self, steps: int = 0) -> str:
        """What it shows now, or showed or will show so many steps away."""
        return self._hotp.at((self.counter + steps) % COUNTERS)

    def pair(self, first: int = 0) -> tuple[str, str]:
        """Two consecutive codes, the first so many steps from now."""
        return self.code(first), self.code(first + 1)

    def wrong_code(self) -> str:
        """A code that is right at no time near by."""
        near = {self.code(steps) for steps in range(-300, 300)}
        return next(code for n in range(1000) if (code := f"{n:06d}") not in near)


class Bench:
    """A verifier in memory, unless ``url`` says otherwise, at :attr:`now_s`."""

    def __init__(self, **options: Any) -> None:
        self.now_s = START_S
        random_bytes = random.Random(1).randbytes
        self.verifier = Verifier(now=lambda: self.now_s, random_bytes=random_bytes, **options)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def new_phone(self, name: str = "phone") -> Phone:
        """A phone that scanned a QR code and is not enabled yet."""
        app = self.verifier.create_authenticator_app(name)
        totp = pyotp.parse_uri(app.uri)
        assert isinstance(totp, pyotp.TOTP)
        return self.token(app.serial_number, totp.secret)

    def token(self, serial_number: str, secret: str, digits: int = 6) -> Phone:
        """What shows the codes of a secret (base32)."""
        return Phone(self, serial_number, Hotp(secret, digits=digits))

    def phone(self, name: str = "phone", user: str = "root", offset_s: float = 0.0) -> Phone:
        """A phone that is enabled; the code it shows has not been used, nor is it too early."""
        phone = self.new_phone(name)
        phone.offset_s = offset_s
        self.enable(phone, user)
        self.wait(30)
        return phone

    def enable(self, phone: Phone, user: str = "root") -> Device:
        return self.verifier.enable(user, phone.serial_number, *phone.pair(-1))

    def sign_in(self, phone: Phone, code: str | None = None, user: str = "root") -> SignIn:
        code = phone.code() if code is None else code
        return self.verifier.sign_in(user, code, serial_number=phone.serial_number)

    def device(self, phone: Phone) -> Device:
        [device] = [
            each for each in self.verifier.devices() if each.serial_number == phone.serial_number
        ]
        return device


class CleanDatabases:
    """Databases of PostgreSQL that hold what new ones hold; each is used again after a while.

    Making the tables for each bench would take longer than most tests.
    """

    ALIVE = 6  # benches of one test

    def __init__(self, urls: list[str]) -> None:
        self._engines = {url: create_engine(url) for url in urls}
        self._next = itertools.cycle(urls)
        self._verifiers: dict[str, Verifier] = {}
        tables = reversed(store.metadata.sorted_tables)
        self._clean = ";".join(f"DELETE FROM {table.name}" for table in tables)
        for url in urls:
            Verifier(url, sealing_key=bytes(32)).close()

    def bench(self, **options: Any) -> Bench:
        """On a clean database, unless a test says on which."""
        if "url" in options:
            return Bench(**options)
        url = next(self._next)
        if url in self._verifiers:
            self._verifiers[url].close()
        random_bytes = random.Random(2).randbytes
        key = options.setdefault("sealing_key", random_bytes(32))
        root = {
            "name": ROOT,
            "handle": random_bytes(32),
            "id": "123456789012",
            "path": "/",
            "created_s": START_S,
        }
        with self._engines[url].begin() as connection:
            connection.exec_driver_sql(self._clean)
            store.fill(connection, Sealer(key, random_bytes).seal(b"tokenkit", "seeds"), root)
        bench = Bench(url=url, **options)
        self._verifiers[url] = bench.verifier
        return bench

    def close(self) -> None:
        for verifier in self._verifiers.values():
            verifier.close()
        for engine in self._engines.values():
            engine.dispose()


@pytest.fixture(scope="session")
def make_bench(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bench]]:
    """A bench on a database of its own, of the kind that ``--database`` names."""
    if request.config.getoption("--database") == "sqlite":
        yield Bench
        return
    postgresql = request.getfixturevalue("postgresql")
    with ExitStack() as stack:
        urls = [stack.enter_context(postgresql.database()) for _ in range(CleanDatabases.ALIVE)]
        databases = CleanDatabases(urls)
        stack.callback(databases.close)
        yield databases.bench


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


@pytest.fixture(scope="session")
def code_at() -> Callable[..., bytes]:
    """pyotp's code for a counter, also in so few digits that codes collide."""

    def code(seed: bytes, digits: int, counter: int, algorithm: str = "SHA1") -> bytes:
        secret = base64.b32encode(seed).decode()
        hotp = Hotp(secret, digits=max(6, digits), digest=DIGESTS[algorithm])
        return hotp.at(counter % COUNTERS)[-digits:].encode()

    return code
