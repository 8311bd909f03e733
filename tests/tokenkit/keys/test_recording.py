"""Whatever the driver layer opens is recorded while somebody asks for it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fido2.ctap import CtapDevice
from fido2.hid import CAPABILITY, CTAPHID, CtapHidDevice

from tokenkit.keys import discover, open_key, pcsc, ping, record
from tokenkit.keys.recording import tapped_card
from tokenkit.keys.reset import reset
from tokenkit.keys.trace.messages import Command, Message, read_messages
from tokenkit.keys.trace.reports import read_trace
from tokenkit.virtual import SimulatedClock, World, plugged


def messages(path: Path) -> list[Message]:
    trace = read_trace(path)
    trace.require_whole()
    return list(read_messages(trace.reports))


def commands(path: Path) -> list[tuple[str, int]]:
    """What hosts said, by key."""
    return [(each.key, each.command) for each in messages(path) if each.from_host]


def test_a_session_from_the_first_word(tmp_path: Path) -> None:
    clock = SimulatedClock(5000.0)
    with (
        record(tmp_path / "trace", now=clock.now),
        open_key("virtual:reference", world=World(seed=1)) as key,
    ):
        clock.advance(2.5)
        ping(key, 1, 100)
    heard = messages(tmp_path / "trace")
    assert [(each.from_host, each.command) for each in heard] == [
        (True, Command.INIT),
        (False, Command.INIT),
        (True, Command.PING),
        (False, Command.PING),
    ]
    assert heard[2].payload == heard[3].payload
    assert [each.time_s for each in heard] == [5000.0, 5000.0, 5002.5, 5002.5]


def test_nothing_is_recorded_before_and_after(tmp_path: Path) -> None:
    with open_key("virtual:reference") as before, record(tmp_path / "trace"):
        ping(before, 1)
        with open_key("virtual:reference") as key:
            ping(key, 1)
    with open_key("virtual:reference") as after:
        ping(after, 1)
    assert commands(tmp_path / "trace") == [("1.1", Command.INIT), ("1.1", Command.PING)]


def test_keys_on_hid_and_several_of_them(tmp_path: Path, physical: Any) -> None:
    physical.add("/dev/hidraw0")
    physical.add("/dev/hidraw1")
    with record(tmp_path / "trace"):
        for number in (0, 1):
            with open_key(f"hid:/dev/hidraw{number}") as key:
                ping(key, 1)
    assert commands(tmp_path / "trace") == [
        (device, command) for device in ("1.1", "1.2") for command in (Command.INIT, Command.PING)
    ]


def test_looking_for_keys_is_not_recorded(tmp_path: Path) -> None:
    world = World(seed=1)
    with plugged(world.security_key("yubikey-5.4")), record(tmp_path / "trace"):
        assert len(discover()) == 1
        with open_key("auto") as key:
            ping(key, 1)
    read_config = 0x42
    assert [command for _, command in commands(tmp_path / "trace")] == [
        Command.INIT,
        read_config,
        Command.PING,
    ]


def test_a_recording_inside_another(tmp_path: Path) -> None:
    with record(tmp_path / "outer"):
        with record(tmp_path / "inner"), open_key("virtual:reference"):
            pass
        with open_key("virtual:reference") as key:
            ping(key, 1)
    assert len(commands(tmp_path / "inner")) == 1
    assert len(commands(tmp_path / "outer")) == 2


def test_a_reset_is_recorded_with_the_key_that_came_back(tmp_path: Path) -> None:
    with (
        record(tmp_path / "trace"),
        open_key("virtual:reference", world=World(seed=1)) as key,
    ):
        reset(key)
    last = [each for each in messages(tmp_path / "trace") if each.from_host][-1]
    assert (last.key, last.command, last.payload) == ("1.2", Command.CBOR, b"\x07")


def test_what_is_said_before_a_key_vanishes(tmp_path: Path, physical: Any) -> None:
    key = physical.add("/dev/hidraw0")
    with record(tmp_path / "trace"), open_key("hid:/dev/hidraw0") as opened:
        key.power_off()
        with pytest.raises(OSError, match="unplugged"):
            opened.device.call(CTAPHID.PING, b"anybody there?")
    last = messages(tmp_path / "trace")[-1]
    assert (last.from_host, last.payload) == (True, b"anybody there?")


class Connection:
    """pyscard's connection to a card that answers everything with 9000."""

    atr = b"\x3b\x80"

    def transmit(self, apdu: list[int], protocol: int | None = None) -> tuple[list[int], int, int]:
        return [1, 2, 3], 0x90, 0x00

    def getATR(self) -> list[int]:
        return list(self.atr)


def test_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Device(CtapDevice):
        capabilities = CAPABILITY.CBOR

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def call(self, cmd: int, data: bytes = b"", *args: Any, **options: Any) -> bytes:
            answer, *_ = self.connection.transmit([0x80, 0x10, 0, 0, len(data), *data, 0])
            return bytes(answer)

        def close(self) -> None:
            assert self.connection.getATR() == [0x3B, 0x80]

        @classmethod
        def list_devices(cls) -> Any:
            return iter(())

    def connect(reader: Any, wrap: Any = None) -> CtapDevice:
        connection = Connection()
        return Device(wrap(reader.name, connection) if wrap else connection)

    monkeypatch.setattr(pcsc, "available", lambda: True)
    monkeypatch.setattr(pcsc, "_readers", lambda: [SimpleNamespace(name="Reader 00")])
    monkeypatch.setattr(pcsc, "_connect", connect)
    with record(tmp_path / "trace"), open_key("pcsc:Reader") as key:
        assert not isinstance(key.device, CtapHidDevice)
        key.device.call(CTAPHID.CBOR, b"\x04")
    assert [
        (each.from_host, each.channel, each.payload) for each in messages(tmp_path / "trace")
    ] == [
        (True, None, b"\x04"),
        (False, None, b"\1\2\3"),
    ]


def test_a_card_without_a_recording_is_left_alone() -> None:
    connection = Connection()
    assert tapped_card("reader", connection) is connection
