"""What each kind of fault does to python-fido2's CtapHidDevice, and how it goes on afterwards."""

import struct
import threading

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice

from firmware_sim.fido.task import Progress
from firmware_sim.link.ctaphid import CtapHid
from firmware_sim.link.faults.hid import FaultyLink
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
from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.finger import TouchAfter, never_touch
from firmware_sim.world.flash import MemoryFlash

BROADCAST = 0xFFFFFFFF
LONG = bytes(range(150))  # three packets


def plan(*faults, seed=1):
    return FaultPlan(seed=seed, fault=faults)


class Desk:
    """A key, and a client whose channel was opened before the faults began."""

    def __init__(self, *faults, **options):
        self.clock = SimulatedClock()
        self.key = SecurityKey(
            load_profile("reference"), clock=self.clock, entropy=SeededEntropy(1), **options
        )
        self.open()
        self.key.faults = plan(*faults)
        self.start_s = self.clock.now()

    def open(self):
        descriptor = hid_descriptor(self.key, "test")
        self.device = CtapHidDevice(descriptor, InProcessConnection(self.key))

    def elapsed_s(self):
        return self.clock.now() - self.start_s

    def works_again(self):
        """A client that opens the key anew finds it well."""
        self.key.power_on()
        self.open()
        assert self.device.ping(LONG) == LONG
        assert "FIDO_2_1" in Ctap2(self.device).info.versions
        return True


NOTHING_COMES = "the key has nothing to send and waits for nothing"


def wrong(what):
    """python-fido2's ConnectionFailure and CtapError by their text, as a user meets them."""
    return pytest.raises(Exception, match=what)


def test_without_a_plan_there_is_nothing_in_between():
    desk = Desk(Drop(at=1))
    assert isinstance(desk.key.link, FaultyLink)
    desk.key.faults = None
    desk.key.power_cycle()
    assert type(desk.key.link) is CtapHid


def test_a_dropped_request_or_answer_is_waited_for_in_vain():
    for direction in ("in", "out"):
        desk = Desk(Drop(at=1, direction=direction))
        with pytest.raises(OSError, match=NOTHING_COMES):
            desk.device.ping()
        assert desk.device.ping() == b"Hello FIDO"
        assert desk.works_again()
        assert desk.key.faults.counts == {"drop": 1}


def test_a_dropped_part_of_a_request_is_a_timeout():
    desk = Desk(Drop(at=1, direction="in", command="PING", packet=3))
    with pytest.raises(CtapError) as caught:
        desk.device.ping(LONG)
    assert caught.value.code == 0x05  # ERR_MSG_TIMEOUT
    assert desk.elapsed_s() == pytest.approx(0.5)
    assert desk.device.ping(LONG) == LONG


def test_a_dropped_part_of_an_answer_is_a_wrong_sequence_number():
    desk = Desk(Drop(at=1, direction="out", packet=2))
    with wrong("Wrong sequence number"):
        desk.device.ping(LONG)
    assert desk.works_again()


def test_a_corrupt_request_is_refused_and_a_corrupt_answer_misread():
    desk = Desk(Corrupt(at=1, direction="in", byte=4, bits=1))  # another command, or none
    with wrong(r"INVALID_COMMAND|nothing to send"):
        desk.device.ping()
    assert desk.works_again()
    desk = Desk(Corrupt(at=1, direction="out", byte=9))
    echo = desk.device.ping()
    assert sum((a ^ b).bit_count() for a, b in zip(echo, b"Hello FIDO", strict=True)) == 1
    assert desk.device.ping() == b"Hello FIDO"
    desk = Desk(Corrupt(at=1, direction="out", command="CBOR", byte=7, bits=8))  # the status
    with pytest.raises(CtapError, match="0xFF"):
        Ctap2(desk.device)
    assert desk.works_again()


