"""A reference key on a simulated clock, reached through python-fido2's own classes."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, Ctap2
from fido2.hid import CAPABILITY, CtapHidDevice

from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import Profile, load_profile
from firmware_sim.security_key import SecurityKey
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import SeededEntropy


class Bench:
    """One key and the requests that the tests make of it."""

    rp_id = "example.com"
    client_data_hash = hashlib.sha256(b"client data").digest()

    def __init__(self, key: SecurityKey) -> None:
        self.key = key
        self.clock = key.clock
        self.connect()

    def connect(self) -> None:
        self.device = CtapHidDevice(hid_descriptor(self.key, "test"), InProcessConnection(self.key))
        if self.device.capabilities & CAPABILITY.CBOR:
            self.ctap = Ctap2(self.device)

    def power_cycle(self) -> None:
        self.key.power_cycle()
        self.connect()

    def pin(self, protocol: Any = None) -> ClientPin:
        return ClientPin(Ctap2(self.device), protocol)

    def make(self, user: bytes = b"user", **options: Any) -> Any:
        arguments: dict[str, Any] = {
            "client_data_hash": self.client_data_hash,
            "rp": {"id": self.rp_id, "name": "Example"},
            "user": {"id": user, "name": user.decode(), "displayName": user.decode().title()},
            "key_params": [{"type": "public-key", "alg": -7}],
        }
        return self.ctap.make_credential(**(arguments | options))

    def get(self, *credentials: Any, **options: Any) -> Any:
        allow = [
            {"type": "public-key", "id": c.auth_data.credential_data.credential_id}
            for c in credentials
        ]
        arguments: dict[str, Any] = {
            "rp_id": self.rp_id,
            "client_data_hash": self.client_data_hash,
            "allow_list": allow or None,
        }
        return self.ctap.get_assertion(**(arguments | options))

    def fails(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        """The name of the status that ``call`` fails with."""
        with pytest.raises(CtapError) as raised:
            call(*args, **kwargs)
        return raised.value.code.name

    def raw(self, request: bytes) -> bytes:
        """A CTAPHID_CBOR exchange with arbitrary bytes."""
        return self.device.call(0x10, request)


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    def make(profile: str | Profile = "reference", seed: int = 1, **options: Any) -> Bench:
        return Bench(
            SecurityKey(
                load_profile(profile) if isinstance(profile, str) else profile,
                clock=SimulatedClock(),
                entropy=SeededEntropy(seed),
                **options,
            )
        )

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
