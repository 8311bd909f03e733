"""When a fault happens, and what it does to units, whatever units are."""

import math
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.link.faults.plan import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    FaultPlan,
    KeepAlives,
    PowerCut,
    Reorder,
    Stall,
    Truncate,
    Unplug,
    WrongChannel,
)
from firmware_sim.link.faults.wire import REORDER_S, Faults, FaultyWire
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.flash import PowerCutError


def plan(*faults, seed=1):
    return FaultPlan(seed=seed, fault=faults)


class Wire(FaultyWire):
    """To a device that keeps what it is told, and says what the test says for it.

    Units are any bytes, their first is the command; ``log`` is what arrived, and when.
    """

    def __init__(self, *faults, seed=1):
        self.clock = SimulatedClock(0)
        self.faults = Faults(plan(*faults, seed=seed)) if faults else None
        self.said = deque()
        self.log = []
        super().__init__(self, self.said, self.clock, self.faults)
        self._device = Silent(self)

    def locate(self, direction, unit):
        return unit[:1].decode(), 1

    def send_all(self, *units, direction="in"):
        for unit in units:
            if direction == "in":
                self.write(unit)
            else:
                self.said.append(unit)
                self.poll()
            self.look()
        return [unit for _, unit, _ in self.log]

    def look(self):
        self.log += [("out", unit, self.clock.now()) for unit in self.arrived]
        self.arrived.clear()

    def run(self):
        """Until nothing more happens."""
        for _ in range(1000):
            if (wake_s := self.wake_s()) == math.inf:
                return
            self.clock.wait_until(wake_s)
            self.poll()
            self.look()
        raise AssertionError("it never ends")


class Silent:
    """What is at the other end of a Wire."""

    due_s = math.inf

    def __init__(self, wire):
        self.wire = wire

    def write(self, unit):
        self.wire.log.append(("in", unit, self.wire.clock.now()))

    def poll(self):
        pass

    def wake_s(self):
        return self.due_s


def test_without_a_plan_everything_arrives_at_once():
    assert Wire().send_all(b"a", b"", b"c") == [b"a", b"", b"c"]


# -- when ---------------------------------------------------------------------------------------


@given(
    st.sampled_from(["always", "at", "every"]),
    st.integers(1, 12),
    st.none() | st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["in", "out"]), st.sampled_from("AB")), max_size=40),
    st.sampled_from(["in", "out", "both"]),
    st.sampled_from([None, "PING"]),
)
def test_what_is_counted_is_exact(when, number, count, units, direction, command):
    names = {"A": "PING", "B": "CBOR"}
    fault = Drop(
        direction=direction,
        command=command,
        count=count,
        **({} if when == "always" else {when: number}),
    )
    faults = Faults(plan(fault))
    happened = [bool(faults.at_unit(way, names[name], 1, True)) for way, name in units]
    matching = [
        at
        for at, (way, name) in enumerate(units)
        if direction in ("both", way) and command in (None, names[name])
    ]
    if when == "at":
        due = matching[number - 1 : number]
    elif when == "every":
        due = matching[number - 1 :: number]
    else:
        due = matching
    due = due[:count]
    assert [at for at, did in enumerate(happened) if did] == due
    assert faults.counts == ({"drop": len(due)} if due else {})


def test_the_packet_of_a_message_is_matched():
    faults = Faults(plan(Drop(packet=2, at=2)))
    units = [("in", "CBOR", packet) for packet in (1, 2, 3, 1, 2, 3)]
    assert [bool(faults.at_unit(*unit, True)) for unit in units] == [False] * 4 + [True, False]


@pytest.mark.parametrize("probability", [0.01, 0.3, 1.0])
def test_a_probability_is_one(probability):
    faults = Faults(plan(Drop(probability=probability)))
    times = sum(bool(faults.at_unit("in", "PING", 1, True)) for _ in range(10_000))
    # five standard deviations of a binomial distribution; the seed makes it the same each time
    assert abs(times - 10_000 * probability) <= 5 * math.sqrt(
        10_000 * probability * (1 - probability)
    )


