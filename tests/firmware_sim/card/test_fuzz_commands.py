"""Commands of a hostile host: each is answered, and the card goes on."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.card.apdu import StatusWord
from firmware_sim.card.fido import FidoApplet
from firmware_sim.card.oath import OathApplet

FIDO, OATH = FidoApplet.aid, OathApplet.aid
STATUSES = {status.value for status in StatusWord}
commands = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([FIDO, OATH]).map(lambda aid: b"\0\xa4\4\0" + bytes((len(aid),)) + aid),
    st.builds(
        lambda cla, ins, p1, p2, data: bytes((cla, ins, p1, p2, len(data))) + data,
        st.sampled_from([0x00, 0x10, 0x80, 0x90]),
        st.sampled_from([1, 2, 3, 4, 5, 0x10, 0x11, 0x12, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xC0]),
        st.sampled_from([0, 1, 4, 0x11, 0x80, 0xDE]),
        st.sampled_from([0, 1, 0xAD]),
        st.binary(max_size=60)
        | st.sampled_from([b"\x04", b"\x71\x01a", b"\x71\x01a\x73\x10\x21\x06" + bytes(14)]),
    ),
)


@given(st.lists(commands, max_size=12))
def test_any_command_has_an_answer(make_host, messages):
    host = make_host()
    for message in messages:
        answer, status = host.exchange(message)
        assert status in STATUSES or status >> 8 == 0x61
        assert not answer or status in (0x9000, 0x9100) or status >> 8 == 0x61
    host.exchange(b"\0\0\0\0")  # ends a chain that was begun
    assert host.select(FIDO)[1] == 0x9000
    assert host.send(0x10, 0, 0, b"\x04", 0x80)[0][0] == 0
