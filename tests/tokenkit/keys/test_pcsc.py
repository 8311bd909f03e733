"""PC/SC without pyscard, and with a stand-in for it that raises what pyscard raises."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from fido2.ctap import CtapDevice
from fido2.hid import CAPABILITY

from tokenkit.errors import MissingExtraError
from tokenkit.keys import NoSuchKeyError, UnreadableKeyError, discover, open_key, survey


class SmartcardError(Exception):
    pass


class NoCardError(SmartcardError):
    pass


class ServiceError(Exception):
    pass


class FakePcscDevice(CtapDevice):
    """In the place of python-fido2's; the connection is the error to raise, or getInfo."""

    def __init__(self, connection: Any, name: str) -> None:
        if isinstance(connection, Exception):
            raise connection
        self.connection = connection

    @property
    def capabilities(self) -> int:
        return CAPABILITY.CBOR

    def call(self, cmd: int, data: bytes = b"", *args: Any, **options: Any) -> bytes:
        assert isinstance(self.connection, bytes)
        return self.connection

    @classmethod
    def list_devices(cls) -> Any:
        return iter(())


class YubiKeyCard(FakePcscDevice):
    """With a management application, whose answers are in ``answers`` by the command's INS."""

    answers: ClassVar[dict[int, bytes | Exception]] = {}
    selected: ClassVar[list[bytes]] = []

    def apdu_exchange(self, apdu: bytes) -> tuple[bytes, int, int]:
        if apdu[1] == 0xA4:
            self.selected.append(apdu[5:13])
        answer = self.answers[apdu[1]]
        if isinstance(answer, Exception):
            raise answer
        return answer[:-2], answer[-2], answer[-1]


GET_INFO = b"\0" + bytes.fromhex("a1018168") + b"FIDO_2_0"


