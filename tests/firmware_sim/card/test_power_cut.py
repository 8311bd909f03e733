"""A cut at every flash write of the OATH application leaves the state before or after."""

import pytest

from firmware_sim.security_key import UnpluggedError
from firmware_sim.world.flash import MemoryFlash, PowerCutError

from .oath_host import HOTP, KEY, OathHost


class CutFlash(MemoryFlash):
    """Loses power at the n-th write from now, before or after it took effect."""

    countdown = -1
    after = False

    def write(self, changes):
        self.countdown -= 1
        if self.countdown == 0 and not self.after:
            raise PowerCutError
        super().write(changes)
        if self.countdown == 0:
            raise PowerCutError


EVERY = {
    "put": lambda oath: oath.put(b"new"),
    "replace": lambda oath: oath.put(b"hotp", key=KEY[::-1]),
    "delete": lambda oath: oath.delete(b"hotp"),
    "rename": lambda oath: oath.rename(b"hotp", b"other"),
    "HOTP code": lambda oath: oath.code(b"hotp"),
    "growing challenge": lambda oath: oath.code(b"growing", 7),
    "all growing challenges": lambda oath: oath.calculate_all(7),
    "set code": lambda oath: oath.set_code(b"secret"),
    "unset code": lambda oath: oath.unset_code(),
    "reset": lambda oath: oath.reset(),
}


def prepared(make_host):
    flash = CutFlash()
    oath = OathHost(make_host(flash=flash))
    oath.put(b"hotp", kind=HOTP)
    oath.put(b"growing", properties=1)
    oath.put(b"growing too", properties=1)
    oath.set_code(b"old")
    return oath, flash


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_before_or_after(make_host, name, after):
    act = EVERY[name]
    oath, flash = prepared(make_host)
    before = dict(flash.contents)
    flash.countdown = 0
    act(oath)
    assert flash.countdown == -1, "it is more than one write, or none"
    done = dict(flash.contents)
    oath, flash = prepared(make_host)
    assert flash.contents == before
    flash.countdown, flash.after = 1, after
    with pytest.raises(UnpluggedError):
        act(oath)
    assert not oath.host.key.powered
    assert flash.contents == (done if after else before)
    oath.host.key.power_on(as_card=True)
    oath.select()
    assert flash.contents == (done if after else before)


@pytest.mark.parametrize("after", [False, True])
def test_the_first_selection(make_host, after):
    flash = CutFlash()
    host = make_host(flash=flash)
    flash.countdown, flash.after = 1, after
    with pytest.raises(UnpluggedError):
        OathHost(host)
    host.key.power_on(as_card=True)
    salt = OathHost(host).salt
    assert OathHost(host).salt == salt == flash.contents["oath/salt"]


def test_a_code_given_is_a_code_spent(make_host):
    """The counter is stored before the code leaves."""
    oath, flash = prepared(make_host)
    flash.countdown, flash.after = 1, True
    with pytest.raises(UnpluggedError):
        oath.code(b"hotp")
    oath.host.key.power_on(as_card=True)
    oath.select()
    oath.validate(b"old")
    flash.countdown = 0
    first = oath.code(b"hotp")
    fresh, _ = prepared(make_host)
    fresh.code(b"hotp")
    assert fresh.code(b"hotp") == first
