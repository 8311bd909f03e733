"""Who a key is stays in its flash."""

import pytest

from firmware_sim.identity import Identity, read_identity, without_identity
from firmware_sim.profiles import ProfileError, load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.flash import Flash, MemoryFlash, PowerCutError


def key(flash: Flash, profile: str = "reference", serial_number: str = "A-1") -> SecurityKey:
    return SecurityKey(
        load_profile(profile),
        clock=SimulatedClock(),
        entropy=SeededEntropy(1),
        flash=flash,
        serial_number=serial_number,
    )


def test_the_first_power_up_records_it() -> None:
    flash = MemoryFlash()
    assert read_identity(flash) is None
    key(flash)
    assert read_identity(flash) == Identity("reference", "A-1")
    assert key(flash, serial_number="A-2").serial_number == "A-1"
    before = dict(flash.contents)
    with pytest.raises(ProfileError, match="a key of profile reference, not self-attested"):
        key(flash, "self-attested")
    assert flash.contents == before


def test_a_power_cut_leaves_all_of_it_or_nothing() -> None:
    class Cut(MemoryFlash):
        writes = 0

        def write(self, changes: object) -> None:
            self.writes += 1
            raise PowerCutError

    flash = Cut()
    with pytest.raises(PowerCutError):
        key(flash)
    assert (flash.writes, flash.contents) == (1, {})


def test_a_copy_without_it_is_another_key() -> None:
    flash = MemoryFlash()
    key(flash)
    copy = MemoryFlash(without_identity(flash))
    assert key(copy, serial_number="A-2").serial_number == "A-2"
    assert without_identity(copy) == without_identity(flash)
