"""Messages out of packets: interleaved, broken, chained."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys.trace.messages import Command, Message, parse_apdu, read_messages
from tokenkit.keys.trace.reports import Report

ONE, TWO = 0x11111111, 0x22222222


def reports(packets: Iterable[tuple[bool, bytes]], card: bool = False) -> list[Report]:
    return [
        Report(float(number), "1.1", card, from_host, data)
        for number, (from_host, data) in enumerate(packets)
    ]


def read(packets: Iterable[tuple[bool, bytes]], card: bool = False) -> list[Message]:
    return list(read_messages(reports(packets, card)))


@st.composite
def interleaved(draw: st.DrawFn, wire: Any) -> tuple[list[tuple[bool, bytes]], Any]:
    """Messages on streams of their own, whose packets are shuffled between streams."""
    streams = {}
    for from_host in (True, False):
        for channel in (ONE, TWO):
            payloads = draw(st.lists(st.binary(max_size=300), max_size=3))
            command = draw(st.sampled_from([1, 3, 0x10, 0x41]))
            streams[from_host, channel] = [(command, payload) for payload in payloads]
    queues = {
        stream: [packet for message in messages for packet in wire.packets(stream[1], *message)]
        for stream, messages in streams.items()
    }
    order = draw(st.permutations([stream for stream, queue in queues.items() for _ in queue]))
    return [(stream[0], queues[stream].pop(0)) for stream in order], streams


@given(data=st.data())
def test_messages_come_out_as_they_went_in(wire: Any, data: st.DataObject) -> None:
    packets, streams = data.draw(interleaved(wire))
    messages = read(packets)
    assert all(message.problem is None for message in messages)
    for (from_host, channel), sent in streams.items():
        assert sent == [
            (each.command, each.payload)
            for each in messages
            if (each.from_host, each.channel) == (from_host, channel)
        ]


def test_the_longest_message(wire: Any) -> None:
    payload = bytes(number & 0xFF for number in range(7609))
    [message] = read((True, packet) for packet in wire.packets(ONE, 0x01, payload))
    assert message == Message(0.0, "1.1", True, ONE, Command.PING, payload)


def test_broken_framing_is_shown_as_such(wire: Any) -> None:
    start, second, third = wire.packets(ONE, 0x01, bytes(150))
    whole = wire.packet(ONE, 0x10, b"\x04")
    cases: dict[str, list[bytes]] = {
        "cut off: 57 of 150 bytes": [start, whole],
        "packet 1 where 0 was due: 57 of 150 bytes": [start, third],
        "packet 0 where 1 was due: 116 of 150 bytes": [start, second, second],
        "packet 0 of a message that did not begin": [second],
        "unfinished: 116 of 150 bytes": [start, second],
        "announces 7610 bytes, more than the 7609 that fit": [wire.packet(ONE, 1, length=7610)],
        "a report of 63 bytes": [whole[:63]],
        "a report of 0 bytes": [b""],
    }
    for problem, packets in cases.items():
        broken = [each.problem for each in read((False, each) for each in packets) if each.problem]
        assert broken == [problem]


def test_after_broken_framing_comes_sense(wire: Any) -> None:
    start, _, third = wire.packets(ONE, 0x01, bytes(150))
    [broken, message] = read([(True, start), (True, third), (True, wire.packet(ONE, 0x08))])
    assert (broken.problem is None, message.problem, message.command) == (False, None, Command.WINK)


def test_a_report_that_was_not_captured_whole(wire: Any) -> None:
    report = Report(0.0, "1.1", False, True, wire.packet(ONE, 0x08)[:20], missing=44)
    [message] = read_messages([report])
    assert message.problem == "a report of 64 bytes, of which 44 were not captured"


def test_a_cancellation_goes_between(wire: Any) -> None:
    start, second = wire.packets(ONE, 0x01, bytes(100))
    messages = read([(True, start), (True, wire.packet(ONE, 0x11)), (True, second)])
    assert [(each.command, each.problem) for each in messages] == [
        (Command.CANCEL, None),
        (Command.PING, None),
    ]


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=64)), max_size=8))
def test_any_reports_are_never_a_traceback(packets: list[tuple[bool, bytes]]) -> None:
    messages = read(packets)
    assert len(messages) <= 2 * len(packets)


packet_bytes = st.builds(
    lambda channel, kind, length, data: (
        channel.to_bytes(4, "big") + bytes((kind,)) + length.to_bytes(2, "big") + data
    ).ljust(64, b"\0"),
    st.sampled_from([ONE, TWO]),
    st.sampled_from([0, 1, 2, 0x81, 0x90, 0x91, 0xBB]),
    st.integers(0, 200),
    st.binary(max_size=57),
)


@given(st.lists(st.tuples(st.booleans(), packet_bytes), max_size=12))
def test_no_payload_byte_is_made_up(packets: list[tuple[bool, bytes]]) -> None:
    """Whatever the order, what is told was in a packet, and nothing is told twice."""
    messages = read(packets)
    assert sum(len(each.payload) for each in messages) <= sum(len(each) for _, each in packets)
    for message in messages:
        assert message.problem or len(message.payload) <= 200


# -- cards ------------------------------------------------------------------------------------


def test_a_card_is_asked_and_answers() -> None:
    select = bytes.fromhex("00a4040008a0000006472f000100")
    get_info = bytes.fromhex("80108000010400")
    messages = read(
        [(True, select), (False, b"U2F_V2\x90\0"), (True, get_info), (False, b"\0\xa0\x90\0")],
        card=True,
    )
    assert [(each.from_host, each.command, each.payload) for each in messages] == [
        (True, Command.MSG, select),
        (False, Command.MSG, b"U2F_V2\x90\0"),
        (True, Command.CBOR, b"\x04"),
        (False, Command.CBOR, b"\0\xa0"),
    ]
    assert {each.channel for each in messages} == {None}


def test_chained_parts_are_joined_both_ways() -> None:
    part, last = b"a" * 250, b"b" * 3
    messages = read(
        [
            (True, b"\x90\x10\x80\x00\xfa" + part),
            (False, b"\x90\x00"),
            (True, b"\x80\x10\x80\x00\x03" + last + b"\0"),
            (False, b"c" * 256 + b"\x61\x02"),
            (True, b"\x00\xc0\x00\x00\x02"),
            (False, b"dd\x90\x00"),
        ],
        card=True,
    )
    assert [(each.time_s, each.command, each.payload) for each in messages] == [
        (0.0, Command.CBOR, part + last),
        (3.0, Command.CBOR, b"c" * 256 + b"dd"),
    ]


@pytest.mark.parametrize("rest", ["00c0000000", "00a50000"], ids=["ISO 7816", "OATH"])
def test_the_rest_of_an_answer_is_fetched_by_either_command(rest: str) -> None:
    packets = [
        (True, bytes.fromhex("00a40001")),
        (False, b"first\x61\xff"),
        (True, bytes.fromhex(rest)),
        (False, b"second\x90\x00"),
    ]
    [_, answer] = read(packets, card=True)
    assert (answer.problem, answer.payload) == (None, b"firstsecond\x90\x00")


def test_a_card_that_waits_for_a_touch() -> None:
    messages = read(
        [
            (True, bytes.fromhex("80108000010700")),
            (False, bytes.fromhex("029100")),
            (True, bytes.fromhex("8011000000")),
            (False, bytes.fromhex("029100")),
            (True, bytes.fromhex("8011110000")),
            (False, bytes.fromhex("2d9000")),
        ],
        card=True,
    )
    assert [each.command for each in messages] == [
        Command.CBOR,
        Command.KEEPALIVE,
        Command.POLL,
        Command.KEEPALIVE,
        Command.CANCEL,
        Command.CBOR,
    ]


def test_a_chain_that_breaks() -> None:
    part = b"\x90\x10\x80\x00\x02ab"
    for packets, problems in (
        ([(True, part)], ["unfinished"]),
        ([(True, part), (False, b"\x67\x00")], ["unfinished", None]),
        ([(True, part), (True, b"\x80")], ["unfinished", "no APDU"]),
        ([(False, b"\x90")], ["an answer without status word"]),
        (
            [(True, b"\0\1\2\3"), (False, b"a\x61\2"), (True, b"\0\1\2\3")],
            [None, "unfinished", None],
        ),
    ):
        assert [each.problem for each in read(packets, card=True)] == problems


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=12)), max_size=8))
def test_any_apdus_are_never_a_traceback(packets: list[tuple[bool, bytes]]) -> None:
    assert len(read(packets, card=True)) <= 2 * len(packets)


@pytest.mark.parametrize(
    ("apdu", "data"),
    [
        ("00030000", ""),
        ("0003000000", ""),
        ("00030000000000", ""),
        ("0001030002aabb", "aabb"),
        ("0001030002aabb00", "aabb"),
        ("00010300000002aabb", "aabb"),
        ("00010300000002aabb0000", "aabb"),
        ("000103", None),
        ("0001030003aabb", None),
        ("00010300000003aabb", None),
        ("0001030002aabb0000", None),
        ("000103000000", None),
    ],
)
def test_apdus_short_and_extended(apdu: str, data: str | None) -> None:
    parsed = parse_apdu(bytes.fromhex(apdu))
    assert (None if parsed is None else parsed.data.hex()) == data