def test_a_limit_does_not_move_what_is_left():
    def happened(**limit):
        faults = Faults(plan(Drop(probability=0.2, **limit)))
        return [at for at in range(200) if faults.at_unit("in", "PING", 1, True)]

    assert happened(count=3) == happened()[:3]


def test_another_fault_in_the_plan_does_not_move_the_first():
    def happened(*more):
        faults = Faults(plan(Drop(probability=0.2), *more))
        due = [faults.at_unit("in", "PING", 1, True) for _ in range(200)]
        return [any(isinstance(fault, Drop) for fault, _ in each) for each in due]

    assert happened() == happened(Corrupt(probability=0.5), PowerCut())
    assert any(happened())


def test_another_seed_is_another_run():
    units = [bytes([65, at]) for at in range(100)]
    fault = Drop(probability=0.5)
    assert Wire(fault).send_all(*units) == Wire(fault).send_all(*units)
    assert Wire(fault).send_all(*units) != Wire(fault, seed=2).send_all(*units)


def test_flash_writes_are_counted_apart_from_units():
    faults = Faults(plan(PowerCut(at=2, after=True), Drop(at=1)))
    assert faults.at_write() is None
    assert faults.at_unit("in", "CBOR", 1, True)
    assert faults.at_write() == PowerCut(at=2, after=True)
    assert faults.at_write() is None
    assert faults.counts == {"drop": 1, "power-cut": 1}


# -- what ---------------------------------------------------------------------------------------


def test_drop():
    assert Wire(Drop(at=2)).send_all(b"a", b"b", b"c") == [b"a", b"c"]


@given(st.binary(max_size=100), st.integers(1, 512), st.none() | st.integers(0, 120))
def test_corrupt_flips_as_many_bits_where_it_says(unit, bits, byte):
    [damaged] = Wire(Corrupt(bits=bits, byte=byte)).send_all(b"A" + unit)
    flipped = [at for at, (a, b) in enumerate(zip(b"A" + unit, damaged, strict=True)) if a != b]
    count = sum((a ^ b).bit_count() for a, b in zip(b"A" + unit, damaged, strict=True))
    if byte is None:
        assert count == min(bits, 8 * len(damaged))
    else:
        assert flipped == [byte] * (byte < len(damaged))
        assert count == min(bits, 8) * len(flipped)


def test_duplicate():
    wire = Wire(Duplicate(at=1, copies=2))
    assert wire.send_all(b"a", b"b") == [b"a", b"a", b"a", b"b"]


def test_reorder():
    wire = Wire(Reorder(at=1))
    assert wire.send_all(b"a", b"b", b"c") == [b"b", b"a", b"c"]
    # of its own direction only
    wire = Wire(Reorder(at=1))
    wire.write(b"a")
    assert wire.send_all(b"b", direction="out") == [b"b"]
    assert wire.send_all(b"c") == [b"b", b"c", b"a"]
    # two in a row are swapped, not put off for ever
    assert Wire(Reorder()).send_all(b"a", b"b", b"c", b"d") == [b"b", b"a", b"d", b"c"]


def test_reordered_with_nobody_behind_it_comes_late():
    wire = Wire(Reorder())
    assert wire.send_all(b"a") == []
    wire.run()
    assert wire.log == [("in", b"a", REORDER_S)]


def test_delay():
    wire = Wire(Delay(at=1, delay_s=2.5))
    assert wire.send_all(b"a", b"b") == []
    assert wire.send_all(b"c", direction="out") == [b"c"]
    wire.clock.advance(2.4)
    wire.poll()
    assert len(wire.log) == 1
    wire.run()
    assert wire.log[1:] == [("in", b"a", 2.5), ("in", b"b", 2.5)]


