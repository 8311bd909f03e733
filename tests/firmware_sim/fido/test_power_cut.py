"""A cut at every flash write of every command leaves the state before or after."""

import contextlib
import dataclasses

import pytest
from fido2.ctap1 import Ctap1
from fido2.ctap2 import ClientPin, Config, CredentialManagement, LargeBlobs
from fido2.ctap2.bio import FPBioEnrollment

from firmware_sim.fido.commands import all_commands
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import Press, ScriptedFinger
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


# -- what is prepared, and the one command under which the power goes ---------------------------

P = ClientPin.PERMISSION


def token(bench, permission, rp_id=None):
    client = bench.pin()
    return client.protocol, client.get_pin_token("1234", permission, rp_id)


def proof(bench, permission):
    protocol, value = token(bench, permission, bench.rp_id)
    tag = protocol.authenticate(value, bench.client_data_hash)
    return {"pin_uv_param": tag, "pin_uv_protocol": protocol.VERSION}


def set_pin(bench):
    return lambda: bench.pin().set_pin("1234")


def change_pin(bench):
    bench.pin().set_pin("1234")
    return lambda: bench.pin().change_pin("1234", "4321")


def wrong_pin(bench):
    bench.pin().set_pin("1234")
    return lambda: bench.fails(bench.pin().get_pin_token, "0000", P.GET_ASSERTION, "x")


def get_token(bench):
    bench.pin().set_pin("1234")
    bench.fails(bench.pin().get_pin_token, "0000", P.GET_ASSERTION, "x")
    return lambda: bench.pin().get_pin_token("1234", P.GET_ASSERTION, "x")


def register(bench):
    return lambda: bench.make(b"new", options={"rk": True})


def replace(bench):
    return lambda: bench.make(b"old", options={"rk": True})


def register_server_side(bench):
    return bench.make


def register_with_everything(bench):
    extensions = {
        "credProtect": 2,
        "credBlob": b"blob",
        "hmac-secret": True,
        "largeBlobKey": True,
        "thirdPartyPayment": True,
    }
    return lambda: bench.make(b"new", options={"rk": True}, extensions=extensions)


def sign_in(bench):
    return lambda: bench.get(options={"up": False})


def sign_in_next(bench):
    bench.make(b"new", options={"rk": True})
    bench.get()
    return bench.ctap.get_next_assertion


def delete(bench):
    bench.pin().set_pin("1234")
    manage = CredentialManagement(bench.ctap, *token(bench, P.CREDENTIAL_MGMT))
    return lambda: manage.delete_cred({"type": "public-key", "id": bench.old})


def rename(bench):
    bench.pin().set_pin("1234")
    manage = CredentialManagement(bench.ctap, *token(bench, P.CREDENTIAL_MGMT))
    credential = {"type": "public-key", "id": bench.old}
    return lambda: manage.update_user_info(credential, {"id": b"old", "name": "renamed"})


def write_blobs(bench):
    return lambda: LargeBlobs(bench.ctap).write_blob_array([{1: b"x" * 40, 2: bytes(12), 3: 4}])


def enable_enterprise(bench):
    return Config(bench.ctap).enable_enterprise_attestation


def toggle_always_uv(bench):
    return Config(bench.ctap).toggle_always_uv


def set_min_pin_length(bench):
    bench.pin().set_pin("1234")
    config = Config(bench.ctap, *token(bench, P.AUTHENTICATOR_CFG))
    return lambda: config.set_min_pin_length(6, ["a.example"], True, True)


def long_touch(bench):
    return lambda: bench.ctap.config(4)


def enrolment(bench):
    bench.pin().set_pin("1234")
    context = FPBioEnrollment(bench.ctap, *token(bench, P.BIO_ENROLL)).enroll()
    while context.remaining != 1:
        context.capture()
    return context


def last_sample(bench):
    return enrolment(bench).capture


