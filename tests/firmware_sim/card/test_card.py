"""Selection, chaining in both directions, and what the card does with nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.card.card import Answer, SmartCard
from firmware_sim.card.fido import FidoApplet
from firmware_sim.card.management import ManagementApplet
from firmware_sim.card.oath import OathApplet
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.finger import never_touch
from firmware_sim.world.flash import FlashError, MemoryFlash, PowerCutError

FIDO, OATH, MANAGEMENT = FidoApplet.aid, OathApplet.aid, ManagementApplet.aid


class Mirror:
    """Answers each command with its data."""

    aid = bytes.fromhex("f000000001")
    more_ins = 0xC0

    def __init__(self):
        self.selections = 0

    def select(self):
        self.selections += 1
        return b"mirror"

    def deselect(self):
        self.selections -= 1

    async def respond(self, apdu):
        return Answer(apdu.data)


def mirror():
    card = SmartCard([Mirror()], b"\x3b\x00", SimulatedClock())
    assert exchange(card, bytes.fromhex("00a4040005f00000000100")) == (b"mirror", 0x9000)
    return card


def exchange(card, command):
    card.write(command)
    response = card.responses.popleft()
    return response[:-2], int.from_bytes(response[-2:], "big")


def test_selection_by_name_or_its_beginning(host):
    assert host.select(FIDO) == (b"U2F_V2", 0x9000)
    assert host.select(FIDO[:5])[1] == 0x9000
    assert host.select(OATH)[1] == 0x9000
    for wrong in (b"", FIDO[:4], FIDO + b"\0", bytes.fromhex("a000000308"), MANAGEMENT):
        assert host.select(wrong) == (b"", 0x6A82)
    assert host.send(0xA1)[1] == 0x9000  # OATH is still the one


def test_nothing_is_selected_at_first_nor_after_a_reset(host):
    assert host.send(0xA1)[1] == 0x6D00
    host.select(OATH)
    assert host.send(0xA1)[1] == 0x9000
    host.key.power_cycle()
    assert host.send(0xA1)[1] == 0x6D00
    assert host.send(0xC0)[1] == 0x6985


@pytest.mark.parametrize(
    ("cla", "status"),
    [(0x01, 0x6881), (0x04, 0x6882), (0x0C, 0x6882), (0x40, 0x6E00), (0xFF, 0x6E00),
     (0x81, 0x6E00), (0x20, 0x6E00), (0x13, 0x6881)],
)  # fmt: skip
def test_classes(host, cla, status):
    host.select(OATH)
    assert host.exchange(bytes((cla, 0xA1, 0, 0))) == (b"", status)
    assert host.send(0xA1)[1] == 0x9000


def test_an_answer_in_parts():
    card = mirror()
    data = bytes(range(256)) * 3
    message = bytes.fromhex("10100000ff") + data[:255]
    assert exchange(card, message) == (b"", 0x9000)
    assert exchange(card, bytes.fromhex("10100000ff") + data[255:510]) == (b"", 0x9000)
    assert exchange(card, bytes.fromhex("10100000ff") + data[510:765]) == (b"", 0x9000)
    assert exchange(card, bytes.fromhex("0010000003") + data[765:] + b"\0") == (data[:256], 0x6100)
    assert exchange(card, bytes.fromhex("00c0000010")) == (data[256:272], 0x6100)
    assert exchange(card, bytes.fromhex("00c0000000")) == (data[272:528], 0x61F0)
    assert exchange(card, bytes.fromhex("00c00000f0")) == (data[528:], 0x9000)
    assert exchange(card, bytes.fromhex("00c0000000")) == (b"", 0x6985)


def test_another_command_ends_an_answer_in_parts():
    card = mirror()
    exchange(card, bytes.fromhex("00100000000200") + bytes(512) + bytes.fromhex("0100"))
    assert exchange(card, bytes.fromhex("0010000001aa")) == (b"\xaa", 0x9000)
    assert exchange(card, bytes.fromhex("00c0000000")) == (b"", 0x6985)


def test_another_command_ends_a_chain():
    card = mirror()
    exchange(card, bytes.fromhex("1010000002aabb"))
    assert exchange(card, bytes.fromhex("0011000001cc")) == (b"\xcc", 0x9000)
    assert exchange(card, bytes.fromhex("0010000001dd")) == (b"\xdd", 0x9000)


def test_extended_length_takes_all_at_once():
    card = mirror()
    data = bytes(range(256)) * 255
    command = bytes.fromhex("00100000") + b"\0" + len(data).to_bytes(2, "big") + data
    assert exchange(card, command) == (data, 0x9000)
    assert exchange(card, command + b"\x01\x00") == (data[:256], 0x6100)


def test_a_chain_that_never_ends_is_dropped():
    card = mirror()
    part = bytes.fromhex("10100000ff") + bytes(255)
    statuses = [exchange(card, part)[1] for _ in range(258)]
    assert statuses == [0x9000] * 257 + [0x6700]
    assert exchange(card, bytes.fromhex("0010000001aa")) == (b"\xaa", 0x9000)


@given(st.data())
def test_however_it_is_cut_it_comes_back_whole(data):
    """Commands chained anyhow, in short or extended length; answers fetched by any lengths."""
    card, message = mirror(), data.draw(st.binary(max_size=1500))
    left = message
    while True:
        extended = data.draw(st.booleans())
        size = data.draw(st.integers(0, 400 if extended else 255))
        part, left = left[:size], left[size:]
        cla = 0x10 if left else 0
        count = b"\0" + len(part).to_bytes(2, "big") if extended else bytes((len(part),))
        body = count + part if part else b""
        expected = data.draw(st.integers(1, 300 if extended else 255))
        if extended:
            body += (b"" if part else b"\0") + expected.to_bytes(2, "big")
        else:
            body += bytes((expected,))
        answer, status = exchange(card, bytes((cla, 0x10, 0, 0)) + body)
        if not left:
            break
        assert (answer, status) == (b"", 0x9000)
    while status >> 8 == 0x61:
        assert len(answer) < len(message)
        room = data.draw(st.integers(0, 255))
        part, status = exchange(card, bytes((0, 0xC0, 0, 0, room)))
        assert len(part) <= (room or 256)
        answer += part
    assert (answer, status) == (message, 0x9000)


def test_selecting_anew_ends_the_session_before():
    card = mirror()
    [application] = card.applications
    exchange(card, bytes.fromhex("00a4040005f000000001"))
    assert application.selections == 1
    card.power_off()
    assert application.selections == 0


def test_while_it_works_it_takes_nothing(make_host):
    host = make_host(finger=never_touch())
    host.select(FIDO)
    host.key.transmit(bytes.fromhex("80100000010b"))
    host.key.transmit(bytes.fromhex("00a4040007a0000005272101"))
    assert not host.key.card.responses
    host.key.clock.advance(31)
    host.key.poll()
    assert host.key.card.responses.popleft() == bytes.fromhex("2f9000")
    assert host.send(0x10, 0x80, 0, b"\x04", 0x80)[1] == 0x9000


def test_storage_that_fails(make_host, monkeypatch):
    host = make_host()

    def full(changes):
        raise FlashError("disk full")

    monkeypatch.setattr(host.key.flash, "write", full)
    assert host.select(OATH) == (b"", 0x6581)
    assert host.select(FIDO)[1] == 0x9000


def test_a_power_cut_takes_the_card_away(make_host):
    class Cut(MemoryFlash):
        cut = False

        def write(self, changes):
            if self.cut:
                raise PowerCutError
            super().write(changes)

    flash = Cut()
    host = make_host(flash=flash)
    flash.cut = True
    with pytest.raises(OSError, match="unplugged"):
        host.select(OATH)
    assert not host.key.powered
    flash.cut = False
    host.key.power_on(as_card=True)
    assert host.select(OATH)[1] == 0x9000
