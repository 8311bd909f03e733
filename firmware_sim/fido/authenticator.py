"""The authenticator: its state, and the way from request bytes to response bytes."""

import logging
from dataclasses import dataclass
from typing import Any

from firmware_sim.fido import cbor
from firmware_sim.fido.algorithms import ALGORITHMS
from firmware_sim.fido.attestation import Attestation
from firmware_sim.fido.commands import all_commands
from firmware_sim.fido.counter import COUNTERS
from firmware_sim.fido.credential import WRAP_KEY, CredentialStore
from firmware_sim.fido.extensions import all_extensions
from firmware_sim.fido.fingerprint import Fingerprints
from firmware_sim.fido.persistent_token import PersistentToken
from firmware_sim.fido.pin import Pin
from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne, PinUvAuthProtocolTwo
from firmware_sim.fido.pin_uv_token import PinUvAuthToken
from firmware_sim.fido.settings import Changes, Settings
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.task import Task, Wait, pause
from firmware_sim.profile import Profile
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.finger import Finger, Touch
from firmware_sim.world.flash import Flash, FlashError

log = logging.getLogger(__name__)

_PROTOCOLS = {1: PinUvAuthProtocolOne, 2: PinUvAuthProtocolTwo}
_SUCCESS = bytes((Status.SUCCESS,))


@dataclass(frozen=True, slots=True)
class AwaitedTouch:
    """A touch that a U2F host asks after: for ``what`` the user was asked at ``since_s``."""

    what: tuple[str, bytes]
    touch: Touch
    since_s: float


