"""CTAPHID packet by packet, against the specification and under arbitrary packets."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.fido.status import Status
from firmware_sim.link import ctaphid
from firmware_sim.link.ctaphid import BROADCAST, MAX_MESSAGE, CtapHid, Error
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import TouchAfter, never_touch

PING, MSG, INIT, WINK, CBOR, CANCEL, KEEPALIVE, ERROR = (
    0x81,
    0x83,
    0x86,
    0x88,
    0x90,
    0x91,
    0xBB,
    0xBF,
)
SELECTION = b"\x0b"


def packets(channel, command, data, size=64):
    """A message cut as the host cuts it."""
    out = [struct.pack(">IBH", channel, command, len(data)) + data[: size - 7]]
    rest = data[size - 7 :]
    for sequence in range((len(rest) + size - 6) // (size - 5)):
        part = rest[sequence * (size - 5) : (sequence + 1) * (size - 5)]
        out.append(struct.pack(">IB", channel, sequence) + part)
    return [packet.ljust(size, b"\0") for packet in out]


class Wire:
    """The host's end of the cable."""

    def __init__(self, finger=None):
        self.clock = SimulatedClock()
        self.key = SecurityKey(
            load_profile("reference"),
            clock=self.clock,
            entropy=SeededEntropy(1),
            finger=finger,
        )
        self.link: CtapHid = self.key.link

    def send(self, channel, command, data=b""):
        for packet in packets(channel, command, data):
            self.key.write(packet)
        return self.receive()

    def receive(self):
        """All messages that are out, as (channel, command, data)."""
        messages = []
        reports = self.link.reports
        while reports:
            packet = reports.popleft()
            assert len(packet) == 64
            channel, command, length = struct.unpack_from(">IBH", packet)
            data = packet[7:]
            sequence = 0
            while len(data) < length:
                packet = reports.popleft()
                assert packet[:5] == struct.pack(">IB", channel, sequence)
                data += packet[5:]
                sequence += 1
            messages.append((channel, command, data[:length]))
        return messages

    def open(self):
        ((_, _, answer),) = self.send(BROADCAST, INIT, b"nonce..8")
        return struct.unpack_from(">I", answer, 8)[0]

    def pass_time(self, seconds):
        end_s = self.clock.now() + seconds
        while self.link.wake_s() <= end_s:
            self.clock.wait_until(self.link.wake_s())
            self.link.poll()
        self.clock.wait_until(end_s)
        self.link.poll()


@pytest.fixture
def wire():
    return Wire()


def error(channel, code):
    return [(channel, ERROR, bytes([code]))]


def test_init_gives_a_channel(wire):
    ((channel, command, answer),) = wire.send(BROADCAST, INIT, b"12345678")
    assert (channel, command, answer[:8]) == (BROADCAST, INIT, b"12345678")
    cid, version, *device, capabilities = struct.unpack(">IB3BB", answer[8:])
    assert cid not in (0, BROADCAST)
    assert (version, device, capabilities) == (2, [0, 1, 0], 0x05)
    assert wire.open() != cid


def test_init_brings_a_channel_back_in_step(wire):
    channel = wire.open()
    wire.key.write(packets(channel, PING, bytes(100))[0])
    ((where, command, answer),) = wire.send(channel, INIT, b"12345678")
    assert (where, command) == (channel, INIT)
    assert struct.unpack_from(">I", answer, 8)[0] == channel
    assert wire.send(channel, PING, b"x") == [(channel, PING, b"x")]


def test_init_ends_a_command_that_waits(wire):
    wire.key.finger = never_touch()
    channel = wire.open()
    assert wire.send(channel, CBOR, SELECTION) == []
    wire.send(channel, INIT, b"12345678")
    wire.pass_time(60)
    assert wire.receive() == []


@pytest.mark.parametrize("length", [0, 7, 9])
def test_init_of_another_length(wire, length):
    assert wire.send(BROADCAST, INIT, bytes(length)) == error(BROADCAST, Error.INVALID_LEN)


@pytest.mark.parametrize("channel", [0, BROADCAST, 0x01020304])
@pytest.mark.parametrize("command", [PING, CBOR, WINK, CANCEL])
def test_channels_that_are_none(wire, channel, command):
    assert wire.send(channel, command) == error(channel, Error.INVALID_CHANNEL)


