import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fido2.hid
import pytest
from fido2.ctap2.base import Ctap2
from fido2.hid import CtapHidDevice, list_devices, open_device
from fido2.hid.base import HidDescriptor

from tokenkit.virtual import (
    Constant,
    MemoryFlash,
    OsEntropy,
    SecurityKey,
    SeededEntropy,
    SimulatedClock,
    SystemClock,
    UnpluggedError,
    World,
    connect,
    load_profile,
    never_touch,
    plugged,
    plugged_key,
    write_csv,
)

REAL = HidDescriptor("/dev/hidraw3", 0x1050, 0x0407, 64, 64, "YubiKey", None)
NAMES = ("list_descriptors", "get_descriptor", "open_connection")


@pytest.fixture(autouse=True)
def real_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HidDescriptor]]:
    """What python-fido2 really sees; whatever a test does, its functions come back."""
    real = [REAL]
    for name in NAMES:
        monkeypatch.setattr(fido2.hid, name, lambda *args: REAL)
    monkeypatch.setattr(fido2.hid, "list_descriptors", lambda: list(real))
    before = [getattr(fido2.hid, name) for name in NAMES]
    yield real
    assert [getattr(fido2.hid, name) for name in NAMES] == before


def paths() -> list[str | bytes]:
    return [descriptor.path for descriptor in fido2.hid.list_descriptors()]


def key() -> SecurityKey:
    return World(seed=1).security_key()


# -- the world ---------------------------------------------------------------------------------


def test_a_world_has_one_clock_and_one_entropy() -> None:
    world = World(seed=1, start_s=1000.0)
    assert isinstance(world.clock, SimulatedClock)
    assert world.clock.now() == 1000.0
    assert isinstance(world.entropy, SeededEntropy)
    assert world.security_key().clock is world.clock
    assert isinstance(World().entropy, OsEntropy)
    system = SystemClock()
    assert World(clock=system).clock is system
    with pytest.raises(ValueError, match="not both"):
        World(start_s=1.0, clock=system)


@pytest.mark.parametrize("seed", [1.5, b"1", [1], object()])
def test_a_seed_of_another_type_is_an_error_at_once(seed: Any) -> None:
    with pytest.raises(
        TypeError, match=r"a seed is an int or text, not .* \((float|bytes|list|obj)"
    ):
        World(seed=seed)


def test_devices_depend_on_the_seed_and_their_name_alone() -> None:
    first, second = World(seed=7), World(seed="7")
    alone = second.security_key(name="b")
    first.security_key(name="a")
    beside = first.security_key(name="b")
    assert beside.serial_number == alone.serial_number
    assert beside.entropy.bytes(16) == alone.entropy.bytes(16)
    assert World(seed=8).security_key(name="b").serial_number != alone.serial_number


def test_unnamed_keys_differ() -> None:
    for world in (World(seed=1), World()):
        keys = [world.security_key() for _ in range(3)]
        assert len({key.serial_number for key in keys}) == 3


def test_a_key_takes_its_parts() -> None:
    flash, finger = MemoryFlash(), never_touch()
    key = World(seed=1).security_key(load_profile("self-attested"), flash=flash, finger=finger)
    assert key.profile.name == "self-attested"
    assert key.flash is flash
    assert key.finger is finger
    with pytest.raises(ValueError, match="did you mean reference"):
        World().security_key("refrence")


def test_flash_of_an_earlier_key_is_that_key() -> None:
    flash = MemoryFlash()
    serial_number = World().security_key("self-attested", flash=flash).serial_number
    again = World().security_key(flash=flash)
    assert (again.profile.name, again.serial_number) == ("self-attested", serial_number)
    with pytest.raises(ValueError, match="a key of profile self-attested, not reference"):
        World().security_key("reference", flash=flash)


def test_a_key_with_a_past_draws_other_randomness_than_the_seed_gave_before() -> None:
    """Or each power-up would make the credentials of the one before once more."""

    def make(flash: MemoryFlash, user: bytes) -> Any:
        parties = {"id": "example.com", "name": "Example"}, {"id": user, "name": "user"}
        parameters: list[Any] = [{"type": "public-key", "alg": -7}]
        key = World(seed=1).security_key(flash=flash)
        made = Ctap2(connect(key)).make_credential(
            bytes(32), *parties, parameters, options={"rk": True}
        )
        return made.auth_data.credential_data

    flash = MemoryFlash()
    made = [make(flash, bytes([number])) for number in range(4)]
    assert len({each.credential_id for each in made}) == 4
    assert len({bytes(each.public_key[-2]) for each in made}) == 4
    other = MemoryFlash()
    assert [make(other, bytes([number])) for number in range(4)] == made


