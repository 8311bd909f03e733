"""What messages say, and what is kept from whoever reads over one's shoulder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fido2 import cbor
from fido2.ctap2 import Config, Ctap2
from fido2.hid import CtapHidDevice
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys.trace.decode import Decoder
from tokenkit.keys.trace.messages import Command, Message
from tokenkit.keys.trace.names import COMMANDS
from tokenkit.keys.trace.notation import comparable, diagnostic, jsonable

RecordSession = Callable[..., Path]
CHANNEL = 0x01020304


def said(from_host: bool, command: int, payload: bytes, channel: int | None = CHANNEL) -> Message:
    return Message(0.0, "1.1", from_host, channel, command, payload)


def words(*messages: Message, secrets: bool = False) -> str:
    """The last of ``messages`` in words."""
    decoder = Decoder()
    decoded = [decoder.decode(message) for message in messages][-1]
    content = "" if decoded.content is None else diagnostic(decoded.content, secrets)
    return " ".join(each for each in (decoded.command, decoded.name, content) if each)


def request(command: int, members: Any = None) -> Message:
    body = b"" if members is None else cbor.encode(members)
    return said(True, Command.CBOR, bytes((command,)) + body)


def answer(status: int, members: Any = None) -> Message:
    body = b"" if members is None else cbor.encode(members)
    return said(False, Command.CBOR, bytes((status,)) + body)


def test_a_whole_session_in_words(
    record_session: RecordSession, ceremonies: Any, wire: Any
) -> None:
    lines = wire.words_of(record_session(ceremonies))
    text = "\n".join(lines)
    for words in (
        "> INIT {nonce: h'",
        'capabilities: ["WINK", "CBOR"]}',
        "> CBOR authenticatorGetInfo\n",
        '< CBOR SUCCESS {versions: ["U2F_V2", ',
        "> CBOR authenticatorClientPIN.getKeyAgreement {pinUvAuthProtocol: ",
        "> CBOR authenticatorClientPIN.setPIN {",
        "pinUvAuthParam: / 32 bytes not shown /, newPinEnc: / 80 bytes not shown /}",
        "getPinUvAuthTokenUsingPinWithPermissions {",
        "pinHashEnc: / 32 bytes not shown /",
        "< CBOR SUCCESS {pinUvAuthToken: / 48 bytes not shown /}",
        "CBOR authenticatorMakeCredential {clientDataHash: h'",
        'rp: {id: "example.com", name: "Example"}, user: {id: h',
        "name: / not shown /, displayName: / not shown /}, ",
        "credBlob: / 26 bytes not shown /",
        "saltEnc: / ",
        "largeBlobKey: true",
        'fmt: "packed", authData: {rpIdHash: h\'',
        'flags: ["UP", "UV", "AT", "ED"]',
        "CBOR authenticatorGetAssertion {rpId: ",
        "largeBlobKey: / 32 bytes not shown /",
        "> MSG U2F_REGISTER {challenge: h'",
        "< MSG NO_ERROR {publicKey: h'04",
        "> PING h'000102",
        "> WINK",
        "CBOR authenticatorCredentialManagement.enumerateRPsBegin {subCommand: 2",
        "subCommandParams: {rpIDHash: h'",
        "authenticatorCredentialManagement.deleteCredential",
    ):
        assert words in text, words
    assert "broken" not in text


def test_no_secret_is_shown_unless_asked(
    record_session: RecordSession, ceremonies: Any, wire: Any
) -> None:
    path = record_session(ceremonies)
    decoder = Decoder()
    decoded = [decoder.decode(message) for message in wire.messages_of(path)]
    trees = [each.content for each in decoded if each.content is not None]
    shown = [diagnostic(tree) + json.dumps(jsonable(tree)) for tree in trees]
    everything = [
        diagnostic(tree, secrets=True) + json.dumps(jsonable(tree, secrets=True)) for tree in trees
    ]
    assert len(ceremonies.secrets) == 4
    for secret in ceremonies.secrets:
        spellings = {secret.hex(), secret.decode("ascii", "replace")}
        assert not any(each in line for each in spellings for line in shown)
        assert any(each in line for each in spellings for line in everything)
    # whatever is encrypted or derived, by the names of the members that hold it
    names = ("newPinEnc", "pinHashEnc", "pinUvAuthParam", "pinUvAuthToken", "saltEnc", "saltAuth")
    for name in names:
        assert any(f"{name}: h'" in line for line in everything)
        assert not any(f"{name}: h'" in line for line in shown)
    # and in what an authenticator signs
    assert any("hmac-secret: h'" in line for line in everything)
    assert not any("hmac-secret: h'" in line for line in shown)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (said(True, Command.LOCK, b"\x0a"), "LOCK h'0a'"),
        (said(True, Command.CANCEL, b""), "CANCEL"),
        (said(False, Command.KEEPALIVE, b"\x02"), "KEEPALIVE UPNEEDED"),
        (said(False, Command.KEEPALIVE, b"\x09"), "KEEPALIVE 0x09"),
        (said(False, Command.KEEPALIVE, b""), "KEEPALIVE h''"),
        (said(False, Command.ERROR, b"\x0b"), "ERROR INVALID_CHANNEL"),
        (said(False, Command.ERROR, b"\xee"), "ERROR 0xee"),
        (said(True, 0x55, b"secret"), "VENDOR 0x55 / 6 bytes not shown /"),
        (said(True, 0x55, b""), "VENDOR 0x55"),
        (said(True, 0x20, b"?"), "UNKNOWN 0x20 / 1 bytes not shown /"),
        (said(False, Command.INIT, b"short"), "INIT h'73686f7274'"),
        (said(True, Command.CBOR, b""), "CBOR"),
        (request(0x07), "CBOR authenticatorReset"),
        (request(0x0B), "CBOR authenticatorSelection"),
        (request(0x55, {1: b"secret"}), "CBOR 0x55 / not shown /"),
        (request(0x06, {2: 200}), "CBOR authenticatorClientPIN {subCommand: 200}"),
        (request(0x06, [1, 2]), "CBOR authenticatorClientPIN / not shown /"),
        (answer(0x36), "CBOR PUAT_REQUIRED"),
        (answer(0xF7), "CBOR 0xf7"),
        (answer(0, {1: b"secret"}), "CBOR SUCCESS / not shown /"),
        (said(True, Command.MSG, b""), "MSG / 0 bytes not shown /"),
        (said(True, Command.MSG, b"\0\3\0\0"), "MSG U2F_VERSION"),
        (
            said(True, Command.MSG, b"\0\x99\1\2\3abc"),
            "MSG {cla: 0, ins: 153, p1: 1, p2: 2, data: / 3 bytes not shown /}",
        ),
        (said(False, Command.MSG, b"\x69\x85"), "MSG CONDITIONS_NOT_SATISFIED"),
        (said(False, Command.MSG, b"\x6f\x01"), "MSG 0x6f01"),
        (said(False, Command.MSG, b"?"), "MSG h'3f'"),
        (said(False, Command.MSG, b"secret\x90\0"), "MSG NO_ERROR / 6 bytes not shown /"),
    ],
)
def test_messages_in_words(message: Message, text: str) -> None:
    assert words(message) == text


def test_what_a_member_without_a_name_holds_is_hidden() -> None:
    extensions = {"credProtect": 2, "mystery": b"secret", "flag": True}
    text = words(request(0x01, {1: b"h" * 32, 6: extensions, 99: "secret"}))
    for member in ("credProtect: 2", "mystery: / 6 bytes not shown /", "flag: true"):
        assert member in text
    assert "99: / not shown /" in text
    assert "secret" not in text


def test_getinfo_has_no_secrets() -> None:
    text = words(request(0x04), answer(0, {3: b"a" * 16, 0x19: b"e" * 32, 0x63: b"vendor"}))
    assert "99: h'76656e646f72'" in text
    assert "encIdentifier: h'6565" in text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xa1\x01\xf6", "null, which python-fido2 reads as false"),
        (b"\xa1\x02\x43ab", "a byte string that is cut off"),
        (b"\xa2\x02\x01\x01\x01", "keys in the wrong order"),
        (b"\xa2\x01\x01\x01\x01", "a key twice"),
        (b"\xa1\x18\x01\x01", "a number that is longer than need be"),
        (b"\xa1\x01\xfb" + bytes(8), "a float"),
        (b"\xbf\x01\x01\xff", "no length"),
        (b"\xa1\xa0\x01", "a map as a key"),
        (b"\xa1\x01\x01\x00", "more after the end"),
        (b"\x81" * 5000, "nested beyond measure"),
        (b"\xa1\x01\x61\xff", "text that is not UTF-8"),
    ],
)
def test_cbor_that_is_not_canonical_is_hidden_whole(body: bytes, why: str) -> None:
    message = said(True, Command.CBOR, b"\x06" + body)
    assert words(message) == "CBOR authenticatorClientPIN / not canonical CBOR, not shown /"
    shown = words(message, secrets=True)
    assert shown == f"CBOR authenticatorClientPIN {{not canonical CBOR: h'{body.hex()}'}}"


def test_authenticator_data_that_is_none_is_hidden() -> None:
    for data in (b"short", bytes(37) + b"more", bytes(32) + b"\x40" + bytes(30)):
        text = words(request(0x02, {1: "a"}), answer(0, {2: data}))
        assert text == f"CBOR SUCCESS {{authData: / {len(data)} bytes not shown /}}"


def test_text_cannot_drive_the_terminal() -> None:
    text = words(request(0x02, {1: 'a"\x1b[31m\x9b\u202e\n'}))
    assert text == r'CBOR authenticatorGetAssertion {rpId: "a\"\u001b[31m\u009b\u202e\n"}'


def test_other_applets_of_a_card_are_hidden() -> None:
    oath = said(True, Command.MSG, bytes.fromhex("00a4040007a0000005272101"), None)
    put = said(True, Command.MSG, bytes.fromhex("0001000005") + b"seed!", None)
    codes = said(False, Command.MSG, b"codes\x90\0", None)
    assert words(oath) == "APDU SELECT {aid: h'a0000005272101'}"
    hidden = "APDU {cla: 0, ins: 1, p1: 0, p2: 0, data: / 5 bytes not shown /}"
    assert words(oath, put) == hidden
    assert words(oath, put, codes) == "APDU NO_ERROR / 5 bytes not shown /"
    fido = said(True, Command.MSG, bytes.fromhex("00a4040008a0000006472f0001"), None)
    version = said(False, Command.MSG, b"U2F_V2\x90\0", None)
    assert words(oath, put, fido, version) == 'APDU NO_ERROR "U2F_V2"'


def test_settings_and_fingerprints_by_name(record_session: RecordSession, wire: Any) -> None:
    def settle(device: CtapHidDevice) -> None:
        Config(Ctap2(device)).set_min_pin_length(6, ["example.com"])

    lines = wire.words_of(record_session(settle))
    assert (
        "> CBOR authenticatorConfig.setMinPINLength {subCommand: 3, subCommandParams:"
        ' {newMinPINLength: 6, minPinLengthRPIDs: ["example.com"], forceChangePin: false}}'
    ) in lines
    found = answer(0, {7: [{1: b"t", 2: "left thumb"}]})
    assert words(request(0x09, {2: 4}), found) == (
        "CBOR SUCCESS {templateInfos: [{templateId: h'74', templateFriendlyName: / not shown /}]}"
    )


def test_a_yubikey_tells_its_serial_number(wire: Any, record_session: RecordSession) -> None:
    ask = said(True, 0x42, b"\0")
    config = said(False, 0x42, bytes.fromhex("07 0402 00000007 ").ljust(8, b"\0"))
    tell = said(False, 0x42, bytes.fromhex("090101ff 020400bc614e"))
    assert words(ask, tell) == "VENDOR 0x42 READ_CONFIG {0x01: h'ff', serialNumber: 12345678}"
    assert words(ask, config) == "VENDOR 0x42 / 8 bytes not shown /"


payloads = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda head, value: bytes((head,)) + cbor.encode(value),
        st.sampled_from([0, 0x31, *COMMANDS]),
        st.recursive(
            st.one_of(st.integers(-(2**63), 2**63), st.booleans(), st.text(), st.binary()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.one_of(st.integers(-3, 15), st.sampled_from(["id", "hmac-secret"])),
                    inner,
                    max_size=4,
                ),
            ),
        ),
    ),
)


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(st.sampled_from(list(Command)), st.integers(0, 127)),
            payloads,
            st.sampled_from([None, CHANNEL]),
        ),
        max_size=6,
    )
)
def test_anything_can_be_said(messages: list[tuple[bool, int, bytes, int | None]]) -> None:
    decoder = Decoder()
    for message in messages:
        content = decoder.decode(said(*message)).content
        for secrets in (False, True):
            assert diagnostic(content, secrets).isprintable()
            json.dumps(jsonable(content, secrets))
        comparable(content)


@given(payload=st.binary(min_size=4, max_size=60))
def test_what_vendors_say_is_never_shown(payload: bytes) -> None:
    for message in (said(True, 0x50, payload), request(0x60, {1: payload})):
        assert payload.hex() not in words(message)
        assert payload.hex() in words(message, secrets=True)
