"""CTAPHID packet by packet, against the specification."""

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.fido.status import Status
from firmware_sim.fido.task import Task
from firmware_sim.link import ctaphid
from firmware_sim.link.ctaphid import BROADCAST, MAX_MESSAGE, CtapHid, CtapHidError, Error
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import TouchAfter, never_touch

PING, MSG, LOCK, INIT, WINK, CBOR, CANCEL, KEEPALIVE, ERROR = (
    0x81,
    0x83,
    0x84,
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
    """The host's end of the cable; ``changes`` are to the reference profile."""

    def __init__(self, finger=None, **changes):
        self.clock = SimulatedClock()
        self.key = SecurityKey(
            dataclasses.replace(load_profile("reference"), **changes),
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


def test_an_init_of_another_length_is_the_one_answer_of_the_transaction_it_interrupts(wire):
    channel = wire.open()
    first, rest = packets(channel, PING, bytes(100))
    wire.key.write(first)
    assert wire.send(channel, INIT, bytes(7)) == error(channel, Error.INVALID_LEN)
    wire.key.write(rest)
    wire.pass_time(1)
    assert wire.receive() == []
    assert wire.send(channel, PING, b"x") == [(channel, PING, b"x")]


@pytest.mark.parametrize("channel", [0, BROADCAST, 0x01020304])
@pytest.mark.parametrize("command", [PING, CBOR, WINK, LOCK, KEEPALIVE, ERROR, 0x80])
def test_channels_that_are_none(wire, channel, command):
    assert wire.send(channel, command) == error(channel, Error.INVALID_CHANNEL)


@pytest.mark.parametrize("channel", [0, BROADCAST, 0x01020304])
def test_a_cancel_is_never_answered(wire, channel):
    assert wire.send(channel, CANCEL) == []
    assert wire.send(wire.open(), CANCEL) == []


def test_unallocated_and_zero_channels_cannot_init(wire):
    for channel in (0, 0x01020304):
        answer = wire.send(channel, INIT, b"12345678")
        assert answer == error(channel, Error.INVALID_CHANNEL)


@pytest.mark.parametrize("command", [0x80, 0x82, KEEPALIVE, ERROR, 0xC0, 0xFF])
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


@pytest.mark.parametrize("busy_with", ["message", "command", "lock"])
def test_a_busy_channel_does_not_give_way(wire, monkeypatch, busy_with):
    monkeypatch.setattr(ctaphid, "_MAX_CHANNELS", 3)
    channel = wire.open()
    first, rest = packets(channel, PING, bytes(100))
    wire.key.finger = TouchAfter(1)
    if busy_with == "lock":
        wire.send(channel, LOCK, b"\x05")
    elif busy_with == "message":
        wire.key.write(first)
    else:
        wire.send(channel, CBOR, SELECTION)
    for _ in range(5):
        wire.send(BROADCAST, INIT, b"12345678")
    if busy_with == "message":
        wire.key.write(rest)
        assert wire.receive() == [(channel, PING, bytes(100))]
    elif busy_with == "command":
        assert wire.send(channel, CANCEL)[-1] == (channel, CBOR, bytes([Status.KEEPALIVE_CANCEL]))
    assert wire.send(channel, PING, b"x") == [(channel, PING, b"x")]
    assert len(wire.link._channels) == 3


def test_the_channel_brought_back_in_step_counts_as_used(wire, monkeypatch):
    monkeypatch.setattr(ctaphid, "_MAX_CHANNELS", 2)
    first, second = wire.open(), wire.open()
    wire.send(first, INIT, b"12345678")
    wire.open()
    assert wire.send(second, PING) == error(second, Error.INVALID_CHANNEL)
    assert wire.send(first, PING) == [(first, PING, b"")]


def test_a_lock_shuts_the_others_out_until_it_expires(wire):
    mine, other = wire.open(), wire.open()
    assert wire.send(mine, LOCK, b"\x03") == [(mine, LOCK, b"")]
    for command, data in ((PING, b"x"), (LOCK, b"\x00"), (WINK, b""), (CBOR, b"\x04"), (0xFF, b"")):
        assert wire.send(other, command, data) == error(other, Error.CHANNEL_BUSY)
    assert wire.send(0x01020304, PING) == error(0x01020304, Error.INVALID_CHANNEL)
    assert wire.send(mine, PING, b"x") == [(mine, PING, b"x")]
    # a lock is no transaction: whoever asks gets a channel or is brought back in step
    third = wire.open()
    assert wire.send(third, PING) == error(third, Error.CHANNEL_BUSY)
    assert [m[:2] for m in wire.send(other, INIT, b"12345678")] == [(other, INIT)]
    wire.pass_time(2.99)
    assert wire.send(other, PING, b"x") == error(other, Error.CHANNEL_BUSY)
    wire.pass_time(0.01)
    assert wire.send(other, PING, b"x") == [(other, PING, b"x")]


def test_a_lock_is_renewed_and_given_up_by_its_holder(wire):
    mine, other = wire.open(), wire.open()
    wire.send(mine, LOCK, b"\x0a")
    wire.pass_time(9)
    wire.send(mine, LOCK, b"\x0a")
    wire.pass_time(9)
    assert wire.send(other, PING, b"x") == error(other, Error.CHANNEL_BUSY)
    assert wire.send(mine, LOCK, b"\x00") == [(mine, LOCK, b"")]
    assert wire.send(other, PING, b"x") == [(other, PING, b"x")]
    assert wire.send(other, LOCK, b"\x01") == [(other, LOCK, b"")]
    assert wire.send(mine, PING, b"x") == error(mine, Error.CHANNEL_BUSY)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x0b", Error.INVALID_PAR),
        (b"\xff", Error.INVALID_PAR),
        (b"", Error.INVALID_LEN),
        (b"\x01\x01", Error.INVALID_LEN),
        (bytes(58), Error.INVALID_LEN),
    ],
)
def test_locks_that_are_none(wire, data, code):
    mine, other = wire.open(), wire.open()
    assert wire.send(mine, LOCK, data) == error(mine, code)
    assert wire.send(other, PING, b"x") == [(other, PING, b"x")]


