"""The verifier on a real PostgreSQL."""

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction

from tokenkit.verifier import (
    EntityAlreadyExists,
    LimitExceeded,
    Replayed,
    SealingKeyError,
    StoreError,
    Throttled,
    Verifier,
)
from tokenkit.virtual import HardwareToken, World, connect, write_pskc

SEALING_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def url(postgresql: Any) -> Iterator[str]:
    with postgresql.database() as url:
        yield url


@pytest.fixture
def world() -> World:
    return World(seed=1)


def open_verifier(url: str, world: World, sealing_key: bytes = SEALING_KEY) -> Verifier:
    return Verifier(url, now=world.clock.now, sealing_key=sealing_key)


def enabled_token(verifier: Verifier, world: World, user: str, prefix: str) -> HardwareToken:
    token = world.token(prefix=prefix)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seeds.xml"
        write_pskc([token.spec], path)
        verifier.import_seeds(path)
        with pytest.raises(EntityAlreadyExists):
            verifier.import_seeds(path)
    verifier.enable(user, token.serial_number, *token.two_codes())
    world.clock.wait_until(world.clock.now() + 30)
    return token


def test_tokens(url: str, world: World) -> None:
    with open_verifier(url, world) as verifier:
        verifier.create_user("ann")
        token = enabled_token(verifier, world, "ann", "TOKEN")
        code = token.code()
        assert verifier.sign_in("ann", code).device.serial_number == token.serial_number
        with pytest.raises(Replayed):
            verifier.sign_in("ann", code)
        with pytest.raises(Throttled):
            verifier.sign_in("ann", code)
        world.clock.wait_until(world.clock.now() + 60)
        verifier.resync("ann", token.serial_number, *token.two_codes())
    with open_verifier(url, world) as again:
        [device] = again.devices("ann")
        assert (device.serial_number, device.failures) == (token.serial_number, 0)
        assert [event.event for event in again.audit("ann")] == [
            "create-user",
            "enable",
            "sign-in",
            "sign-in-refused",
            "sign-in-refused",
            "resync",
        ]
        again.deactivate("ann", token.serial_number)
        assert again.devices("ann") == []


def test_one_code_many_requests(url: str, world: World) -> None:
    """Whatever the database does with concurrent transactions, one gets in."""
    with open_verifier(url, world) as verifier:
        verifier.create_user("bob")
        token = enabled_token(verifier, world, "bob", "RACED")
        start = threading.Barrier(8)

        def attempt(code: str) -> bool:
            start.wait()
            try:
                verifier.sign_in("bob", code)
            except (Replayed, Throttled):
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            for _ in range(5):
                accepted = sum(threads.map(attempt, [token.code()] * 8))
                assert accepted == 1
                world.clock.wait_until(world.clock.now() + 60)
        # the second in each round was looked at, the others came too soon after it
        assert verifier.devices("bob")[0].failures == 1


def test_eight_devices_though_nine_come_at_once(url: str, world: World) -> None:
    with open_verifier(url, world) as verifier:
        verifier.create_user("eve")
        tokens = world.make_batch("NINTH", 9).tokens
        made = [world.token(spec) for spec in tokens]
        with tempfile.TemporaryDirectory() as folder:
            write_pskc(tokens, Path(folder) / "seeds.xml")
            verifier.import_seeds(Path(folder) / "seeds.xml")
        codes = [token.two_codes() for token in made]
        start = threading.Barrier(9)

        def enable(number: int) -> bool:
            start.wait()
            try:
                verifier.enable("eve", made[number].serial_number, *codes[number])
            except LimitExceeded:
                return False
            return True

        with ThreadPoolExecutor(9) as threads:
            assert sum(threads.map(enable, range(9))) == 8
        assert len(verifier.devices("eve")) == 8


def test_a_security_key(url: str, world: World) -> None:
    with open_verifier(url, world) as verifier:
        verifier.create_user("joe")
        client = Fido2Client(
            connect(world.security_key()),
            client_data_collector=DefaultClientDataCollector(verifier.webauthn.origin),
            user_interaction=UserInteraction(),
        )
        begun = verifier.begin_registration("joe", user_verification="discouraged")
        answer = client.make_credential(begun.options.public_key)
        key = verifier.complete_registration(begun.id, answer, name="key")
        begun = verifier.begin_assertion("joe", user_verification="discouraged")
        signed = client.get_assertion(begun.options.public_key).get_response(0)
        assert verifier.complete_assertion(begun.id, signed).device.name == "key"
        verifier.deactivate("joe", key.serial_number)
        assert verifier.devices("joe") == []


def test_another_sealing_key_is_refused(url: str, world: World) -> None:
    open_verifier(url, world).close()
    with pytest.raises(SealingKeyError):
        open_verifier(url, world, bytes(32))


def test_no_server_is_one_error(url: str, world: World) -> None:
    nowhere = "postgresql+psycopg://tokenkit@/postgres?host=/nonexistent"
    with pytest.raises(StoreError, match=r"/nonexistent"):
        open_verifier(nowhere, world)
