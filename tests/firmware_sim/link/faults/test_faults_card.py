"""The same plan on whole APDUs."""

import math
from collections import deque

import pytest

from firmware_sim.link.faults.card import FaultyCard
from firmware_sim.link.faults.plan import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    FaultPlan,
    KeepAlives,
    Stall,
    Truncate,
    Unplug,
)
from firmware_sim.link.faults.wire import Faults
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.flash import PowerCutError

SELECT = bytes.fromhex("00a4040008a0000006472f0001")
GET_INFO = bytes.fromhex("80100000010400")
CHAINED = [bytes.fromhex("9010000001ff"), bytes.fromhex("90100000 01ee"), GET_INFO]
GET_RESPONSE = bytes.fromhex("00c0000000")
NFCCTAP_GETRESPONSE = bytes.fromhex("80110000")
CALCULATE = bytes.fromhex("00a2000100")


class Echo:
    """A card that answers what it got, a status behind it."""

    atr = b"\x3b\x80\x01\x81"

    def __init__(self):
        self.responses = deque()

    def write(self, command):
        self.responses.append(ok(command))

    def poll(self):
        pass

    def wake_s(self):
        return math.inf

    def power_off(self):
        self.responses.clear()


class Reader:
    """A card under a plan, on a reader that waits as long as something may come."""

    def __init__(self, *faults):
        self.clock = SimulatedClock(0)
        self.faults = Faults(FaultPlan(fault=faults))
        self.card = FaultyCard(Echo(), self.clock, self.faults)

    def transmit(self, command):
        """All responses that come to it, most often one."""
        responses = self.card.responses
        self.card.write(command)
        while not responses and (wake_s := self.card.wake_s()) < math.inf:
            self.clock.wait_until(wake_s)
            self.card.poll()
        came = list(responses)
        responses.clear()
        return came


def ok(command):
    return command + b"\x90\x00"


def test_commands_have_names():
    reader = Reader(
        Drop(command="SELECT", direction="out"),
        Truncate(command="CBOR", direction="out", length=1),
        Corrupt(command="0xA2", direction="out", byte=0, bits=8),
    )
    assert reader.transmit(SELECT) == []
    assert reader.transmit(GET_INFO) == [b"\x80"]
    assert reader.transmit(NFCCTAP_GETRESPONSE) == [b"\x80"]  # of the same command
    assert reader.transmit(CALCULATE)[0][0] == 0xFF
    assert reader.transmit(b"\x00\xcb") == [b"\x00\xcb\x90\x00"]
    assert reader.transmit(b"") == [b"\x90\x00"]
    assert reader.faults.counts == {"drop": 1, "truncate": 2, "corrupt": 1}


def test_the_packets_of_a_message_are_a_chain_and_the_parts_of_its_response():
    reader = Reader(Drop(direction="in", packet=3))
    assert [reader.transmit(each) for each in CHAINED] == [[ok(CHAINED[0])], [ok(CHAINED[1])], []]
    assert reader.transmit(GET_INFO) == [ok(GET_INFO)]
    reader = Reader(Drop(direction="out", packet=2))
    parts = [SELECT, GET_RESPONSE, GET_RESPONSE]
    assert [reader.transmit(each) for each in parts] == [[ok(SELECT)], [], [ok(GET_RESPONSE)]]


def test_time_passes_by_itself():
    reader = Reader(Delay(at=1, delay_s=2), Stall(at=3, stall_s=5))
    assert reader.transmit(SELECT) == [ok(SELECT)]
    assert reader.clock.now() == 2
    assert reader.transmit(SELECT) == [ok(SELECT)]
    assert reader.clock.now() == 7


def test_pulled_out():
    reader = Reader(Unplug(at=1, direction="in"))
    with pytest.raises(PowerCutError):
        reader.transmit(SELECT)
    assert not reader.card.responses
    reader.card.power_off()


def test_a_card_stays_what_it_is():
    assert Reader(Drop()).card.atr == Echo.atr


def test_what_needs_a_channel_is_ignored(caplog):
    reader = Reader(KeepAlives(direction="both"), Duplicate(direction="out"))
    assert reader.transmit(SELECT) == [ok(SELECT)] * 2
    assert reader.faults.counts == {"duplicate": 1}
    assert "keep-alives is ignored" in caplog.text