def test_unallocated_and_zero_channels_cannot_init(wire):
    for channel in (0, 0x01020304):
        answer = wire.send(channel, INIT, b"12345678")
        assert answer == error(channel, Error.INVALID_CHANNEL)


@pytest.mark.parametrize("command", [0x80, 0x84, KEEPALIVE, ERROR, 0xC0, 0xFF])
def test_unknown_commands(wire, command):
    channel = wire.open()
    assert wire.send(channel, command) == error(channel, Error.INVALID_CMD)


@given(st.integers(0, MAX_MESSAGE) | st.sampled_from([56, 57, 58, 115, 116, 117, MAX_MESSAGE]))
def test_ping_echoes_any_length(length):
    wire = Wire()
    channel = wire.open()
    data = bytes(i & 0xFF for i in range(length))
    assert wire.send(channel, PING, data) == [(channel, PING, data)]


def test_too_long_a_message(wire):
    channel = wire.open()
    wire.key.write(struct.pack(">IBH", channel, PING, MAX_MESSAGE + 1).ljust(64, b"\0"))
    assert wire.receive() == error(channel, Error.INVALID_LEN)


def test_wink(wire):
    channel = wire.open()
    assert wire.send(channel, WINK) == [(channel, WINK, b"")]
    assert wire.key.winks == 1
    assert wire.send(channel, WINK, b"x") == error(channel, Error.INVALID_LEN)


def test_an_empty_cbor_message(wire):
    channel = wire.open()
    assert wire.send(channel, CBOR) == error(channel, Error.INVALID_LEN)


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 1, 1), (1,)])
def test_continuation_out_of_order(wire, order):
    channel = wire.open()
    first, *rest = packets(channel, PING, bytes(250))
    wire.key.write(first)
    for index in order:
        wire.key.write(rest[index])
    assert wire.receive() == error(channel, Error.INVALID_SEQ)
    assert wire.send(channel, PING, b"y") == [(channel, PING, b"y")]


def test_a_new_message_inside_an_unfinished_one(wire):
    channel = wire.open()
    wire.key.write(packets(channel, PING, bytes(100))[0])
    assert wire.send(channel, PING, b"z") == error(channel, Error.INVALID_SEQ)
    assert wire.send(channel, PING, b"z") == [(channel, PING, b"z")]


def test_spurious_continuations_are_ignored(wire):
    channel = wire.open()
    assert wire.send(channel, 0x00) == []
    assert wire.send(0x01020304, 0x00) == []
    wire.key.finger = TouchAfter(1)
    wire.send(channel, CBOR, SELECTION)
    wire.pass_time(0)
    assert wire.receive() == [(channel, KEEPALIVE, b"\x02")]
    assert wire.send(channel, 0x00) == []
    wire.pass_time(1.5)
    assert wire.receive()[-1] == (channel, CBOR, b"\0")


@pytest.mark.parametrize("size", [0, 1, 63, 65])
def test_reports_of_another_size_are_ignored(wire, size):
    channel = wire.open()
    wire.key.write(packets(channel, PING, b"x")[0][:63].ljust(size, b"\0")[:size])
    assert wire.receive() == []


def test_a_message_that_stalls(wire):
    channel = wire.open()
    first, *rest = packets(channel, PING, bytes(200))
    wire.key.write(first)
    wire.pass_time(0.4)
    wire.key.write(rest[0])
    wire.pass_time(0.4)
    assert wire.receive() == []
    wire.pass_time(0.2)
    assert wire.receive() == error(channel, Error.MSG_TIMEOUT)
    wire.key.write(rest[1])
    assert wire.receive() == []
    # noticed also when it is a packet that comes late, not a poll
    wire.key.write(first)
    wire.clock.advance(1)
    assert wire.send(channel, PING, b"q") == [
        *error(channel, Error.MSG_TIMEOUT),
        (channel, PING, b"q"),
    ]


