"""Traces: recorded from virtual keys, or put together as a capture of real ones would be."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap1 import Ctap1
from fido2.ctap2 import ClientPin, CredentialManagement, Ctap2
from fido2.ctap2.extensions import CredBlobExtension, HmacSecretExtension, LargeBlobExtension
from fido2.hid import CtapHidDevice
from fido2.server import Fido2Server
from pcapng import FileWriter, blocks

from tokenkit.keys import record
from tokenkit.keys.recording import tapped
from tokenkit.keys.trace.decode import Decoder
from tokenkit.keys.trace.messages import Message, read_messages
from tokenkit.keys.trace.notation import diagnostic
from tokenkit.keys.trace.reports import read_trace
from tokenkit.virtual import Finger, World, connect, load_profile

RP = {"id": "example.com", "name": "Example"}
USER = {"id": b"handle", "name": "bob@example.com", "displayName": "Bob Bobson"}
PIN = "1234"
CRED_BLOB = b"the blob at the credential"


class Wire:
    """Packets, captures and traces."""

    @staticmethod
    def packet(channel: int, command: int, data: bytes = b"", length: int | None = None) -> bytes:
        """A CTAPHID initialisation packet."""
        size = len(data) if length is None else length
        head = channel.to_bytes(4, "big") + bytes((0x80 | command,)) + size.to_bytes(2, "big")
        return (head + data).ljust(64, b"\0")

    @classmethod
    def packets(cls, channel: int, command: int, data: bytes) -> list[bytes]:
        """All packets of a message."""
        made = [cls.packet(channel, command, data[:57], len(data))]
        for sequence, at in enumerate(range(57, len(data), 59)):
            head = channel.to_bytes(4, "big") + bytes((sequence,))
            made.append((head + data[at : at + 59]).ljust(64, b"\0"))
        return made

    @staticmethod
    def capture(
        path: Path, link_type: int, packets: Iterable[bytes], endianness: str = "<"
    ) -> Path:
        """A pcapng file as a capture program writes it, a packet each millisecond."""
        section: Any = blocks.SectionHeader(endianness=endianness)
        section.new_member(blocks.InterfaceDescription, link_type=link_type)
        stream = io.BytesIO()
        writer: Any = FileWriter(stream, section)
        for number, data in enumerate(packets):
            at = {"timestamp_high": 0, "timestamp_low": number * 1000}
            block = section.new_member(blocks.EnhancedPacket, **at, packet_data=data)
            writer.write_block(block)
        path.write_bytes(stream.getvalue())
        return path

    @staticmethod
    def messages_of(path: Path) -> list[Message]:
        trace = read_trace(path)
        trace.require_whole()
        return list(read_messages(trace.reports))

    @classmethod
    def words_of(cls, path: Path, secrets: bool = False) -> list[str]:
        """Each message in words."""
        decoder = Decoder()
        lines = []
        for message in cls.messages_of(path):
            decoded = decoder.decode(message)
            content = "" if decoded.content is None else diagnostic(decoded.content, secrets)
            arrow = ">" if message.from_host else "<"
            words = [arrow, decoded.command, decoded.name or "", content]
            lines.append(" ".join(word for word in words if word))
        return lines


@pytest.fixture
def wire() -> type[Wire]:
    return Wire


RecordSession = Callable[..., Path]


@pytest.fixture
def record_session(tmp_path: Path) -> RecordSession:
    """Record what ``play`` does to a new virtual key, on a simulated clock."""

    def make(
        play: Callable[[CtapHidDevice], Any],
        name: str = "session.pcapng",
        profile: str = "reference",
        seed: int | str = "1",
        finger: Finger | None = None,
    ) -> Path:
        world = World(seed)
        key = world.security_key(load_profile(profile), finger=finger)
        with record(tmp_path / name, now=world.clock.now):
            play(connect(key, tapped))
        return tmp_path / name

    return make


class Person(UserInteraction):
    def request_pin(self, permissions: Any, rp_id: Any) -> str:
        return PIN


class Ceremonies:
    """What a browser does with a key, and what it must keep to itself."""

    def __init__(self) -> None:
        self.secrets: list[bytes] = []

    def __call__(self, device: CtapHidDevice) -> None:
        """A PIN, a passkey with every extension that holds a secret, U2F, and the end of it."""
        ctap = Ctap2(device)
        ClientPin(ctap).set_pin(PIN)
        extensions = [HmacSecretExtension(), LargeBlobExtension(), CredBlobExtension()]
        collector = DefaultClientDataCollector("https://example.com")
        client = Fido2Client(device, collector, Person(), extensions)
        server = Fido2Server(RP, attestation="direct")
        options, state = server.register_begin(
            USER,
            resident_key_requirement="required",
            user_verification="required",
            extensions={
                "credBlob": CRED_BLOB,
                "largeBlob": {"support": "required"},
                "prf": {"eval": {"first": b"salt"}},
            },
        )
        registered = client.make_credential(options["publicKey"])
        data = server.register_complete(state, registered)
        assertion_options, _ = server.authenticate_begin(
            [data.credential_data],
            user_verification="required",
            extensions={
                "getCredBlob": True,
                "largeBlob": {"read": True},
                "prf": {"eval": {"first": b"salt"}},
            },
        )
        client.get_assertion(assertion_options["publicKey"])
        Ctap1(device).register(b"c" * 32, b"a" * 32)
        device.ping(bytes(range(200)))
        device.wink()
        pin = ClientPin(Ctap2(device))
        token = pin.get_pin_token(PIN, ClientPin.PERMISSION.CREDENTIAL_MGMT)
        manager = CredentialManagement(Ctap2(device), pin.protocol, token)
        [rp] = manager.enumerate_rps()
        [credential] = manager.enumerate_creds(rp[4])
        self.secrets.append(credential[11])  # largeBlobKey
        self.secrets.append(CRED_BLOB)
        self.secrets += [USER["name"].encode(), USER["displayName"].encode()]
        manager.delete_cred(credential[7])


@pytest.fixture
def ceremonies() -> Ceremonies:
    return Ceremonies()