def test_a_duplicate_answer_is_taken_for_the_next_one():
    """A client that counts on the next report being its answer is one behind from then on."""
    for direction in ("in", "out"):
        desk = Desk(Duplicate(at=1, direction=direction))
        assert desk.device.ping(b"first") == b"first"
        assert desk.device.ping(b"second") == b"first"
        assert desk.device.ping(b"third") == b"second"
        assert desk.works_again()


class NoPatience(threading.Event):
    """python-fido2 waits a tenth of a second of the computer's time for a key that is busy."""

    def wait(self, timeout=None):
        return self.is_set()


def test_a_duplicate_of_a_request_that_waits_for_the_user_finds_the_key_busy():
    desk = Desk(Duplicate(at=1, direction="in"), finger=TouchAfter(1))
    assert desk.device.call(0x10, b"\x0b", NoPatience()) == b"\0"
    assert desk.elapsed_s() == pytest.approx(1)


def test_reordered_parts_are_out_of_sequence():
    desk = Desk(Reorder(at=1, direction="in", packet=2))
    with pytest.raises(CtapError) as caught:
        desk.device.ping(LONG)
    assert caught.value.code == 0x04  # ERR_INVALID_SEQ
    assert desk.works_again()
    desk = Desk(Reorder(at=1, direction="out", packet=2))
    with wrong("Wrong sequence number"):
        desk.device.ping(LONG)
    assert desk.works_again()


def test_a_delay_is_waited_out():
    desk = Desk(Delay(at=1, direction="in", delay_s=2), Delay(at=1, direction="out", delay_s=3))
    assert desk.device.ping(LONG) == LONG
    assert desk.elapsed_s() == 5
    assert desk.device.ping(LONG) == LONG
    assert desk.elapsed_s() == 5


def test_a_delay_inside_a_request_may_be_longer_than_the_key_waits():
    desk = Desk(Delay(at=1, direction="in", packet=2, delay_s=0.4))
    assert desk.device.ping(LONG) == LONG
    desk = Desk(Delay(at=1, direction="in", packet=2, delay_s=0.6))
    with pytest.raises(CtapError) as caught:
        desk.device.ping(LONG)
    assert caught.value.code == 0x05  # ERR_MSG_TIMEOUT
    assert desk.works_again()


def test_a_stalled_key_sends_no_keep_alives_until_it_goes_on():
    desk = Desk(Stall(at=1, stall_s=3), finger=TouchAfter(10))
    desk = Desk(Stall(at=1, stall_s=3))
    assert desk.device.ping() == b"Hello FIDO"
    assert desk.elapsed_s() == 3
    seen = []
    desk = Desk(Stall(command="KEEPALIVE", at=2, stall_s=3), finger=TouchAfter(1))
    desk.device.call(0x10, b"\x0b", on_keepalive=lambda status: seen.append(desk.elapsed_s()))
    assert seen == [0]
    assert desk.elapsed_s() == pytest.approx(3.1)
    assert desk.works_again()


def test_a_key_that_stalls_for_good_goes_on_after_a_power_cycle_or_without_the_plan():
    desk = Desk(Stall(at=1))
    with pytest.raises(OSError, match=NOTHING_COMES):
        desk.device.ping()
    desk.key.power_cycle()
    assert desk.works_again()
    desk = Desk(Stall(at=1))
    with pytest.raises(OSError, match=NOTHING_COMES):
        desk.device.ping(b"first")
    desk.key.faults = None
    assert desk.device.ping(b"second") == b"first"  # which the key had not forgotten
    assert desk.works_again()


def test_a_truncated_request_is_no_report_and_a_truncated_answer_no_message():
    desk = Desk(Truncate(at=1, direction="in"))
    with pytest.raises(OSError, match=NOTHING_COMES):
        desk.device.ping()
    assert desk.works_again()
    desk = Desk(Truncate(at=1, direction="out", length=6))
    with pytest.raises(struct.error):
        desk.device.ping()
    assert desk.works_again()
    desk = Desk(Truncate(at=1, direction="out", length=20))
    with pytest.raises(OSError, match=NOTHING_COMES):  # the client waits for the rest
        desk.device.ping(LONG)
    assert desk.works_again()


