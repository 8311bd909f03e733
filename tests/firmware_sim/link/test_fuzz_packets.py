"""CTAPHID under arbitrary reports on several channels, mixed with messages that are right."""

import dataclasses
import struct

import pytest
from fido2 import cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.fido.status import Status
from firmware_sim.link import ctaphid
from firmware_sim.link.ctaphid import BROADCAST, MAX_MESSAGE, Command, Error
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import TouchAfter

PROFILES = [
    dataclasses.replace(load_profile("reference"), **changes)
    for changes in (
        {"vendor_commands": ("yubico-read-config", "solo-rng")},
        {"versions": ("U2F_V2",), "wink": False},
        {"versions": ("FIDO_2_0",), "ctaphid_lock": False},
    )
]
MAX_CHANNELS = 3
PING, INIT, CBOR, CANCEL, KEEPALIVE, ERROR = (
    0x80 | command
    for command in (
        Command.PING,
        Command.INIT,
        Command.CBOR,
        Command.CANCEL,
        Command.KEEPALIVE,
        Command.ERROR,
    )
)
ANSWERS = {*(0x80 | each for each in Command if each is not Command.CANCEL), 0xC2, 0xE0}
GET_INFO = b"\x04"
SELECTION = b"\x0b"  # waits for a touch
MAKE_CREDENTIAL = b"\x01" + cbor.encode(
    {
        1: bytes(32),
        2: {"id": "example.com"},
        3: {"id": b"user"},
        4: [{"alg": -7, "type": "public-key"}],
    }
)
U2F_REGISTER = b"\0\x01\0\0\0\0\x40" + bytes(64)


@pytest.fixture(autouse=True)
def few_channels(monkeypatch):
    """So that old ones give way all the time."""
    monkeypatch.setattr(ctaphid, "_MAX_CHANNELS", MAX_CHANNELS)


class Host:
    """Some clients of one key. What is sent may be wrong; what comes back must be right.

    ``unsent`` are the packets that are missing of a message, ``sent`` those since the last
    initialisation packet, both by channel.
    """

    def __init__(self, profile, touch_s):
        self.clock = SimulatedClock()
        self.key = SecurityKey(
            profile, clock=self.clock, entropy=SeededEntropy(1), finger=TouchAfter(touch_s)
        )
        self.channels = [0, BROADCAST, 0x01020304]
        self.unsent = {}
        self.sent = {}

    def write(self, report):
        channel, kind = struct.unpack_from(">IB", report)
        packets = self.sent.setdefault(channel, [])
        if kind & 0x80 and kind != CANCEL:  # which is no part of a transaction
            packets.clear()
        if kind != CANCEL:
            packets.append(report)
        self.key.write(report)
        return self.read()

    def report(self, channel, kind, length, data):
        return self.write((struct.pack(">IBH", channel, kind, length) + data).ljust(64, b"\0")[:64])

    def begin(self, channel, kind, data):
        """The first packet of a message; the others follow by :meth:`go_on`."""
        packets = [struct.pack(">IBH", channel, kind, len(data)) + data[:57]]
        for sequence, at in enumerate(range(57, len(data), 59)):
            packets.append(struct.pack(">IB", channel, sequence) + data[at : at + 59])
        first, *self.unsent[channel] = [packet.ljust(64, b"\0") for packet in packets]
        return self.write(first)

    def go_on(self, channel, count):
        answers = []
        for _ in range(count):
            if self.unsent.get(channel):
                answers += self.write(self.unsent[channel].pop(0))
        return answers

    def open(self):
        """A channel for a new client, which is to be had at any time."""
        nonce = len(self.channels).to_bytes(8, "big")
        answers = self.begin(BROADCAST, INIT, nonce)
        channel, kind, answer = answers[-1]  # before it what time had made due
        assert (channel, kind, answer[:8], len(answer)) == (BROADCAST, INIT, nonce, 17)
        channel = int.from_bytes(answer[8:12], "big")
        assert channel not in (0, BROADCAST)
        self.channels.append(channel)
        return channel

    def wait(self, seconds):
        end_s = self.clock.now() + seconds
        while self.key.link.wake_s() <= end_s:
            self.clock.wait_until(self.key.link.wake_s())
            self.key.poll()
            self.read()
        self.clock.wait_until(end_s)

    def read(self):
        """What has come back, as (channel, kind, data): whole messages one after the other."""
        link = self.key.link
        assert len(link._channels) <= MAX_CHANNELS
        assert link._current is None or len(link._current.payload) <= MAX_MESSAGE
        reports = list(link.reports)
        link.reports.clear()
        messages = []
        while reports:
            report = reports.pop(0)
            assert len(report) == 64
            channel, kind, length = struct.unpack_from(">IBH", report)
            data = report[7:]
            for sequence in range((max(length - 57, 0) + 58) // 59):
                report = reports.pop(0)
                assert len(report) == 64
                assert struct.unpack_from(">IB", report) == (channel, sequence)
                data += report[5:]
            assert not any(data[length:])  # what is left over of a packet is zero
            data = data[:length]
            assert channel in self.sent
            assert kind in ANSWERS
            if kind == ERROR:
                assert Error(data[0])
            if kind == PING:
                assert data == self.whole(channel)
            messages.append((channel, kind, data))
        return messages

    def whole(self, channel):
        """The payload of the message that was sent last on ``channel``, packet by packet."""
        first, *rest = self.sent[channel]
        length = int.from_bytes(first[5:7], "big")
        assert [packet[4] for packet in rest] == list(range(len(rest)))
        return b"".join([first[7:], *(packet[5:] for packet in rest)])[:length]


kinds = st.sampled_from([*(0x80 | each for each in Command), 0xC2, 0xE0, 0x80, 0xFF, 0, 1, 0x7F])
lengths = st.sampled_from([0, 1, 8, 57, 58, 116, 117, 7609, 7610, 0xFFFF]) | st.integers(0, 0xFFFF)
requests = st.sampled_from(
    [
        (Command.CBOR, GET_INFO),
        (Command.CBOR, SELECTION),
        (Command.CBOR, SELECTION),
        (Command.CBOR, MAKE_CREDENTIAL),
        (Command.MSG, U2F_REGISTER),
        (Command.PING, bytes(57)),
        (Command.PING, bytes(116)),
        (Command.PING, bytes(117)),
        (Command.PING, bytes(MAX_MESSAGE)),
        (Command.WINK, b""),
        (Command.LOCK, b"\0"),
        (Command.LOCK, b"\x02"),
        (0x42, b"\0"),
        (0x60, b"\xff"),
    ]
).map(lambda request: (0x80 | request[0], request[1]))
# the newest channels most of the time, or one of those that are none
which = st.sampled_from([-1, -1, -1, -2, -2, -3, -3, -4, -5, 0, 1, 2])
part = st.sampled_from([0, 1, 2, 130])
message = st.tuples(st.just("message"), which, requests, part)
go_on = st.tuples(st.just("go on"), which, part)
cancel = st.tuples(st.just("cancel"), which)
several = st.tuples(st.just("open"), st.integers(1, MAX_CHANNELS))
steps = st.one_of(
    message,
    message,
    message,
    go_on,
    go_on,
    cancel,
    cancel,
    several,
    several,
    st.tuples(st.just("report"), which, kinds, lengths, st.binary(max_size=57)),
    st.tuples(st.just("continuation"), which, st.sampled_from([0, 0, 1, 1, 2, 3, 0x7F])),
    st.tuples(st.just("raw"), st.binary(min_size=64, max_size=64)),
    st.tuples(st.just("odd size"), st.binary(max_size=70)),
    st.tuples(st.just("init again"), which),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.499, 0.5, 1.0, 3.0])),
    st.tuples(st.just("late"), st.sampled_from([0.3, 0.5, 3.0])),
    st.tuples(st.just("power cycle")),
)


