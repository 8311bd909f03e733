"""The pinUvAuthToken and its state (CTAP 2.1 §6.5.2.1, §6.5.3), and the persistent one of 2.2."""

from enum import IntFlag

from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy

# §6.5.2.1: until first used, how long the user counts as present, and what a rolling timer allows
INITIAL_USAGE_LIMIT_S = {"usb": 30.0, "nfc": 19.8, "ble": 30.0, "smart-card": 19.8}
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
    """The one live token; it is issued under one protocol and dies by time or by use.

    ``transport`` sets the limits of its life, ``rolling`` lets it die when it is not used for as
    long as it may stay unused at first. With ``forever`` it is CTAP 2.0's pinToken, which knows
    neither times nor permissions and stays the same until the power goes.
    """

    rp_id: str | None
    permissions: Permission
    user_verified: bool
    _protocol: PinUvAuthProtocolOne | None
    _value: bytes

    def __init__(
        self, clock: Clock, entropy: Entropy, transport: str, rolling: bool, forever: bool
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._limit_s = INITIAL_USAGE_LIMIT_S[transport]
        self._rolling = rolling
        self._forever = forever
        self._number = 0
        self.stop()

    def issue(
        self,
        protocol: PinUvAuthProtocolOne,
        permissions: Permission,
        rp_id: str | None,
        user_present: bool = False,
    ) -> bytes:
        """Replace any earlier token by a new one for a verified user; 32 bytes."""
        value = self._value if self._forever else b""
        self.stop()
        self._protocol = protocol
        self._value = value or self._entropy.bytes(32)
        self._begun_s = self._used_s = self._clock.now()
        self.user_verified = True
        self._user_present = user_present
        self.permissions = permissions
        self.rp_id = rp_id
        return self._value

    def stop(self) -> None:
        """stopUsingPinUvAuthToken: no tag verifies until the next token is issued."""
        self._number += 1
        self._protocol = None
        self._value = b""
        self._begun_s = self._used_s = 0.0
        self._used = False
        self._user_present = False
        self.user_verified = False
        self.permissions = NO_PERMISSION
        self.rp_id = None

    @property
    def number(self) -> int:
        """Another one for each token, and while there is none: whether it is still the same."""
        self._observe_timer()
        return self._number

    @property
    def user_present(self) -> bool:
        """getUserPresentFlagValue: whether the user touched the key to get this token."""
        self._observe_timer()
        return self._user_present

    def verify(
        self,
        protocol: PinUvAuthProtocolOne,
        message: bytes,
        tag: bytes,
        permission: Permission = NO_PERMISSION,
    ) -> bool:
        """Whether ``tag`` authenticates ``message`` under the live token of this protocol, and
        the token has the permission."""
        self._observe_timer()
        if self._protocol is not protocol or not protocol.verify(self._value, message, tag):
            return False
        self._used = True
        self._used_s = self._clock.now()
        return permission in self.permissions

    def spend(self) -> None:
        """After a touch was taken: clear both flags and all permissions but largeBlobWrite."""
        if self._protocol is not None and not self._forever:
            self._user_present = self.user_verified = False
            self.permissions &= Permission.LARGE_BLOB_WRITE

    def _observe_timer(self) -> None:
        """pinUvAuthTokenUsageTimerObserver, at the times when it makes a difference."""
        if self._protocol is None or self._forever:
            return
        now_s = self._clock.now()
        age_s = now_s - self._begun_s
        idle = self._rolling and now_s - self._used_s >= self._limit_s
        if age_s >= MAX_USAGE_PERIOD_S or idle or (not self._used and age_s >= self._limit_s):
            self.stop()
        elif age_s >= self._limit_s:
            self._user_present = False