def test_a_wrong_channel():
    desk = Desk(WrongChannel(at=1, direction="in"))
    with pytest.raises(OSError, match=NOTHING_COMES):
        desk.device.ping()
    [refusal] = desk.key.link.reports  # for whoever has that channel
    assert refusal[4:8] == b"\xbf\x00\x01\x0b"  # ERR_INVALID_CHANNEL
    assert desk.works_again()
    desk = Desk(WrongChannel(at=1, direction="out", channel=BROADCAST))
    with wrong("Wrong channel"):
        desk.device.ping()
    assert desk.works_again()


def test_a_flood_of_keep_alives_is_read_through():
    desk = Desk(KeepAlives(number=1000, packet=1))
    seen = []
    assert desk.device.call(0x01, LONG[:57], on_keepalive=seen.append) == LONG[:57]
    assert seen == [Progress.PROCESSING]
    assert desk.works_again()
    # in the middle of an answer it is a sequence error
    desk = Desk(KeepAlives(packet=2, at=1))
    with wrong("Wrong sequence number"):
        desk.device.ping(LONG)
    assert desk.works_again()
    # and it may come before the request was read
    desk = Desk(KeepAlives(direction="in", number=3))
    desk.device._connection.write_packet(struct.pack(">IBH", 1, 0x81, 0).ljust(64, b"\0"))
    assert [report[4] for report in desk.key.link.reports] == [0xBB] * 3 + [0xBF]


@pytest.mark.parametrize("direction", ["in", "out"])
def test_unplugged_in_the_middle_of_a_message(direction):
    desk = Desk(Unplug(at=1, direction=direction, command="PING", packet=2))
    if direction == "out":  # what came before it did arrive
        raw = desk.device._connection
        for sequence, head in enumerate((struct.pack(">BH", 0x81, 150), b"\0", b"\1")):
            body = struct.pack(">I", desk.device._channel_id) + head + bytes([sequence])
            raw.write_packet(body.ljust(64, b"\0"))
        assert [raw.read_packet()[4] for _ in range(2)] == [0x81, 0]
        with pytest.raises(UnpluggedError):
            raw.read_packet()
    else:
        with pytest.raises(UnpluggedError, match="VIRTUAL-0001 is unplugged"):
            desk.device.ping(LONG)
    assert not desk.key.powered
    assert desk.works_again()


def test_unplugged_behind_a_whole_request_it_was_done_but_nobody_heard():
    flash = MemoryFlash()
    desk = Desk(Unplug(at=1, direction="in", command="CBOR"), flash=flash)
    before = dict(flash.contents)
    with pytest.raises(UnpluggedError):
        desk.device.call(0x10, b"\x07")  # reset
    assert flash.contents != before
    assert desk.works_again()


class Recorder(MemoryFlash):
    """Keeps what was there before and after each write."""

    def __init__(self):
        super().__init__()
        self.states = []

    def write(self, changes):
        super().write(changes)
        self.states.append(dict(self.contents))


def two_resets(desk):
    desk.device.call(0x10, b"\x07")
    desk.device.call(0x10, b"\x07")


@pytest.mark.parametrize("after", [False, True])
def test_a_power_cut_at_each_write(after):
    flash = Recorder()
    desk = Desk(Drop(at=10_000), flash=flash)
    made = len(flash.states)
    two_resets(desk)
    whole = flash.states[made - 1 :]
    assert len(whole) == 3
    for number in range(1, len(whole)):
        flash = Recorder()
        desk = Desk(PowerCut(at=number, after=after), flash=flash)
        with pytest.raises(UnpluggedError):
            two_resets(desk)
        assert not desk.key.powered
        assert flash.contents == whole[number if after else number - 1]
        assert desk.works_again()
        assert desk.key.faults.counts == {"power-cut": 1}