def test_batches_go_on_numbering() -> None:
    world = World(seed=1)
    batch = world.make_batch("GAHT", 3)
    more = world.make_batch("GAHT", 2)
    serials = [spec.serial_number for spec in (*batch.tokens, *more.tokens)]
    assert len(set(serials)) == 5
    assert serials == sorted(serials)
    assert len({spec.seed for spec in (*batch.tokens, *more.tokens)}) == 5
    again = World(seed=1).make_batch("GAHT", 2, first=4)
    assert [spec.seed for spec in again.tokens] == [spec.seed for spec in more.tokens]


def test_a_token_from_a_batch_and_one_made_for_the_purpose(tmp_path: Path) -> None:
    world = World(seed=1)
    spec = world.make_batch("GAHT", 2).tokens[1]
    token = world.token(spec, place=Constant(25.0))
    assert token.serial_number == spec.serial_number
    assert len(token.code()) == 6
    assert len(world.token(digits=8, place="pocket").code()) == 8
    assert world.token().serial_number != world.token().serial_number
    with pytest.raises(ValueError, match="takes no options: digits"):
        world.token(spec, digits=8)
    write_csv([spec], tmp_path / "seeds.csv")
    assert spec.serial_number in (tmp_path / "seeds.csv").read_text()


# -- plugging in -------------------------------------------------------------------------------


def test_connect_gives_python_fido2s_own_device() -> None:
    security_key = key()
    with connect(security_key) as device:
        assert type(device) is CtapHidDevice
        assert device.product_name == "tokenkit reference key"
        assert device.serial_number == security_key.serial_number
        assert Ctap2(device).info.versions == ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]
    security_key.power_off()
    with connect(security_key) as device:
        assert device.ping(b"again") == b"again"


def test_plugged_keys_are_seen_beside_real_ones_and_vanish() -> None:
    first, second = World(seed=1).security_key(), World(seed=2).security_key()
    with plugged(first, second) as virtual_paths:
        assert paths() == [REAL.path, *virtual_paths]
        assert plugged_key(virtual_paths[0]) is first
        devices = [open_device(path) for path in virtual_paths]
        assert [device.serial_number for device in devices] == [
            first.serial_number,
            second.serial_number,
        ]
        assert fido2.hid.get_descriptor(REAL.path) is REAL
        assert fido2.hid.open_connection(REAL) is REAL
    assert paths() == [REAL.path]
    assert plugged_key(virtual_paths[0]) is None


def test_programs_list_devices(real_keys: list[HidDescriptor]) -> None:
    real_keys.clear()
    security_key = key()
    with plugged(security_key):
        for listing in (CtapHidDevice.list_devices, list_devices):
            [device] = listing()
            assert device.serial_number == security_key.serial_number
            assert device.ping(b"hello") == b"hello"
    assert list(list_devices()) == []


def test_a_pulled_key_has_no_power() -> None:
    security_key = key()
    with plugged(security_key) as [path]:
        device = open_device(path)
        assert security_key.powered
    assert not security_key.powered
    with pytest.raises(UnpluggedError, match="unplugged"):
        device.ping(b"")
    with plugged(security_key) as [path]:
        assert open_device(path).ping(b"back") == b"back"


def test_nesting_another_key_and_the_same_key() -> None:
    first, second = World(seed=1).security_key(), World(seed=2).security_key()
    with plugged(first) as [outer]:
        with plugged(second, first) as inner:
            assert inner[1] == outer
            assert paths() == [REAL.path, outer, inner[0]]
        assert paths() == [REAL.path, outer]
        assert first.powered
        assert not second.powered


def test_leaving_in_another_order_than_entering() -> None:
    first, second = plugged(key()), plugged(key())
    [path] = first.__enter__()
    [other] = second.__enter__()
    first.__exit__(None, None, None)
    assert paths() == [REAL.path, other]
    [reused] = (third := plugged(key())).__enter__()
    assert reused == path
    second.__exit__(None, None, None)
    third.__exit__(None, None, None)
    assert paths() == [REAL.path]


def test_an_exception_pulls_the_keys_out() -> None:
    with pytest.raises(ZeroDivisionError), plugged(key()):
        raise ZeroDivisionError
    assert paths() == [REAL.path]


def test_a_key_that_cannot_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = key(), key()
    bad.power_off()

    def fail() -> None:
        raise OSError("no storage")

    monkeypatch.setattr(bad, "power_on", fail)
    with pytest.raises(OSError, match="no storage"), plugged(good, bad):
        raise AssertionError("not reached")
    assert paths() == [REAL.path]


def test_functions_imported_while_a_key_was_plugged_outlive_it() -> None:
    with plugged(key()):
        from fido2.hid import get_descriptor, list_descriptors
    assert list_descriptors() == [REAL]
    assert get_descriptor(b"/dev/hidraw3") is REAL


def test_threads_plug_in_and_out_at_once() -> None:
    failures: list[BaseException] = []
    ready = threading.Barrier(4)

    def work(seed: int) -> None:
        try:
            ready.wait()
            for _ in range(30):
                security_key = World(seed=seed).security_key()
                with plugged(security_key) as [path]:
                    assert open_device(path).serial_number == security_key.serial_number
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert paths() == [REAL.path]