def test_one_transaction_at_a_time(wire):
    mine, other = wire.open(), wire.open()
    wire.key.finger = TouchAfter(2)
    wire.send(mine, CBOR, SELECTION)
    wire.pass_time(0)
    assert wire.receive() == [(mine, KEEPALIVE, b"\x02")]
    assert wire.send(other, PING, b"x") == error(other, Error.CHANNEL_BUSY)
    assert wire.send(mine, PING, b"x") == error(mine, Error.CHANNEL_BUSY)
    assert wire.send(other, CANCEL) == []  # not theirs to cancel
    assert wire.open() not in (mine, other)  # channels can be had all the time
    wire.pass_time(3)
    assert wire.receive()[-1] == (mine, CBOR, b"\0")
    # the same while a message is on its way
    first, rest = packets(mine, PING, bytes(100))
    wire.key.write(first)
    assert wire.send(other, PING, b"x") == error(other, Error.CHANNEL_BUSY)
    wire.key.write(packets(other, PING, bytes(100))[1])
    wire.key.write(rest)
    assert wire.receive() == [(mine, PING, bytes(100))]


def test_keepalives_while_the_user_is_awaited(wire):
    wire.key.finger = TouchAfter(1.05)
    channel = wire.open()
    start_s = wire.clock.now()
    wire.send(channel, CBOR, SELECTION)
    times = []
    while not (messages := [m for m in wire.receive() if m[1] == CBOR]):
        wire.clock.wait_until(wire.link.wake_s())
        wire.link.poll()
        times.append(wire.clock.now() - start_s)
        assert len(times) < 50
    assert messages == [(channel, CBOR, b"\0")]
    assert times[-1] == pytest.approx(1.05)
    assert len(times) == 12  # at once, ten more, and the touch


def test_cancel(wire):
    wire.key.finger = never_touch()
    channel = wire.open()
    assert wire.send(channel, CANCEL) == []
    wire.send(channel, CBOR, SELECTION)
    wire.pass_time(0.25)
    assert [m[1] for m in wire.receive()] == [KEEPALIVE] * 3
    answer = (channel, CBOR, bytes([Status.KEEPALIVE_CANCEL]))
    assert wire.send(channel, CANCEL) == [answer]
    assert wire.send(channel, CANCEL) == []


def test_the_channel_longest_unused_gives_way(wire):
    first, second = wire.open(), wire.open()
    wire.send(first, PING, b"used")
    for _ in range(ctaphid._MAX_CHANNELS - 1):
        wire.open()
    assert wire.send(second, PING) == error(second, Error.INVALID_CHANNEL)
    assert wire.send(first, PING) == [(first, PING, b"")]


def test_power_off_drops_what_was_under_way(wire):
    wire.key.finger = TouchAfter(1)
    channel = wire.open()
    wire.send(channel, CBOR, SELECTION)
    link = wire.link
    wire.key.power_cycle()
    wire.clock.advance(5)
    link.poll()
    assert not link.reports
    assert not wire.key.link.reports


# -- under arbitrary packets ----------------------------------------------------------------------

channels = st.sampled_from(["open", "other", 0, BROADCAST, 0x01020304])
kinds = st.sampled_from([PING, MSG, INIT, WINK, CBOR, CANCEL, KEEPALIVE, 0, 1, 2, 127])
lengths = st.sampled_from([0, 1, 8, 57, 58, 100, 7609, 7610, 0xFFFF])
steps = st.one_of(
    st.tuples(channels, kinds, lengths, st.binary(max_size=57)),
    st.binary(min_size=64, max_size=64),
    st.floats(0, 2).map(float),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=30))
def test_arbitrary_packets_never_break_the_framing(script):
    wire = Wire(TouchAfter(0.3))
    named = {"open": wire.open(), "other": wire.open()}
    known = {*named.values(), BROADCAST, 0, 0x01020304}
    for step in script:
        if isinstance(step, float):
            wire.pass_time(step)
        elif isinstance(step, bytes):
            known.add(struct.unpack_from(">I", step)[0])
            wire.key.write(step)
        else:
            channel, kind, length, data = step
            head = struct.pack(">IBH", named.get(channel, channel), kind, length)
            wire.key.write((head + data).ljust(64, b"\0"))
        for channel, command, data in wire.receive():  # itself checks the sequence numbers
            assert channel in known
            assert command in (PING, MSG, INIT, WINK, CBOR, KEEPALIVE, ERROR)
            if command == INIT:
                assert len(data) == 17
            if command == ERROR:
                assert data[0] in set(Error)
    # whatever happened, a new client is served
    wire.pass_time(60)
    wire.receive()
    channel = wire.open()
    assert wire.send(channel, PING, b"still here") == [(channel, PING, b"still here")]