def test_a_slow_wire_keeps_order():
    wire = Wire(Delay(delay_s=1))
    wire.write(b"a")
    wire.clock.advance(0.5)
    wire.write(b"b")
    wire.run()
    assert wire.log == [("in", b"a", 1), ("in", b"b", 1.5)]


def test_stall():
    wire = Wire(Stall(at=2, stall_s=3))
    assert wire.send_all(b"a", b"b", b"c") == [b"a"]
    assert wire.send_all(b"d", direction="out") == [b"a"]
    wire._device.due_s = 1
    assert wire.wake_s() == 3  # the device does nothing meanwhile either
    wire._device.due_s = math.inf
    wire.run()
    assert sorted(wire.log[1:]) == [("in", b"b", 3), ("in", b"c", 3), ("out", b"d", 3)]


def test_a_stall_for_good_ends_with_the_plan():
    wire = Wire(Stall(at=1))
    wire.send_all(b"a")
    wire._device.due_s = 1
    assert wire.wake_s() == math.inf
    wire.change(None)
    assert wire.wake_s() == 0
    wire.poll()
    assert wire.send_all(b"b") == [b"a", b"b"]


def test_what_a_plan_held_back_moves_on_in_order_without_it():
    wire = Wire(Delay(at=1, delay_s=9), Reorder(at=2))
    assert wire.send_all(b"a", b"b") == []
    wire.change(Faults(plan(Drop(at=1))))
    assert wire.send_all(b"c", b"d") == [b"a", b"b", b"d"]


def test_truncate():
    assert Wire(Truncate(at=1, length=2)).send_all(b"abc", b"abc") == [b"ab", b"abc"]
    assert Wire(Truncate(length=9)).send_all(b"abc") == [b"abc"]
    assert {len(unit) for unit in Wire(Truncate()).send_all(*[b"abc"] * 50)} == {0, 1, 2}
    assert Wire(Truncate()).send_all(b"") == [b""]


def test_unplug_comes_behind_the_unit():
    wire = Wire(Unplug(at=2))
    assert wire.send_all(b"a", b"b") == [b"a", b"b"]
    assert wire.wake_s() == 0
    wire.said.append(b"too late")
    with pytest.raises(PowerCutError):
        wire.poll()
    with pytest.raises(PowerCutError):
        wire.write(b"c")
    assert len(wire.log) == 2


def test_unplugged_right_behind_a_unit_that_was_lost():
    wire = Wire(Drop(at=1), Unplug(at=1))
    assert wire.send_all(b"a") == []
    with pytest.raises(PowerCutError):
        wire.run()


def test_several_at_once_happen_in_the_order_of_the_plan():
    wire = Wire(Truncate(length=1), Duplicate(), Delay(delay_s=1), Corrupt(bits=8, byte=0))
    assert wire.send_all(b"abc") == []
    wire.run()
    assert wire.log == [("in", b"\x9e", 1), ("in", b"\x9e", 1)]
    assert Wire(Drop(), Duplicate()).send_all(b"a") == []
    assert wire.faults.counts == Counter(["truncate", "duplicate", "delay", "corrupt"])


def test_where_there_are_no_channels_their_faults_are_ignored(caplog):
    wire = Wire(WrongChannel(), KeepAlives(direction="both"), Drop(at=2))
    assert wire.send_all(b"a", b"b", b"c") == [b"a", b"c"]
    assert wire.faults.counts == {"drop": 1}
    assert "fault wrong-channel is ignored" in caplog.text
    assert "fault keep-alives is ignored" in caplog.text


def test_a_device_that_stands_still_does_not_fill_memory():
    wire = Wire(Stall(at=1))
    for number in range(5000):
        wire.write(b"A%d" % number)
    wire.change(None)
    wire.poll()
    assert len(wire.log) == 4096
    assert wire.log[-1][1] == b"A4999"
