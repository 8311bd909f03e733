"""Any plan under any traffic: the key may be unplugged by it, and nothing else happens to it."""

import math
import struct

from fido2 import cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.link.ctaphid import BROADCAST, MAX_MESSAGE, Command
from firmware_sim.link.faults.plan import (
    COMMANDS,
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
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import TouchAfter
from firmware_sim.world.flash import MemoryFlash

PROFILE = load_profile("reference")
PING, INIT, CBOR = (0x80 | command for command in (Command.PING, Command.INIT, Command.CBOR))
RESET = b"\x07"
GET_INFO = b"\x04"
SELECTION = b"\x0b"  # waits for a touch
MAKE_CREDENTIAL = b"\x01" + cbor.encode(
    {
        1: bytes(32),
        2: {"id": "example.com"},
        3: {"id": b"user"},
        4: [{"alg": -7, "type": "public-key"}],
        7: {"rk": True},
    }
)

# -- plans --------------------------------------------------------------------------------------

times = st.fixed_dictionaries({}, optional={"count": st.integers(1, 3)}) | st.just({})
when = st.one_of(
    st.just({}),
    st.builds(lambda n: {"at": n}, st.integers(1, 8)),
    st.builds(lambda n: {"every": n}, st.integers(1, 5)),
    st.builds(lambda p: {"probability": p}, st.sampled_from([0.1, 0.5, 1.0])),
)
which_units = st.fixed_dictionaries(
    {},
    optional={
        "direction": st.sampled_from(["in", "out", "both"]),
        "command": st.sampled_from([*COMMANDS, "0x42"]),
        "packet": st.integers(1, 3),
    },
)
seconds = st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.6, 31.0])
parameters = {
    Drop: {},
    Corrupt: {"bits": st.integers(1, 512), "byte": st.none() | st.integers(0, 70)},
    Duplicate: {"copies": st.integers(1, 3)},
    Reorder: {},
    Delay: {"delay_s": seconds},
    Stall: {"stall_s": st.none() | seconds},
    Truncate: {"length": st.none() | st.integers(0, 70)},
    WrongChannel: {"channel": st.sampled_from([None, 0, BROADCAST, 0x01020304])},
    KeepAlives: {"number": st.sampled_from([1, 3, 1000])},
    Unplug: {},
}
unit_faults = st.sampled_from(list(parameters)).flatmap(
    lambda kind: st.builds(
        lambda *given: kind(**{key: value for each in given for key, value in each.items()}),
        when,
        times,
        which_units,
        st.fixed_dictionaries(parameters[kind]),
    )
)
power_cuts = st.builds(
    lambda when, times, after: PowerCut(**when, **times, after=after), when, times, st.booleans()
)
plans = st.builds(
    lambda seed, faults: FaultPlan(seed=seed, fault=tuple(faults)),
    st.integers(0, 3),
    st.lists(unit_faults | unit_faults | power_cuts, min_size=1, max_size=4),
)

# -- traffic ------------------------------------------------------------------------------------

requests = st.sampled_from(
    [
        (CBOR, GET_INFO),
        (CBOR, SELECTION),
        (CBOR, MAKE_CREDENTIAL),
        (CBOR, RESET),
        (PING, bytes(57)),
        (PING, bytes(120)),
        (PING, bytes(MAX_MESSAGE)),
        (0x80 | Command.LOCK, b"\x02"),
        (0x80 | Command.CANCEL, b""),
        (0x80 | Command.MSG, b"\0\x03\0\0\0\0\0"),
        (0xC2, b"\0"),
    ]
)
steps = st.one_of(
    st.tuples(st.just("message"), requests, st.sampled_from([1, 2, 200])),
    st.tuples(st.just("message"), requests, st.just(200)),
    st.tuples(st.just("raw"), st.binary(min_size=64, max_size=64)),
    st.tuples(st.just("raw"), st.binary(max_size=70)),
    st.tuples(st.just("open")),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.3, 0.5, 3.0, 40.0])),
    st.tuples(st.just("late"), st.sampled_from([0.3, 3.0])),
    st.tuples(st.just("power cycle")),
    st.tuples(st.just("plan"), st.none() | plans),
)


class Recorder(MemoryFlash):
    """``states`` are those between two transactions."""

    def __init__(self):
        super().__init__()
        self.states = [{}]

    def write(self, changes):
        super().write(changes)
        self.states.append(dict(self.contents))