def reader(name: str, connection: Any) -> Any:
    return SimpleNamespace(name=name, createConnection=lambda: connection)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Install the stand-in; its readers are the items of the list."""
    attached: list[Any] = []

    def list_readers() -> list[Any]:
        for each in attached:
            if isinstance(each, Exception):
                raise each
        return attached

    for name, members in {
        "smartcard": {},
        "smartcard.System": {"readers": list_readers},
        "smartcard.Exceptions": {
            "SmartcardException": SmartcardError,
            "NoCardException": NoCardError,
        },
        "smartcard.pcsc": {},
        "smartcard.pcsc.PCSCExceptions": {"BaseSCardException": ServiceError},
        "fido2.pcsc": {"CtapPcscDevice": FakePcscDevice},
    }.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return attached


def test_without_pyscard_auto_goes_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.System", None)
    monkeypatch.setitem(sys.modules, "smartcard", None)
    keys, notes = survey()
    assert keys == []
    assert "tokenkit[pcsc]" in notes[0]
    with pytest.raises(NoSuchKeyError, match=r"tokenkit\[pcsc\]"):
        open_key("auto")
    with pytest.raises(MissingExtraError, match=r"tokenkit\[pcsc\]"):
        open_key("pcsc:ACS")


def test_only_readers_with_a_fido_card_are_keys(readers: list[Any]) -> None:
    readers += [
        reader("Full 00", GET_INFO),
        reader("Empty 01", NoCardError("no card")),
        reader("Bank card 02", ValueError("FIDO applet selection failure.")),
        reader("In use 03", SmartcardError("sharing violation")),
        reader("Odd 04", b"\x01"),
    ]
    keys = discover()
    assert [key.selector for key in keys] == ["pcsc:Full 00", "pcsc:In use 03", "pcsc:Odd 04"]
    assert keys[0].versions == ("FIDO_2_0",)
    assert [key.problem for key in keys[1:]] == [
        "sharing violation",
        "CTAP error: 0x01 - INVALID_COMMAND",
    ]


def test_a_reader_is_chosen_by_name_or_part_of_it(readers: list[Any]) -> None:
    readers += [reader("ACS ACR122U 00", GET_INFO), reader("ACS ACR122U 00 01", GET_INFO)]
    for wanted, name in {"ACS ACR122U 00": "ACS ACR122U 00", "00 01": "ACS ACR122U 00 01"}.items():
        with open_key(f"pcsc:{wanted}") as key:
            assert key.selector == f"pcsc:{name}"
            assert key.serial_number is None
            assert not key.is_virtual
    with pytest.raises(NoSuchKeyError, match="fits 2 readers; there are: pcsc:ACS ACR122U 00, "):
        open_key("pcsc:ACS")
    with pytest.raises(NoSuchKeyError, match="fits 0 readers"):
        open_key("pcsc:Omnikey")


def test_auto_opens_the_only_card(readers: list[Any]) -> None:
    readers.append(reader("Full 00", GET_INFO))
    with open_key() as key:
        assert key.ctap2().info.versions == ["FIDO_2_0"]


def test_an_empty_reader_and_a_busy_one(readers: list[Any]) -> None:
    readers += [
        reader("Empty", NoCardError("")),
        reader("Busy", SmartcardError("sharing violation")),
    ]
    with pytest.raises(NoSuchKeyError, match="no FIDO card"):
        open_key("pcsc:Empty")
    with pytest.raises(UnreadableKeyError, match="sharing violation"):
        open_key("pcsc:Busy")


def test_a_service_that_is_down_is_a_note(readers: list[Any]) -> None:
    readers.append(ServiceError("Failed to establish context"))
    keys, notes = survey()
    assert keys == []
    assert notes == ["PC/SC readers are left out: Failed to establish context"]
    with pytest.raises(UnreadableKeyError, match="Failed to establish context"):
        open_key("pcsc:ACS")


PAGE = bytes.fromhex("0a 0102023f 0204 00bc614e 9000".replace(" ", ""))
OK = b"\x90\x00"


@pytest.mark.parametrize(
    ("answers", "serial_number"),
    [
        ({0xA4: OK, 0x1D: PAGE}, "12345678"),
        ({0xA4: b"\x6a\x82", 0x1D: PAGE}, None),
        ({0xA4: OK, 0x1D: b"\x6d\x00"}, None),
        ({0xA4: OK, 0x1D: OK}, None),
        ({0xA4: OK, 0x1D: b"\x09\x01\x02" + OK}, None),
        ({0xA4: OK, 0x1D: SmartcardError("gone")}, None),
    ],
)
def test_a_yubikey_tells_its_serial_number(
    readers: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[int, bytes | Exception],
    serial_number: str | None,
) -> None:
    """And FIDO is selected again afterwards, whatever happened."""
    monkeypatch.setattr(sys.modules["fido2.pcsc"], "CtapPcscDevice", YubiKeyCard)
    monkeypatch.setattr(YubiKeyCard, "answers", answers)
    monkeypatch.setattr(YubiKeyCard, "selected", [])
    readers.append(reader("Full 00", GET_INFO))
    with open_key() as key:
        assert key.serial_number == serial_number
    management, fido = bytes.fromhex("a000000527471117"), bytes.fromhex("a0000006472f0001")
    assert YubiKeyCard.selected == [management, fido] * 2
    if serial_number is not None:
        assert open_key(f"serial:{serial_number}").name == "Full 00"


def test_a_card_that_goes_while_it_is_asked(
    readers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["fido2.pcsc"], "CtapPcscDevice", YubiKeyCard)
    monkeypatch.setattr(YubiKeyCard, "answers", {0xA4: SmartcardError("card removed")})
    readers.append(reader("Full 00", GET_INFO))
    with pytest.raises(UnreadableKeyError, match="card removed"):
        open_key("pcsc:Full 00")


def test_of_several_readers_the_one_with_a_card(readers: list[Any]) -> None:
    readers += [reader("Virtual 00", NoCardError("")), reader("Virtual 01", GET_INFO)]
    with open_key("pcsc:Virtual") as key:
        assert key.selector == "pcsc:Virtual 01"
    readers[1] = reader("Virtual 01", NoCardError(""))
    with pytest.raises(NoSuchKeyError, match="fits 2 readers"):
        open_key("pcsc:Virtual")


def test_a_service_that_does_not_run_is_named(readers: list[Any]) -> None:
    readers.append(ServiceError("Service not available. (0x8010001D)"))
    assert survey()[1] == [
        "PC/SC readers are left out: Service not available. (0x8010001D); is pcscd running?"
    ]
