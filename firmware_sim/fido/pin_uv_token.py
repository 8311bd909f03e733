"""The pinUvAuthToken and its state (CTAP 2.1 §6.5.2.1, §6.5.3)."""

from enum import IntFlag

from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy

INITIAL_USAGE_LIMIT_S = 30.0
MAX_USAGE_PERIOD_S = 600.0


class Permission(IntFlag):
    """What a token may be used for."""

    MAKE_CREDENTIAL = 0x01
    GET_ASSERTION = 0x02
    CREDENTIAL_MANAGEMENT = 0x04
    BIO_ENROLLMENT = 0x08
    LARGE_BLOB_WRITE = 0x10
    AUTHENTICATOR_CONFIG = 0x20
    PERSISTENT_CREDENTIAL_MANAGEMENT = 0x40


NO_PERMISSION = Permission(0)


class PinUvAuthToken:
    """The one live token; it is issued under one protocol and dies by time or by use."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._protocol: PinUvAuthProtocolOne | None = None
        self._value = b""
        self._begun_s = 0.0
        self._used = False
        self.user_verified = False
        self.permissions = NO_PERMISSION
        self.rp_id: str | None = None

    def issue(
        self, protocol: PinUvAuthProtocolOne, permissions: Permission, rp_id: str | None
    ) -> bytes:
        """Replace any earlier token by a new one for a verified user; 32 bytes."""
        self.stop()
        self._protocol = protocol
        self._value = self._entropy.bytes(32)
        self._begun_s = self._clock.now()
        self.user_verified = True
        self.permissions = permissions
        self.rp_id = rp_id
        return self._value

    def stop(self) -> None:
        """stopUsingPinUvAuthToken: no tag verifies until the next token is issued."""
        self._protocol = None
        self._value = b""
        self._used = False
        self.user_verified = False
        self.permissions = NO_PERMISSION
        self.rp_id = None

    def verify(self, protocol: PinUvAuthProtocolOne, message: bytes, tag: bytes) -> bool:
        """Whether ``tag`` authenticates ``message`` under the live token of this protocol."""
        self._observe_timer()
        if self._protocol is not protocol or not protocol.verify(self._value, message, tag):
            return False
        self._used = True
        return True

    def spend(self) -> None:
        """After a touch was taken: clear the flag and all permissions but largeBlobWrite."""
        if self.user_verified:
            self.user_verified = False
            self.permissions &= Permission.LARGE_BLOB_WRITE

    def _observe_timer(self) -> None:
        if self._protocol is None:
            return
        age_s = self._clock.now() - self._begun_s
        if age_s >= MAX_USAGE_PERIOD_S or (not self._used and age_s >= INITIAL_USAGE_LIMIT_S):
            self.stop()
