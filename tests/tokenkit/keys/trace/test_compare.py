"""Two sessions side by side."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fido2.ctap1 import Ctap1
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys.trace.compare import compare
from tokenkit.keys.trace.messages import Command, Message
from tokenkit.virtual import Press, ScriptedFinger, TouchAfter

RecordSession = Callable[..., Path]


def get_info(device: CtapHidDevice) -> None:
    Ctap2(device)


def test_the_same_program_on_another_key_says_the_same(
    record_session: RecordSession, ceremonies: Any, wire: Any
) -> None:
    one = wire.messages_of(record_session(ceremonies, "one", seed="1"))
    other = wire.messages_of(record_session(ceremonies, "other", seed="2"))
    assert list(compare(one, other)) == []
    exact = list(compare(one, other, exact=True))
    assert exact[0].number == 1
    assert exact[0].members == ("nonce",)
    assert len(exact) > 10


def test_how_long_somebody_took_makes_no_difference(
    record_session: RecordSession, wire: Any
) -> None:
    def select(device: CtapHidDevice) -> None:
        Ctap2(device).selection()

    fast = wire.messages_of(record_session(select, "fast", finger=TouchAfter(0.1)))
    slow = wire.messages_of(record_session(select, "slow", finger=TouchAfter(3.0)))
    assert len(slow) > len(fast) + 5
    assert list(compare(fast, slow)) == []


def test_what_differs_is_told_by_its_path(record_session: RecordSession, wire: Any) -> None:
    one = wire.messages_of(record_session(get_info, "one"))
    other = wire.messages_of(record_session(get_info, "other", profile="yubikey-5.7"))
    found = list(compare(one, other))
    assert found[0].members == ("version",)
    info = found[-1]
    assert info.first is not None
    assert info.second is not None
    assert {"aaguid", "options.ep", "firmwareVersion"} <= set(info.members)


def test_a_message_more(record_session: RecordSession, wire: Any) -> None:
    def more(device: CtapHidDevice) -> None:
        get_info(device)
        device.wink()
        get_info(device)

    def less(device: CtapHidDevice) -> None:
        get_info(device)
        get_info(device)

    one = wire.messages_of(record_session(more, "more"))
    other = wire.messages_of(record_session(less, "less"))
    there = [(each.number, each.first and each.first.command) for each in compare(one, other)]
    assert there == [(5, "WINK"), (6, "WINK")]
    assert [each.second for each in compare(one, other)] == [None, None]
    assert [each.first for each in compare(other, one)] == [None, None]


def test_a_refusal_is_another_status(record_session: RecordSession, wire: Any) -> None:
    def select(device: CtapHidDevice) -> None:
        device.call(0x10, b"\x0b")

    one = wire.messages_of(record_session(select, "one", finger=ScriptedFinger([Press()])))
    other = wire.messages_of(record_session(select, "other", finger=ScriptedFinger([None])))
    [found] = compare(one, other)
    assert found.first is not None
    assert found.second is not None
    assert (found.first.name, found.second.name) == ("SUCCESS", "OPERATION_DENIED")
    assert found.members == ()


def test_counters_of_u2f_differ_by_nature(record_session: RecordSession, wire: Any) -> None:
    def sign(device: CtapHidDevice, times: int) -> None:
        u2f = Ctap1(device)
        handle = u2f.register(b"c" * 32, b"a" * 32).key_handle
        for _ in range(times):
            u2f.authenticate(b"c" * 32, b"a" * 32, handle)

    one = wire.messages_of(record_session(lambda device: sign(device, 1), "one"))
    two = wire.messages_of(record_session(lambda device: sign(device, 2), "two"))
    assert list(compare(one, two[:-2])) == []
    assert list(compare(one, [*two[:-4], *two[-2:]])) == []
    assert [each.first for each in compare(one, two)] == [None, None]


messages = st.lists(
    st.builds(
        Message,
        time_s=st.floats(0, 10),
        key=st.sampled_from(["1.1", "1.2"]),
        from_host=st.booleans(),
        channel=st.sampled_from([None, 1, 2]),
        command=st.sampled_from([*Command, 0x50]),
        payload=st.binary(max_size=3),
        problem=st.sampled_from([None, None, "broken"]),
    ),
    max_size=8,
)


@given(messages)
def test_a_session_says_what_it_says(session: list[Message]) -> None:
    later = [replace(each, time_s=each.time_s + 7) for each in session]
    assert list(compare(session, later, exact=True)) == []


@given(messages, messages)
def test_differences_are_seen_from_both_sides(one: list[Message], other: list[Message]) -> None:
    there, back = list(compare(one, other)), list(compare(other, one))
    assert bool(there) == bool(back)
    for found in there:
        assert found.first is not None or found.second is not None
        assert found.number >= 1
