"""authenticatorReset and authenticatorSelection."""

from firmware_sim.world.finger import ScriptedFinger, TouchAfter


def test_reset_erases_everything(bench):
    bench.pin().set_pin("1234")
    server_side = bench.make()
    bench.power_cycle()
    bench.ctap.reset()
    info = bench.ctap.get_info()
    assert info.options["clientPin"] is False
    assert info.remaining_disc_creds == 100
    assert bench.fails(bench.get, server_side) == "NO_CREDENTIALS"
    assert "pin/hash" not in bench.key.flash.contents
    assert bench.make().auth_data.counter == 1


def test_reset_leaves_who_the_key_is(make_bench):
    bench = make_bench(serial_number="VIRTUAL-0007")
    factory = dict(bench.key.flash.contents)
    bench.ctap.reset()
    assert bench.key.flash.contents.keys() == factory.keys()
    again = make_bench(flash=bench.key.flash, serial_number="VIRTUAL-0008")
    assert again.device.serial_number == "VIRTUAL-0007"


def test_reset_only_in_the_first_10_seconds_and_with_a_touch(bench):
    made = bench.make()
    bench.clock.advance(10.1)
    assert bench.fails(bench.ctap.reset) == "NOT_ALLOWED"
    bench.power_cycle()
    bench.key.finger = ScriptedFinger([None])
    assert bench.fails(bench.ctap.reset) == "OPERATION_DENIED"
    assert bench.fails(bench.ctap.reset) == "USER_ACTION_TIMEOUT"
    bench.key.finger = TouchAfter()
    bench.get(made)  # still there
    bench.power_cycle()
    bench.clock.advance(9.9)
    bench.key.finger = TouchAfter(20)  # asked in time, touched later
    bench.ctap.reset()
    bench.key.finger = TouchAfter()
    assert bench.fails(bench.get, made) == "NO_CREDENTIALS"


def test_selection_waits_for_a_touch(bench):
    bench.key.finger = ScriptedFinger([5.0, None])
    start_s = bench.clock.now()
    bench.ctap.selection()
    assert bench.clock.now() == start_s + 5
    assert bench.fails(bench.ctap.selection) == "OPERATION_DENIED"
    assert bench.fails(bench.ctap.selection) == "USER_ACTION_TIMEOUT"
