"""Registrations and assertions at three levels, in units of one bare P-256 signature."""

import hashlib
import os
import struct
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection

from benchmarks.measure import Row, cost_of
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.link.ctaphid import BROADCAST, CtapHid
from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import OsEntropy
from firmware_sim.world.finger import touch_at_once
from firmware_sim.world.flash import MemoryFlash

RP_ID = "example.com"
HASH = hashlib.sha256(b"client data").digest()
PARAMETERS = [{"alg": -7, "type": "public-key"}]


def rows() -> Iterator[Row]:
    private_key = ec.generate_private_key(ec.SECP256R1())
    scheme = ec.ECDSA(hashes.SHA256())
    message = os.urandom(69)
    levels = {"P-256 signature": lambda: private_key.sign(message, scheme)}
    levels |= _bytes_level() | _packet_level() | _client_level() | _peers()
    cost = cost_of(levels)
    one = cost["P-256 signature"]
    yield Row("security key", "bare P-256 signature (cryptography)", one)
    for level, goals in (("bytes", (5, 3)), ("packets", (8, 5))):
        for what, goal in zip(("registration", "assertion"), goals, strict=True):
            name = f"{what}, request {level}"
            ratio = cost[name] / one
            yield Row(
                "security key",
                f"{name} to response {level}",
                cost[name],
                ratio,
                "signatures",
                f"≤ {goal}",
                ratio <= goal,
            )
    for what in ("registration", "assertion"):
        stub, ours = cost[f"{what}, Ctap2 over a stub"], cost[f"{what}, Ctap2"]
        yield Row("security key", f"{what}, python-fido2's Ctap2 over a canned stub", stub)
        yield Row(
            "security key",
            f"{what}, python-fido2's Ctap2 over CtapHidDevice",
            ours,
            100 * stub / ours,
            "% of the stub's rate",
            "≥ 70",
            stub / ours >= 0.7,
        )
    for what in ("create", "get"):
        if (name := f"soft-webauthn {what}") in cost:
            yield Row("security key", f"{name} (no CTAP, no wire)", cost[name])


def _requests(credential_id: bytes) -> tuple[bytes, bytes]:
    make = {1: HASH, 2: {"id": RP_ID, "name": "Example"}, 3: {"id": b"user"}, 4: PARAMETERS}
    get = {1: RP_ID, 2: HASH, 3: [{"id": credential_id, "type": "public-key"}]}
    return b"\x01" + cbor.encode(make), b"\x02" + cbor.encode(get)


def _credential_id(response: bytes) -> bytes:
    data = cbor.decode(response[1:])[2]
    return data[55 : 55 + int.from_bytes(data[53:55], "big")]


def _authenticator() -> Authenticator:
    return Authenticator(
        load_profile("reference"), SimulatedClock(), OsEntropy(), MemoryFlash(), touch_at_once()
    )


def _bytes_level() -> dict[str, Any]:
    authenticator = _authenticator()
    make, _ = _requests(b"")
    _, get = _requests(_credential_id(authenticator.start(make).response or b""))

    def run(request: bytes) -> None:
        response = authenticator.start(request).response
        assert response is not None
        assert response[0] == 0

    return {
        "registration, request bytes": lambda: run(make),
        "assertion, request bytes": lambda: run(get),
    }


def _packets(channel: int, command: int, data: bytes) -> list[bytes]:
    packets = [struct.pack(">IBH", channel, command, len(data)) + data[:57]]
    for sequence, at in enumerate(range(57, len(data), 59)):
        packets.append(struct.pack(">IB", channel, sequence) + data[at : at + 59])
    return [packet.ljust(64, b"\0") for packet in packets]


def _packet_level() -> dict[str, Any]:
    authenticator = _authenticator()
    link = CtapHid(authenticator, authenticator.clock, OsEntropy(), (1, 0, 0), lambda: None)
    link.write(_packets(BROADCAST, 0x86, bytes(8))[0])
    channel = struct.unpack_from(">I", link.reports.popleft(), 15)[0]
    make, _ = _requests(b"")
    _, get = _requests(_credential_id(authenticator.start(make).response or b""))

    def run(packets: list[bytes]) -> None:
        for packet in packets:
            link.write(packet)
        assert link.reports[0][4] == 0x90
        link.reports.clear()

    make_packets, get_packets = (_packets(channel, 0x90, request) for request in (make, get))
    return {
        "registration, request packets": lambda: run(make_packets),
        "assertion, request packets": lambda: run(get_packets),
    }


class _Stub(CtapHidConnection):
    """Records one exchange with a key, then answers every request with it."""

    def __init__(self, connection: InProcessConnection) -> None:
        self._connection = connection
        self._canned: list[bytes] | None = None
        self._left: Iterator[bytes] = iter(())
        self._missing = 0

    def record(self, packets: list[bytes]) -> None:
        self._canned = packets

    def write_packet(self, data: bytes) -> None:
        if self._canned is None:
            self._connection.write_packet(data)
        elif data[4] & 0x80:
            self._left = iter(self._canned)

    def read_packet(self) -> bytes:
        return self._connection.read_packet() if self._canned is None else next(self._left)

    def close(self) -> None:
        self._connection.close()


def _client_level() -> dict[str, Any]:
    key = SecurityKey(load_profile("reference"), clock=SimulatedClock(), entropy=OsEntropy())
    descriptor = hid_descriptor(key, "bench")
    ctap = Ctap2(CtapHidDevice(descriptor, InProcessConnection(key)))
    user, rp = {"id": b"user"}, {"id": RP_ID, "name": "Example"}

    def make(client: Ctap2) -> Any:
        return client.make_credential(HASH, rp, user, PARAMETERS)

    credential = make(ctap).auth_data.credential_data.credential_id
    allow = [{"id": credential, "type": "public-key"}]

    def get(client: Ctap2) -> Any:
        return client.get_assertion(RP_ID, HASH, allow)

    def stubbed(request: bytes) -> Ctap2:
        stub = _Stub(InProcessConnection(key))
        device = CtapHidDevice(descriptor, stub)
        client = Ctap2(device)
        response = device.call(0x10, request)
        stub.record(_packets(device._channel_id, 0x90, response))
        return client

    make_request, get_request = _requests(credential)
    make_stub, get_stub = stubbed(make_request), stubbed(get_request)
    return {
        "registration, Ctap2": lambda: make(ctap),
        "assertion, Ctap2": lambda: get(ctap),
        "registration, Ctap2 over a stub": lambda: make(make_stub),
        "assertion, Ctap2 over a stub": lambda: get(get_stub),
    }


def _peers() -> dict[str, Any]:
    try:
        from soft_webauthn import SoftWebauthnDevice
    except ImportError:
        return {}
    origin = f"https://{RP_ID}"
    create = {
        "publicKey": {
            "rp": {"id": RP_ID},
            "user": {"id": b"user"},
            "challenge": bytes(32),
            "pubKeyCredParams": PARAMETERS,
            "attestation": "none",
        }
    }
    get = {"publicKey": {"rpId": RP_ID, "challenge": bytes(32)}}
    device = SoftWebauthnDevice()
    device.create(create, origin)
    return {
        "soft-webauthn create": lambda: SoftWebauthnDevice().create(create, origin),
        "soft-webauthn get": lambda: device.get(get, origin),
    }