def test_a_power_cycle_ends_a_lock(wire):
    wire.send(wire.open(), LOCK, b"\x0a")
    wire.key.power_cycle()
    wire.link = wire.key.link
    channel = wire.open()
    assert wire.send(channel, PING, b"x") == [(channel, PING, b"x")]


@pytest.mark.parametrize(
    ("changes", "capabilities", "commands"),
    [
        ({"ctaphid_lock": False}, 0x05, {LOCK: b"\x00"}),
        ({"wink": False}, 0x04, {WINK: b""}),
        ({"versions": ("FIDO_2_0",)}, 0x0D, {MSG: b"\0\x03\0\0"}),
        ({"versions": ("U2F_V2",)}, 0x01, {CBOR: b"\x04"}),
    ],
)
def test_a_profile_leaves_out_what_is_optional(changes, capabilities, commands):
    wire = Wire(**changes)
    ((_, _, answer),) = wire.send(BROADCAST, INIT, b"12345678")
    assert answer[16] == capabilities
    channel = wire.open()
    offered = {LOCK: b"\x00", WINK: b"", MSG: b"\0\x03\0\0", CBOR: b"\x04"}
    for command, data in offered.items():
        ((_, kind, answer),) = wire.send(channel, command, data)
        assert (kind == ERROR) is (command in commands)
        assert kind != ERROR or answer[0] == Error.INVALID_CMD


class Echo:
    """An application that answers at once with ``count`` bytes."""

    def __init__(self, count):
        self.count = count

    def start(self, request, channel):
        async def answer():
            return bytes(self.count)

        return Task(answer())


@pytest.mark.parametrize("count", [0, 57, 58, MAX_MESSAGE, MAX_MESSAGE + 1])
def test_an_answer_longer_than_a_message_is_an_error(wire, count):
    wire.link = wire.key._link = CtapHid(Echo(count), wire.clock, SeededEntropy(1), (1, 0, 0))
    channel = wire.open()
    expected = [(channel, CBOR, bytes(count))]
    if count > MAX_MESSAGE:
        expected = error(channel, Error.OTHER)
    assert wire.send(channel, CBOR, b"x") == expected


def test_vendor_commands_are_those_handed_in(wire):
    def refuse(data):
        raise CtapHidError(Error.INVALID_PAR)

    wire.link = wire.key._link = CtapHid(
        None, wire.clock, SeededEntropy(1), (1, 0, 0), vendor={0x40: bytes.upper, 0x7F: refuse}
    )
    channel = wire.open()
    assert wire.send(channel, 0xC0, b"a" * 99) == [(channel, 0xC0, b"A" * 99)]
    assert wire.send(channel, 0xFF) == error(channel, Error.INVALID_PAR)
    assert wire.send(channel, 0xC1) == error(channel, Error.INVALID_CMD)


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