class Host:
    """Sends, reads what comes, and plugs in again what was unplugged; ``seen`` is all of it."""

    def __init__(self, plan, touch_s):
        self.clock = SimulatedClock()
        self.flash = Recorder()
        self.key = SecurityKey(
            PROFILE,
            clock=self.clock,
            entropy=SeededEntropy(1),
            flash=self.flash,
            finger=TouchAfter(touch_s),
            faults=plan,
        )
        self.channel = 0x01020304
        self.seen = []

    def attempt(self, act, *arguments):
        try:
            act(*arguments)
        except UnpluggedError:
            assert not self.key.powered
            self.seen.append((self.clock.now(), "unplugged"))
            self.key.power_on()
        reports = list(self.key.link.reports)
        self.key.link.reports.clear()
        self.seen += [(self.clock.now(), report) for report in reports]
        return reports

    def send(self, kind, data, packets=200):
        head = struct.pack(">I", self.channel)
        cut = [head + struct.pack(">BH", kind, len(data)) + data[:57]]
        for sequence, at in enumerate(range(57, len(data), 59)):
            cut.append(head + bytes([sequence]) + data[at : at + 59])
        answers = []
        for packet in cut[:packets]:
            answers += self.attempt(self.key.write, packet.ljust(64, b"\0"))
        return answers

    def open(self):
        self.channel = BROADCAST
        answers = self.send(INIT, b"12345678") + self.wait(0.5)
        fitting = [a for a in answers if a[:15] == b"\xff\xff\xff\xff\x86\0\x1112345678"]
        if fitting and len(fitting[-1]) == 64:
            self.channel = int.from_bytes(fitting[-1][15:19], "big")
        return bool(fitting)

    def wait(self, seconds):
        """Until then, if something happens at all: time does not pass for a key at rest."""
        end_s = self.clock.now() + seconds
        answers = []
        for _ in range(10_000):
            wake_s = self.key.link.wake_s()
            if wake_s > end_s:
                break
            self.clock.wait_until(wake_s)
            answers += self.attempt(self.key.poll)
        else:
            raise AssertionError("it never comes to rest")
        return answers

    def take(self, step, *details):
        if step == "message":
            (kind, data), packets = details
            self.send(kind, data, packets)
        elif step == "raw":
            self.attempt(self.key.write, *details)
        elif step == "open":
            self.open()
        elif step == "wait":
            self.wait(*details)
        elif step == "late":  # nobody polls meanwhile
            self.clock.advance(*details)
        elif step == "power cycle":
            self.key.power_cycle()
        else:
            [self.key.faults] = details
        assert len(self.key.link.reports) <= 4096
        assert self.flash.contents == self.flash.states[-1]

    def play(self, script):
        for step in script:
            self.take(*step)


@settings(max_examples=max(500, settings().max_examples))
@given(plans, st.sampled_from([0.0, 0.25, 40.0]), st.lists(steps, min_size=3, max_size=25))
def test_it_is_unplugged_at_worst_and_well_again_without_the_plan(plan, touch_s, script):
    host = Host(plan, touch_s)
    host.open()
    host.play(script)
    host.key.faults = None
    host.wait(60)  # what was held back, messages, commands and locks have come to their end
    host.clock.advance(60)
    for power_cycle in (False, True):
        if power_cycle:
            host.key.power_cycle()
        assert host.open()
        [echo] = host.send(PING, b"still here")
        assert echo[4:17] == b"\x81\0\x0astill here"
        answer = host.send(CBOR, GET_INFO)
        assert answer[0][4] == CBOR
        assert answer[0][7] == 0
    assert host.key.link.wake_s() == math.inf


@settings(max_examples=max(200, settings().max_examples))
@given(plans, st.sampled_from([0.0, 0.25]), st.lists(steps, min_size=3, max_size=15))
def test_the_same_plan_and_traffic_are_the_same_run(plan, touch_s, script):
    runs = []
    for _ in range(2):
        host = Host(plan, touch_s)
        host.open()
        host.play(script)
        counts = host.key.faults and dict(host.key.faults.counts)
        runs.append((host.seen, host.flash.states, host.clock.now(), counts))
    assert runs[0] == runs[1]