def test_the_writes_of_the_first_power_up_are_not_counted():
    flash = Recorder()
    key = SecurityKey(
        load_profile("reference"),
        clock=SimulatedClock(),
        entropy=SeededEntropy(1),
        flash=flash,
        faults=plan(PowerCut()),
    )
    assert key.powered
    assert len(flash.states) == 2
    assert not key.faults.counts


def test_a_plan_goes_on_over_power_cycles_and_a_new_one_starts_anew():
    desk = Desk(Unplug(every=3, direction="in", command="PING"))
    ended = []
    for number in range(1, 13):
        try:
            desk.device.ping()
        except UnpluggedError:
            ended.append(number)
            desk.key.power_on()
            desk.open()
    assert ended == [3, 6, 9, 12]
    assert desk.key.faults.counts == {"unplug": 4}
    desk.key.faults = desk.key.faults.plan
    assert not desk.key.faults.counts


def test_commands_and_packets_are_told_apart():
    desk = Desk(
        Drop(at=10**6, command="WINK"),
        Duplicate(command="0x42", direction="in", at=1),
        Delay(command="KEEPALIVE", direction="out", at=2, delay_s=0.05),
        Corrupt(command="ERROR", direction="out", byte=7, bits=8),
        finger=TouchAfter(0.5),
    )
    desk.device.wink()
    with pytest.raises(CtapError) as caught:
        desk.device.call(0x42)
    assert caught.value.code == 0xFE  # INVALID_CMD, all bits flipped
    desk.open()
    Ctap2(desk.device).selection()
    assert desk.key.faults.counts == {"duplicate": 1, "corrupt": 2, "delay": 1}


def test_a_report_that_is_none_is_not_counted():
    desk = Desk(Drop(at=1, direction="in"))
    desk.key.write(b"")
    desk.key.write(bytes(65))
    assert not desk.key.faults.counts


def test_what_was_out_before_the_plan_stays_out():
    desk = Desk(Drop(at=10**6))
    desk.key.faults = None
    desk.key.power_cycle()
    desk.open()
    head = struct.pack(">IBH", desk.device._channel_id, 0x81, 1)
    desk.device._connection.write_packet((head + b"x").ljust(64, b"\0"))
    desk.key.faults = plan(Drop(direction="out"))
    assert desk.device._connection.read_packet()[7:8] == b"x"


def test_a_plan_for_a_key_without_power_waits_for_it():
    desk = Desk(Drop(at=10**6))
    desk.key.power_off()
    desk.key.faults = plan(Drop(at=2, direction="in"))
    desk.key.power_on()
    desk.open()  # the first report
    with pytest.raises(OSError, match=NOTHING_COMES):
        desk.device.ping()


def test_a_command_that_waits_for_its_user_when_the_plan_comes():
    desk = Desk(Drop(at=10**6), finger=never_touch())
    desk.key.faults = None
    desk.key.power_cycle()
    desk.open()
    channel = struct.pack(">I", desk.device._channel_id)
    raw = desk.device._connection
    raw.write_packet((channel + b"\x90\x00\x01\x0b").ljust(64, b"\0"))
    assert raw.read_packet()[4] == 0xBB
    desk.key.faults = plan(Drop(command="KEEPALIVE", direction="out"))
    assert raw.read_packet()[4:8] == b"\x90\x00\x01\x2f"  # USER_ACTION_TIMEOUT
    assert desk.key.faults.counts["drop"] > 200


def test_messages_that_are_never_finished_do_not_fill_memory():
    desk = Desk(Drop(at=10**6))
    for channel in range(1, 200):
        desk.key.write(struct.pack(">IBH", channel, 0x81, 7609).ljust(64, b"\0"))
    assert len(desk.key.link._messages) == 64
    assert desk.works_again()
