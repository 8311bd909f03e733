"""Reset: a key is unplugged, plugged in again, and erased."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.world.finger import Press
from tokenkit.errors import TokenkitError
from tokenkit.keys import DeniedError, OpenKey, UnsupportedError, open_key
from tokenkit.keys.config import Configuration
from tokenkit.keys.pin import has_pin, set_pin
from tokenkit.keys.reset import reset
from tokenkit.virtual import ScriptedFinger, connect, plugged

MakeKey = Callable[..., OpenKey]
PATH = "/dev/hidraw3"


def no_sleep(seconds: float) -> None:
    raise AssertionError("a virtual key needs no waiting")


def test_a_virtual_key_is_power_cycled(make_key: MakeKey, world: Any, register: Any) -> None:
    key = make_key()
    register(key.ctap2())
    set_pin(key, "1234")
    world.clock.advance(3600)
    told: list[str] = []
    reset(key, told.append, no_sleep)
    assert told == []
    assert not has_pin(key)
    key.close()
    key.close()


def test_a_plugged_key_stays_plugged(world: Any) -> None:
    with plugged(world.security_key()) as [path]:
        with open_key(f"hid:{path}") as key:
            set_pin(key, "1234")
            reset(key)
        with open_key(f"hid:{path}") as key:
            assert not has_pin(key)


def test_a_key_that_lives_in_a_file(tmp_path: Path) -> None:
    selector = f"virtual:reference?state={tmp_path / 'key'}"
    with open_key(selector) as key:
        set_pin(key, "1234")
        serial_number = key.serial_number
    with open_key(selector) as key:
        reset(key)
        assert not has_pin(key)
    with open_key(selector) as key:
        assert not has_pin(key)
        assert key.serial_number == serial_number


@pytest.mark.parametrize(
    ("press", "reason"),
    [
        (math.inf, "nobody touched it in time, and nothing was erased"),
        (None, "said no, and nothing was erased"),
    ],
)
def test_without_a_touch_nothing_is_erased(
    make_key: MakeKey, press: float | None, reason: str
) -> None:
    key = make_key(pin="1234", finger=ScriptedFinger([press]))
    with pytest.raises(DeniedError, match=reason):
        reset(key)
    assert has_pin(key)


def test_the_touch_is_asked_for_when_the_key_blinks(make_key: MakeKey) -> None:
    told: list[str] = []
    reset(make_key(finger=ScriptedFinger([1.0])), told.append)
    assert told == ["touch it now: that erases everything"]


def test_a_long_touch(make_key: MakeKey) -> None:
    key = make_key(finger=ScriptedFinger([Press(1.0, held_s=0.5), Press(1.0)]))
    Configuration(key, None).enable_long_touch_for_reset()
    told: list[str] = []
    with pytest.raises(DeniedError, match=r"not touched as it wants|nobody touched it"):
        reset(key, told.append)
    reset(key, told.append)
    assert told == ["touch it for long now: that erases everything"] * 2


def test_a_transport_that_is_not_for_resets(make_key: MakeKey, alter: Any) -> None:
    key = make_key('transports = ["nfc", "usb"]\ntransports_for_reset = ["nfc"]', pin="1234")
    with pytest.raises(UnsupportedError, match="over nfc only, not over USB"):
        reset(key)
    key = make_key(pin="1234")
    alter(key).change_info({0x1A: ["usb"]})
    with pytest.raises(UnsupportedError, match="over usb only, not over PC/SC"):
        reset(key)  # what is not on HID is on a card reader
    assert has_pin(key)


class Hand:
    """Pulls a physical key out when it has been waited for, and plugs ``then`` in later."""

    def __init__(self, bus: Any, then: Callable[[], None]) -> None:
        self.bus = bus
        self.steps = [lambda: None, self.pull, lambda: None, then]
        self.waits = 0

    def pull(self) -> None:
        [gone] = [each for each in self.bus.descriptors if str(each.path) == PATH]
        self.bus.descriptors.remove(gone)

    def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.steps:
            self.steps.pop(0)()


class TestAPhysicalKey:
    @pytest.fixture
    def device(self, physical: Any) -> Any:
        """With a PIN, beside another key."""
        physical.add("/dev/hidraw2", serial_number="2")
        device = physical.add(PATH, serial_number="3")
        with open_key(f"hid:{PATH}") as key:
            set_pin(key, "1234")
        return device

    def plug_in(self, bus: Any, device: Any, path: str, serial_number: str = "3") -> None:
        """``device`` comes back at ``path``."""
        device.power_cycle()
        bus.add(path, serial_number=serial_number)
        connection = type(connect(device)._connection)
        bus.connections[path] = lambda: connection(device)

    def test_it_comes_back_and_is_erased(self, physical: Any, device: Any) -> None:
        hand = Hand(physical, lambda: self.plug_in(physical, device, "/dev/hidraw7"))
        told: list[str] = []
        with open_key(f"hid:{PATH}") as key:
            reset(key, told.append, hand.sleep)
            assert key.selector == "hid:/dev/hidraw7"
            assert not has_pin(key)
        assert len(told) == 1
        assert told[0].startswith("unplug it, plug it in again, and touch it when it blinks: ")
        assert f"at hid:{PATH}" in told[0]

    def test_another_key_is_left_alone(self, physical: Any, device: Any) -> None:
        hand = Hand(physical, lambda: self.plug_in(physical, device, PATH, "4"))
        with open_key(f"hid:{PATH}") as key, pytest.raises(TokenkitError, match="is not the key"):
            reset(key, sleep=hand.sleep)
        with open_key(f"hid:{PATH}") as key:
            assert has_pin(key)

    def test_a_key_that_udev_does_not_allow_yet(
        self, physical: Any, device: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def denied() -> Any:
            raise PermissionError(13, "Permission denied")

        def come() -> None:
            self.plug_in(physical, device, PATH)
            allowed = physical.connections[PATH]
            physical.connections[PATH] = denied
            hand.steps.append(lambda: physical.connections.update({PATH: allowed}))

        hand = Hand(physical, come)
        with open_key(f"hid:{PATH}") as key:
            reset(key, sleep=hand.sleep)
            assert not has_pin(key)
        assert hand.waits == 5

    @pytest.mark.parametrize(("pulled", "missed"), [(0, "unplugged"), (2, "plugged in again")])
    def test_patience_ends(self, physical: Any, device: Any, pulled: int, missed: str) -> None:
        hand = Hand(physical, lambda: None)
        hand.steps = hand.steps[:pulled]
        with open_key(f"hid:{PATH}") as key, pytest.raises(TokenkitError) as caught:
            reset(key, sleep=hand.sleep)
        assert f"was not {missed} within 120 s: nothing was erased" in str(caught.value)

    def test_too_late_is_said(self, physical: Any, device: Any) -> None:
        def come() -> None:
            self.plug_in(physical, device, PATH)
            physical.world.clock.advance(11)

        with open_key(f"hid:{PATH}") as key:
            with pytest.raises(DeniedError, match=r"only in the first 10 s .* nothing was erased"):
                reset(key, sleep=Hand(physical, come).sleep)
            assert has_pin(key)
