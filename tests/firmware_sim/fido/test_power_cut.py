"""A cut at every flash write of every command leaves the state before or after."""

import contextlib

import pytest
from fido2.ctap2 import CredentialManagement

from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.flash import MemoryFlash, PowerCutError, SqliteFlash


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


def set_pin(bench):
    bench.pin().set_pin("1234")


def register(bench):
    bench.make(b"new", options={"rk": True})


def replace(bench):
    bench.make(b"old", options={"rk": True})


def assert_(bench):
    bench.get(options={"up": False})


def reset(bench):
    bench.ctap.reset()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("act", [set_pin, register, replace, assert_, reset])
def test_before_or_after(make_bench, act, after):
    def prepared():
        flash = CutFlash()
        bench = make_bench(flash=flash)
        bench.make(b"old", options={"rk": True})
        bench.power_cycle()
        return bench, flash

    bench, flash = prepared()
    before = dict(flash.contents)
    flash.countdown = 0
    act(bench)
    writes, done = -flash.countdown, dict(flash.contents)
    assert writes >= 1
    for number in range(1, writes + 1):
        bench, flash = prepared()
        flash.countdown, flash.after = number, after
        with pytest.raises(UnpluggedError):
            act(bench)
        assert not bench.key.powered
        assert flash.contents in (before, done)
        bench.power_cycle()
        bench.ctap.get_info()


def delete(manage, credential):
    manage.delete_cred(credential)


def rename(manage, credential):
    manage.update_user_info(credential, {"id": b"old", "name": "renamed"})


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("act", [delete, rename])
def test_before_or_after_managing(make_bench, act, after):
    """Each is one write: the credential as it was, or as it is to be."""
    flash = CutFlash()
    bench = make_bench(flash=flash)
    made = bench.make(b"old", options={"rk": True})
    bench.pin().set_pin("1234")
    client = bench.pin()
    token = client.get_pin_token("1234", client.PERMISSION.CREDENTIAL_MGMT)
    manage = CredentialManagement(bench.ctap, client.protocol, token)
    flash.countdown, flash.after = 1, after
    before = dict(flash.contents)
    credential = {"type": "public-key", "id": made.auth_data.credential_data.credential_id}
    with pytest.raises(UnpluggedError):
        act(manage, credential)
    assert (flash.contents == before) is not after
    bench.power_cycle()
    if act is delete and after:
        assert bench.fails(bench.get) == "NO_CREDENTIALS"
    else:
        assert bench.get().user["id"] == b"old"


def test_a_wrong_pin_costs_its_retry_even_if_the_power_goes(make_bench):
    flash = CutFlash()
    bench = make_bench(flash=flash)
    bench.pin().set_pin("1234")
    flash.countdown, flash.after = 1, True
    with pytest.raises(UnpluggedError):
        bench.pin().get_pin_token("0000", 1, "x")
    bench.power_cycle()
    assert bench.pin().get_pin_retries() == (7, False)


def test_state_lives_in_a_file(tmp_path, make_bench):
    path = tmp_path / "key.db"
    flash = SqliteFlash(path)
    bench = make_bench(flash=flash)
    made = bench.make(b"alice", options={"rk": True})
    flash.close()
    with contextlib.closing(SqliteFlash(path)) as flash:
        again = make_bench(flash=flash, seed=2)
        public_key = made.auth_data.credential_data.public_key
        again.get().verify(again.client_data_hash, public_key)


def test_unplugged_means_unplugged():
    key = SecurityKey(load_profile("reference"), clock=SimulatedClock(), entropy=SeededEntropy(1))
    key.power_on()
    assert key.powered
    key.power_off()
    key.power_off()
    with pytest.raises(UnpluggedError, match="VIRTUAL-0001 is unplugged"):
        key.write(bytes(64))