class Authenticator:
    """A powered authenticator; making one is the power-up, dropping it the power-down.

    What must survive is in ``flash``; everything else here is gone with the power. ``transport``
    is the one that power and requests come by, by its name in getInfo; ``serial_number`` is what
    an enterprise attestation tells.
    """

    def __init__(
        self,
        profile: Profile,
        clock: Clock,
        entropy: Entropy,
        flash: Flash,
        finger: Finger,
        *,
        transport: str = "usb",
        serial_number: str = "",
    ) -> None:
        self.profile = profile
        self.transport = transport
        self.clock = clock
        self.entropy = entropy
        self.flash = flash
        self.finger = finger
        self.powered_s = clock.now()
        self.commands = {
            code: command for code, command in all_commands().items() if command.is_in(profile)
        }
        known = all_extensions()
        self.extensions = {name: known[name] for name in profile.extensions}
        # what the machine can do of what the profile names
        self.algorithms = [number for number in profile.algorithms if number in ALGORITHMS]
        self.attestation = Attestation(profile, entropy.reproducible, serial_number)
        self._channel = 0
        self.load()

    def load(self) -> None:
        """Start from what is in flash: at power-up and after a reset."""
        profile = self.profile
        flash, entropy = self.flash, self.entropy
        if flash.get(WRAP_KEY) is None:
            flash.write(self.fresh_secrets())
        self.credentials = CredentialStore(flash, entropy, profile.credential_capacity)
        self.settings = Settings(flash, profile)
        self.pin = Pin(flash, self.settings, profile.max_pin_length)
        self.fingerprints = Fingerprints(flash, entropy, profile, self.pin)
        self.counter = COUNTERS[profile.signature_counter](flash)
        self.protocols: dict[int, PinUvAuthProtocolOne] = {
            number: _PROTOCOLS[number](entropy) for number in profile.pin_uv_protocols
        }
        self.token = PinUvAuthToken(
            self.clock,
            entropy,
            self.transport,
            rolling=profile.token_rolling_timer,
            forever=not profile.has_tokens,
        )
        self.persistent_token: PersistentToken | None = None
        if "perCredMgmtRO" in profile.options:
            self.persistent_token = PersistentToken(flash, entropy)
        # what a command leaves for the one that continues it, by the first one's byte
        self.continuation: dict[int, Any] = {}
        self.awaited_touch: AwaitedTouch | None = None

    def fresh_secrets(self) -> Changes:
        """The flash changes that give a key that was never used, or was reset, its secrets."""
        return {**CredentialStore.fresh(self.entropy), **PersistentToken.fresh(self.entropy)}

    def start(self, request: bytes, channel: int = 0) -> Task:
        """Begin a command: ``request`` is its byte and its CBOR, the response likewise.

        What one host's command began, a command on another's ``channel`` ends.
        """
        if channel != self._channel:
            self.continuation.clear()
            self._channel = channel
        return Task(self._respond(request))

    @property
    def versions(self) -> list[str]:
        """What the profile says, less U2F while that could not verify the user as it must."""
        no_u2f = not self.offers_u2f
        versions = (*self.profile.versions, *self.profile.extra_versions)
        return [each for each in versions if not (no_u2f and each == "U2F_V2")]

    @property
    def offers_u2f(self) -> bool:
        """Always-UV leaves U2F to a finger that the key knows (CTAP 2.1 §7.2.4)."""
        return not self.settings.always_uv or self.fingerprints.is_enrolled

    @property
    def is_protected(self) -> bool:
        """Whether there is a PIN or a finger to verify the user by."""
        return self.pin.is_set or self.fingerprints.is_enrolled

    async def _respond(self, request: bytes) -> bytes:
        try:
            return _SUCCESS + await self._execute(request)
        except CtapStatusError as error:
            return bytes((error.status,))
        except FlashError as error:
            # storage that cannot be written is not the request's fault
            log.error("%s", error)
            return bytes((Status.OTHER,))

    async def _execute(self, request: bytes) -> bytes:
        if not request:
            raise CtapStatusError(Status.INVALID_LENGTH)
        if len(request) > self.profile.max_msg_size:
            raise CtapStatusError(Status.REQUEST_TOO_LARGE)
        command = self.commands.get(request[0])
        if command is None:
            raise CtapStatusError(Status.INVALID_COMMAND)
        if self.continuation and command.follows not in self.continuation:
            self.continuation.clear()
        parameters: Any = {}
        if command.takes_parameters:
            try:
                parameters = cbor.decode(request[1:])
            except cbor.CborError:
                raise CtapStatusError(Status.INVALID_CBOR) from None
            if type(parameters) is not dict:
                raise CtapStatusError(Status.CBOR_UNEXPECTED_TYPE)
        elif len(request) > 1:
            raise CtapStatusError(Status.INVALID_LENGTH)
        answer = await command.run(self, parameters)
        return b"" if answer is None else cbor.encode(answer)

    async def user_presence(
        self, reason: str, hold_s: float = 0.0, timeout_s: float | None = None
    ) -> Touch:
        """Wait for a touch of at least ``hold_s`` seconds.

        OPERATION_DENIED if the user refuses. Without a touch in time USER_ACTION_TIMEOUT, as
        YubiKeys answer and as §6.9 says for authenticatorSelection; §6.1.2 and §6.2.2 would have
        OPERATION_DENIED there too, which a client cannot tell from a refusal.
        """
        self.forget_awaited_touch()
        now_s = self.clock.now()
        if timeout_s is None:
            timeout_s = self.profile.touch_timeout_s
        touch = self.finger.requested(reason, now_s)
        wait = Wait(touch, now_s + timeout_s, hold_s)
        try:
            while wait.touched_s > now_s:
                if now_s >= wait.until_s:
                    raise CtapStatusError(Status.USER_ACTION_TIMEOUT)
                await pause(wait)
                now_s = self.clock.now()
        finally:
            touch.over = True
        if touch.refused:
            raise CtapStatusError(Status.OPERATION_DENIED)
        return touch

    def forget_awaited_touch(self) -> None:
        """What a U2F host asked after is answered, or nobody asks any more."""
        if self.awaited_touch is not None:
            self.awaited_touch.touch.over = True
            self.awaited_touch = None

    @property
    def age_s(self) -> float:
        """Seconds since power-up."""
        return max(0.0, self.clock.now() - self.powered_s)