def enrolled(bench):
    template_id = enrolment(bench).capture()
    return FPBioEnrollment(bench.ctap, *token(bench, P.BIO_ENROLL)), template_id


def name_finger(bench):
    bio, template_id = enrolled(bench)
    return lambda: bio.set_name(template_id, "thumb")


def remove_finger(bench):
    bio, template_id = enrolled(bench)
    return lambda: bio.remove_enrollment(template_id)


def verify_by_finger(bench):
    enrolled(bench)
    bench.key.finger = ScriptedFinger([Press(finger="left thumb"), Press()])
    return lambda: bench.get(options={"uv": True})


def register_by_u2f(bench):
    return lambda: Ctap1(bench.device).register(bytes(32), bytes(32))


def sign_in_by_u2f(bench):
    handle = Ctap1(bench.device).register(bytes(32), bytes(32)).key_handle
    return lambda: Ctap1(bench.device).authenticate(bytes(32), bytes(32), handle)


def reset(bench):
    bench.power_cycle()
    return bench.ctap.reset


EVERY = [
    set_pin,
    change_pin,
    wrong_pin,
    get_token,
    register,
    replace,
    register_server_side,
    register_with_everything,
    sign_in,
    sign_in_next,
    delete,
    rename,
    write_blobs,
    enable_enterprise,
    toggle_always_uv,
    set_min_pin_length,
    long_touch,
    last_sample,
    name_finger,
    remove_finger,
    verify_by_finger,
    sign_in_by_u2f,
    reset,
]
WRITES_NOTHING = [register_by_u2f]
# a try is spent before it is known to be right (§6.5.5.5 and on), and given back in a second write
RETRIES = {"pin/retries", "uv/retries", "uv/count-since-pin"}


def without_retries(contents):
    return {key: value for key, value in contents.items() if key not in RETRIES}


@pytest.mark.parametrize("counter", ["global", "credential"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("prepare", EVERY)
def test_before_or_after(make_bench, prepare, after, counter):
    profile = dataclasses.replace(load_profile("reference"), signature_counter=counter)

    def prepared():
        flash = CutFlash()
        bench = make_bench(profile, flash=flash)
        made = bench.make(b"old", options={"rk": True})
        bench.old = made.auth_data.credential_data.credential_id
        return bench, flash, prepare(bench)

    bench, flash, act = prepared()
    before = dict(flash.contents)
    flash.countdown = 0
    act()
    writes, done = -flash.countdown, dict(flash.contents)
    assert writes >= 1
    for number in range(1, writes + 1):
        bench, flash, act = prepared()
        assert flash.contents == before
        flash.countdown, flash.after = number, after
        with pytest.raises(UnpluggedError):
            act()
        assert not bench.key.powered
        state = without_retries(flash.contents)
        assert state in (without_retries(before), without_retries(done))
        bench.power_cycle()
        bench.ctap.get_info()
        assert without_retries(flash.contents) == state


@pytest.mark.parametrize("prepare", WRITES_NOTHING)
def test_what_writes_nothing(make_bench, prepare):
    flash = CutFlash()
    act = prepare(make_bench(flash=flash))
    flash.countdown = 0
    act()
    assert flash.countdown == 0


@pytest.mark.parametrize("after", [False, True])
def test_the_first_power_up_is_two_writes(make_bench, after):
    """Who the key is, and its secrets: what a cut leaves out comes at the next."""
    for number, keys in ((1, 0), (2, 2)):
        flash = CutFlash()
        flash.countdown, flash.after = number, after
        with pytest.raises(PowerCutError):
            make_bench(flash=flash)
        assert (len(flash.contents) > keys) is after
        make_bench(flash=flash).make()
        assert flash.countdown < 0


def test_every_command_that_writes_is_cut():
    """A new command needs a row above."""
    cut = {0x01, 0x02, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0C, 0x0D}
    previews = {0x40, 0x41}  # the same code under another byte
    reads_only = {0x04, 0x0B}
    assert set(all_commands()) == cut | previews | reads_only


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
