"""What was said to one key, said to another."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fido2.ctap import CtapDevice, CtapError
from fido2.ctap1 import APDU, ApduError, Ctap1
from fido2.ctap2 import ClientPin, Ctap2
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys import OpenKey, RefusedError, UnreadableKeyError, UnsupportedError
from tokenkit.keys.trace import patient
from tokenkit.keys.trace import replay as replay_module
from tokenkit.keys.trace.capture import TraceError
from tokenkit.keys.trace.descriptors import UsbIdentity
from tokenkit.keys.trace.player import Replay
from tokenkit.keys.trace.replay import replay
from tokenkit.keys.trace.reports import read_trace
from tokenkit.keys.trace.writer import TraceWriter
from tokenkit.virtual import (
    Finger,
    InProcessConnection,
    SqliteFlash,
    TouchAfter,
    World,
    connect,
    load_profile,
    plugged,
    touch_at_once,
)

RecordSession = Callable[..., Path]
REFERENCE = "virtual:reference?seed=1"


def nobody(key: OpenKey, action: str) -> None:
    raise AssertionError("a virtual key needs no care")


def play(path: Path, selector: str = REFERENCE, **options: Any) -> Replay:
    return replay(read_trace(path), selector, nobody, **options)


def differing(outcome: Replay) -> tuple[str | None, str | None]:
    """Names of what was recorded and of what came."""
    found = outcome.difference
    assert found is not None
    return found.first and found.first.name, found.second and found.second.name


def test_the_same_seed_answers_the_same_bytes(
    record_session: RecordSession, ceremonies: Any
) -> None:
    outcome = play(record_session(ceremonies), exact=True)
    assert outcome.difference is None
    assert outcome.same > 20


def test_another_seed_cannot_know_the_pin(record_session: RecordSession, ceremonies: Any) -> None:
    outcome = play(record_session(ceremonies), "virtual:reference?seed=2")
    assert differing(outcome) == ("SUCCESS", "PIN_AUTH_INVALID")
    assert outcome.same > 2
    outcome = play(record_session(ceremonies, "again"), "virtual:reference?seed=2", exact=True)
    assert outcome.difference is not None
    assert outcome.difference.members == ("channel",)


def test_another_key_is_told_by_what_differs(record_session: RecordSession) -> None:
    outcome = play(record_session(Ctap2), "virtual:yubikey-5.4?seed=1")
    assert outcome.difference is not None
    assert outcome.difference.members == ("version",)
    assert outcome.difference.number == 2


def test_time_passes_as_it_did(tmp_path: Path) -> None:
    """A key erases itself in the first 10 s after it got its power, and not later."""
    for seconds, status in ((9, 0), (11, 0x30)):  # SUCCESS, NOT_ALLOWED
        path = tmp_path / f"after-{seconds}"
        world = World("1")
        with TraceWriter(path, now=world.clock.now) as writer:
            key = world.security_key(load_profile("reference"))
            tap = writer.hid(UsbIdentity.of(key))
            world.clock.advance(seconds)
            device = connect(key, lambda _, connection, tap=tap: Tapped(connection, tap))
            assert device.call(0x10, b"\x07") == bytes((status,))
        assert bytes((0x90, 0, 1, status)) in read_trace(path).reports[-1].data
        assert play(path, exact=True) == Replay(2)


class Tapped(CtapHidConnection):
    def __init__(self, connection: CtapHidConnection, tap: Callable[[bool, bytes], None]) -> None:
        self.connection = connection
        self.tap = tap

    def write_packet(self, data: bytes) -> None:
        self.tap(True, data)
        self.connection.write_packet(data)

    def read_packet(self) -> bytes:
        data = self.connection.read_packet()
        self.tap(False, data)
        return data

    def close(self) -> None:
        self.connection.close()


def test_a_key_that_was_touched_late(record_session: RecordSession) -> None:
    path = record_session(lambda device: Ctap2(device).selection(), finger=TouchAfter(2.0))
    assert play(path, exact=True).difference is None  # though its keep-alives are fewer


def poll_u2f(device: CtapHidDevice) -> None:
    """As hosts do; a refused command first, which is no poll."""
    u2f = Ctap1(device)
    with pytest.raises(ApduError):
        u2f.authenticate(b"c" * 32, b"a" * 32, b"no such key handle")
    with pytest.raises(ApduError):
        u2f.authenticate(b"c" * 32, b"a" * 32, b"nor this", check_only=True)
    handle = touched(lambda: u2f.register(b"c" * 32, b"a" * 32)).key_handle
    with pytest.raises(ApduError) as known:
        u2f.authenticate(b"c" * 32, b"a" * 32, handle, check_only=True)
    assert known.value.code == APDU.USE_NOT_SATISFIED
    touched(lambda: u2f.authenticate(b"c" * 32, b"a" * 32, handle))


def touched(ask: Callable[[], Any]) -> Any:
    for _ in range(100):
        try:
            return ask()
        except ApduError as error:
            if error.code != APDU.USE_NOT_SATISFIED:
                raise
    raise AssertionError("nobody touched it")


@pytest.mark.parametrize(("then", "now"), [(None, 0.35), (0.35, None), (0.35, 1.0)])
def test_how_often_u2f_was_asked_for_a_touch_is_no_difference(
    record_session: RecordSession,
    monkeypatch: pytest.MonkeyPatch,
    then: float | None,
    now: float | None,
) -> None:
    def finger(after_s: float | None) -> Finger:
        return touch_at_once() if after_s is None else TouchAfter(after_s)

    # without the host's patience in a virtual key's own connection
    monkeypatch.setattr(InProcessConnection, "write_packet", impatient)
    path = record_session(poll_u2f, finger=finger(then))
    make = replay_module.virtual_key

    def make_with_finger(*args: Any) -> Any:
        key, state = make(*args)
        key.finger = finger(now)
        return key, state

    monkeypatch.setattr(replay_module, "virtual_key", make_with_finger)
    assert play(path, exact=True) == Replay(6)


def impatient(self: Any, data: bytes) -> None:
    key = self._open()
    self._channels.add(data[:4])
    key.clock.wait_until(key.clock.now() + 0.05)
    key.write(data)


def test_a_cancelled_command_is_cancelled(record_session: RecordSession) -> None:
    def cancel(device: CtapHidDevice) -> None:
        cancelled = Event()
        with pytest.raises(CtapError, match="KEEPALIVE_CANCEL"):
            Ctap2(device).selection(event=cancelled, on_keepalive=lambda status: cancelled.set())

    path = record_session(cancel, finger=TouchAfter(20.0))
    # a finger that is there at once is faster than the cancellation
    assert differing(play(path)) == ("KEEPALIVE_CANCEL", "SUCCESS")


def test_u2f_and_broken_framing_and_strange_channels(
    tmp_path: Path, record_session: RecordSession, wire: Any
) -> None:
    def awkward(device: Any) -> None:
        Ctap1(device).register(b"c" * 32, b"a" * 32)
        channel, connection = device._channel_id, device._connection
        first, second, _ = wire.packets(channel, 0x01, bytes(150))
        for packet in (
            wire.packet(0x12345678, 0x01, b"who am I?"),
            wire.packet(0, 0x01),
            second,
            wire.packet(channel, 0x55),
            wire.packet(channel, 0x06, b"87654321"),
            wire.packet(channel, 0x01, length=7610),
        ):
            connection.write_packet(packet)
        for _ in range(5):
            connection.read_packet()
        connection.write_packet(first)
        connection.write_packet(first)
        connection.read_packet()
        connection.write_packet(first)
        connection.read_packet()  # nothing more comes: the transaction times out

    path = record_session(awkward)
    for selector in (REFERENCE, "virtual:reference?seed=2"):
        assert play(path, selector).difference is None
    assert play(path, exact=True).same >= 9


def test_a_recording_that_began_later(tmp_path: Path, wire: Any) -> None:
    channel = 0x0A0B0C0D
    with TraceWriter(tmp_path / "trace") as writer:
        tap = writer.hid(UsbIdentity())
        for from_host in (True, False):
            for packet in wire.packets(channel, 0x01, b"ping" * 50):
                tap(from_host, packet)
        tap(True, wire.packet(0x99, 0x01, b"not mine"))
        tap(False, wire.packet(0x99, 0x3F, b"\x0b"))
    assert play(tmp_path / "trace") == Replay(2)


def test_a_key_that_says_nothing(tmp_path: Path, wire: Any) -> None:
    with TraceWriter(tmp_path / "trace") as writer:
        tap = writer.hid(UsbIdentity())
        tap(True, wire.packet(0xFFFFFFFF, 0x06, b"12345678"))
        tap(False, wire.packet(0xFFFFFFFF, 0x06, b"12345678" + b"\0\0\0\1" + bytes(5)))
        tap(True, wire.packet(1, 0x11))  # a cancellation, which is not answered
        tap(False, wire.packet(1, 0x10, b"\x2d"))
    outcome = play(tmp_path / "trace", "virtual:reference?seed=2")
    assert outcome.difference is not None
    assert outcome.difference.number == 2
    content = read_trace(tmp_path / "trace")
    content.reports[:2] = []
    outcome = replay(content, REFERENCE, nobody)
    assert differing(outcome) == ("KEEPALIVE_CANCEL", None)


def test_a_key_from_a_file(tmp_path: Path) -> None:
    state = tmp_path / "key.state"
    selector = f"virtual:reference?seed=1&state={state}"
    world = World("1")
    flash = SqliteFlash(state)
    key = world.security_key("reference", flash=flash)
    ClientPin(Ctap2(connect(key))).set_pin("1234")
    key.power_off()
    flash.close()
    shutil.copy(state, tmp_path / "before")
    flash = SqliteFlash(state)
    world = World("1")
    with TraceWriter(tmp_path / "trace", now=world.clock.now) as writer:
        again = world.security_key(flash=flash)
        tap = writer.hid(UsbIdentity.of(again))
        device = connect(again, lambda _, connection: Tapped(connection, tap))
        ClientPin(Ctap2(device)).change_pin("1234", "4321")
    again.power_off()
    flash.close()
    shutil.copy(tmp_path / "before", state)
    assert play(tmp_path / "trace", selector, exact=True).difference is None
    # it was done again: the key in the file is another one now, and draws other secrets
    assert differing(play(tmp_path / "trace", selector)) == ("SUCCESS", "PIN_AUTH_INVALID")


def test_several_keys_in_a_trace(tmp_path: Path, wire: Any) -> None:
    with TraceWriter(tmp_path / "trace") as writer:
        for data in (b"one", b"two"):
            tap = writer.hid(UsbIdentity())
            tap(True, wire.packet(1, 0x01, data))
            tap(False, wire.packet(1, 0x01, data))
    with pytest.raises(TraceError, match=r"2 keys are in it; choose by --device: 1\.1, 1\.2"):
        play(tmp_path / "trace")
    with pytest.raises(TraceError, match=r"device 1\.3 is not in it; there are: 1\.1, 1\.2"):
        play(tmp_path / "trace", device="1.3")
    assert play(tmp_path / "trace", device="1.2") == Replay(1)


def test_a_trace_that_is_not_whole_is_not_replayed(
    record_session: RecordSession, tmp_path: Path
) -> None:
    path = record_session(Ctap2)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TraceError, match="ends in the middle"):
        play(path)


def test_a_report_that_is_not_whole_is_not_replayed(tmp_path: Path, wire: Any) -> None:
    with TraceWriter(tmp_path / "trace") as writer:
        tap = writer.hid(UsbIdentity())
        tap(True, wire.packet(0xFFFFFFFF, 0x06, b"12345678"))
        tap(True, b"123")
    with pytest.raises(TraceError, match="a report to the key has 3 bytes: not replayed"):
        play(tmp_path / "trace")


# -- physical keys ----------------------------------------------------------------------------


def refuse(key: OpenKey, action: str) -> None:
    assert action == "replay 2 recorded messages and whatever they change"
    raise RefusedError("nothing done")


def test_a_physical_key_is_asked_for_first(physical: Any, record_session: RecordSession) -> None:
    key = physical.add("/dev/hidraw0")
    path = record_session(lambda device: device.wink())
    with pytest.raises(RefusedError):
        replay(read_trace(path), "hid:/dev/hidraw0", refuse)
    assert key.winks == 0
    outcome = replay(read_trace(path), "hid:/dev/hidraw0", lambda key, action: None)
    assert outcome == Replay(2)
    assert key.winks == 1


def test_a_virtual_key_that_is_plugged_in(record_session: RecordSession) -> None:
    path = record_session(lambda device: device.wink())
    key = World(seed=2).security_key()
    with plugged(key) as [where]:
        outcome = replay(read_trace(path), f"hid:{where}", lambda key, action: None)
    assert outcome == Replay(2)
    assert key.winks == 1


class Silent(CtapHidConnection):
    """Answers like a key, and then hangs, as reading from a real one does."""

    def __init__(self, connection: CtapHidConnection, answers: int) -> None:
        self.connection = connection
        self.answers = answers
        self.released = Event()

    def write_packet(self, data: bytes) -> None:
        self.connection.write_packet(data)

    def read_packet(self) -> bytes:
        if not self.answers:
            self.released.wait()
            raise OSError("gone")
        self.answers -= 1
        return self.connection.read_packet()

    def close(self) -> None:
        self.released.set()


def test_a_physical_key_that_hangs(
    physical: Any, record_session: RecordSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient, "PATIENCE_S", 0.01)
    silent = Silent(InProcessConnection(World(seed=1).security_key()), answers=1)
    physical.add_connection("/dev/hidraw0", silent)
    path = record_session(lambda device: device.wink())
    outcome = replay(read_trace(path), "hid:/dev/hidraw0", lambda key, action: None)
    assert outcome.same == 0
    assert outcome.difference is not None
    assert outcome.difference.second is None


# -- cards ------------------------------------------------------------------------------------


class Card(CtapDevice):
    """A key behind a reader, as far as python-fido2 tells."""

    def __init__(self, device: CtapHidDevice) -> None:
        self.device = device

    @property
    def capabilities(self) -> int:
        return self.device.capabilities

    def call(self, cmd: int, data: bytes = b"", *args: Any, **options: Any) -> bytes:
        return self.device.call(cmd, data)

    def close(self) -> None:
        self.device.close()

    @classmethod
    def list_devices(cls) -> Iterator[CtapDevice]:
        return iter(())


@pytest.fixture
def card_trace(tmp_path: Path) -> Path:
    """SELECT, U2F version and getInfo with a wait and a chained answer."""
    answer = connect(World("1").security_key("reference")).call(0x10, b"\x04")
    with TraceWriter(tmp_path / "card") as writer:
        tap = writer.card(UsbIdentity("reader"))
        for apdu, response in (
            ("00a4040008a0000006472f000100", b"U2F_V2\x90\0"),
            ("00030000", b"U2F_V2\x90\0"),
            ("80108000010400", b"\x01\x91\0"),
            ("8011000000", answer[:100] + b"\x61\0"),
            ("00c0000000", answer[100:] + b"\x90\0"),
        ):
            tap(True, bytes.fromhex(apdu))
            tap(False, response)
    return tmp_path / "card"


def test_a_card_session_is_replayed_by_message(card_trace: Path) -> None:
    assert play(card_trace, exact=True) == Replay(2)
    outcome = play(card_trace, "virtual:security-key?seed=1")
    assert outcome.same == 1
    assert outcome.difference is not None
    assert "aaguid" in outcome.difference.members


def test_a_usb_session_needs_usb(
    monkeypatch: pytest.MonkeyPatch, record_session: RecordSession, card_trace: Path
) -> None:
    def open_key(selector: Any) -> OpenKey:
        return OpenKey(Card(connect(World(seed=1).security_key())), "pcsc:r", "r", None)

    monkeypatch.setattr(replay_module, "open_key", open_key)
    path = record_session(Ctap2)
    with pytest.raises(UnsupportedError, match="cannot be replayed over PC/SC"):
        replay(read_trace(path), "pcsc:r", lambda key, action: None)
    outcome = replay(read_trace(card_trace), "pcsc:r", lambda key, action: None)
    assert outcome == Replay(2)


def test_a_key_that_hangs_is_not_waited_for_once_a_keepalive(
    tmp_path: Path, physical: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []

    class Hanging(patient.PatientConnection):
        def read_packet(self) -> bytes:
            try:
                return super().read_packet()
            except OSError:
                waits.append(1)
                raise

    monkeypatch.setattr(patient, "PATIENCE_S", 0.01)
    monkeypatch.setattr(replay_module, "PatientConnection", Hanging)
    physical.add_connection(
        "/dev/hidraw0", Silent(InProcessConnection(World(seed=1).security_key()), answers=2)
    )
    with TraceWriter(tmp_path / "trace") as writer:
        tap = writer.hid(UsbIdentity())
        tap(True, wire.packet(1, 0x10, b"\x0b"))
        for _ in range(300):
            tap(False, wire.packet(1, 0x3B, b"\2"))
        tap(False, wire.packet(1, 0x10, b"\0"))
    trace = read_trace(tmp_path / "trace")
    outcome = replay(trace, "hid:/dev/hidraw0", lambda key, action: None)
    assert outcome.same == 0
    assert len(waits) == 1


def test_a_key_that_is_pulled_out(physical: Any, record_session: RecordSession) -> None:
    path = record_session(lambda device: device.wink())
    key = physical.add("/dev/hidraw0")
    with pytest.raises(UnreadableKeyError, match="hidraw0: "):
        replay(read_trace(path), "hid:/dev/hidraw0", lambda opened, action: key.power_off())


# -- whatever was recorded ----------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.builds(
                lambda channel, kind, length, data: (
                    channel + bytes((kind,)) + length.to_bytes(2, "big") + data
                ).ljust(64, b"\0"),
                st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\0\1", b"\xdd\x1f\x0e\x8a"]),
                st.sampled_from([0, 1, 0x81, 0x83, 0x86, 0x90, 0x91, 0xBB, 0xBF]),
                st.integers(0, 100),
                st.binary(max_size=57),
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_recording_has_an_outcome(tmp_path: Path, packets: list[tuple[bool, bytes]]) -> None:
    with TraceWriter(tmp_path / "trace", overwrite=True, now=lambda: 1e9) as writer:
        tap = writer.hid(UsbIdentity())
        for packet in packets:
            tap(*packet)
    try:
        trace = read_trace(tmp_path / "trace")
    except TraceError:
        return  # only answers
    outcome = replay(trace, REFERENCE, nobody)
    assert outcome.same <= len(packets)