def take(host, step, *details):
    if step in ("message", "go on", "report", "continuation", "cancel", "init again"):
        which, *details = details
        channels = host.channels
        if step in ("go on", "continuation"):  # where it means something, if anywhere
            channels = [each for each, packets in host.unsent.items() if packets] or channels
        channel = channels[which % len(channels)]
        host.key.poll()  # so that what comes back is the answer
        host.read()
    if step == "message":
        (kind, data), more = details
        answers = host.begin(channel, kind, data) + host.go_on(channel, more)
        if not host.unsent[channel] and kind != CBOR:
            ((where, answered, _),) = answers
            assert where == channel
            assert answered in (kind, ERROR)
    elif step == "go on":
        host.go_on(channel, *details)
    elif step == "report":
        host.report(channel, *details)
    elif step == "continuation":
        host.write(struct.pack(">IB", channel, *details).ljust(64, b"?"))
    elif step == "raw":
        host.write(*details)
    elif step == "odd size":
        if len(details[0]) != 64:
            host.key.write(*details)
            assert host.read() == []
    elif step == "cancel":
        cancelled = (channel, CBOR, bytes([Status.KEEPALIVE_CANCEL]))
        assert host.report(channel, CANCEL, 0, b"") in ([], [cancelled])
    elif step == "init again":
        known = channel == BROADCAST or channel in host.key.link._channels
        ((where, answered, _),) = host.begin(channel, INIT, bytes(8))
        assert (where, answered) == (channel, INIT if known else ERROR)
        if known and channel != BROADCAST:  # back in step, unless another is busy
            ((_, answered, data),) = host.begin(channel, PING, b"x")
            assert answered == PING or data[0] == Error.CHANNEL_BUSY
    elif step == "open":
        for _ in range(*details):
            host.open()
    elif step == "wait":
        host.wait(*details)
    elif step == "late":  # nobody polls meanwhile
        host.clock.advance(*details)
    else:
        host.key.power_cycle()


@settings(max_examples=max(1_500, settings().max_examples))
@given(
    st.sampled_from(PROFILES),
    st.sampled_from([0.25, 0.0, 40.0]),
    st.lists(steps, min_size=10, max_size=50),
)
def test_whatever_is_sent_what_comes_back_is_right(profile, touch_s, script):
    host = Host(profile, touch_s)
    host.open()
    host.open()
    for step in script:
        take(host, *step)
    channel = host.open()
    host.wait(60)  # locks, messages and commands of the others have come to their end
    host.read()
    ping = (channel, PING, b"still here")
    assert host.begin(*ping) == [ping]
    if profile.speaks("FIDO_2_0"):
        ((_, kind, answer),) = host.begin(channel, CBOR, GET_INFO)
        assert (kind, answer[0]) == (CBOR, 0)
        assert cbor.decode(answer[1:])[3] == profile.aaguid
