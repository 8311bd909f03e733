"""The authenticator: its state, and the way from request bytes to response bytes."""

from collections.abc import Mapping
from typing import Any

from firmware_sim.fido import cbor
from firmware_sim.fido.attestation import Attestation
from firmware_sim.fido.commands import all_commands
from firmware_sim.fido.credential import CredentialStore
from firmware_sim.fido.extensions import all_extensions
from firmware_sim.fido.pin import Pin
from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne, PinUvAuthProtocolTwo
from firmware_sim.fido.pin_uv_token import PinUvAuthToken
from firmware_sim.fido.settings import Settings
from firmware_sim.fido.status import CtapStatusError, Status
from firmware_sim.fido.task import Task, Wait, pause
from firmware_sim.profiles import Profile
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.finger import Finger
from firmware_sim.world.flash import Flash, FlashError

_COUNTER = "signature-counter"
_SUCCESS = bytes((Status.SUCCESS,))
_MAX_COUNTER = 0xFFFFFFFF


class Authenticator:
    """A powered authenticator; making one is the power-up, dropping it the power-down.

    What must survive is in ``flash``; everything else here is gone with the power.
    """

    def __init__(
        self, profile: Profile, clock: Clock, entropy: Entropy, flash: Flash, finger: Finger
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.entropy = entropy
        self.flash = flash
        self.finger = finger
        self.powered_s = clock.now()
        self.commands = all_commands()
        known = all_extensions()
        self.extensions = {name: known[name] for name in profile.extensions}
        self.attestation = Attestation(profile, entropy.reproducible)
        self.load()

    def load(self) -> None:
        """Start from what is in flash: at power-up and after a reset."""
        profile = self.profile
        self.credentials = CredentialStore(self.flash, self.entropy, profile.credential_capacity)
        self.settings = Settings(self.flash, profile.min_pin_length)
        self.pin = Pin(self.flash, self.settings)
        self.protocols: dict[int, PinUvAuthProtocolOne] = {
            protocol.number: protocol(self.entropy)
            for protocol in (PinUvAuthProtocolTwo, PinUvAuthProtocolOne)
        }
        self.token = PinUvAuthToken(self.clock, self.entropy)
        # what a command leaves for the one that continues it, by the first one's byte
        self.continuation: dict[int, Any] = {}

    def start(self, request: bytes) -> Task:
        """Begin a command: ``request`` is its byte and its CBOR, the response likewise."""
        return Task(self._respond(request))

    @property
    def versions(self) -> list[str]:
        """What the profile says, less U2F while every use demands user verification."""
        no_u2f = self.settings.always_uv
        return [each for each in self.profile.versions if not (no_u2f and each == "U2F_V2")]

    async def _respond(self, request: bytes) -> bytes:
        try:
            return _SUCCESS + await self._execute(request)
        except CtapStatusError as error:
            return bytes((error.status,))
        except FlashError:
            # storage that cannot be written is not the request's fault
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

    async def user_presence(self, reason: str) -> None:
        """Wait for a touch.

        OPERATION_DENIED if the user refuses. Without a touch in time USER_ACTION_TIMEOUT, as
        YubiKeys answer and as §6.9 says for authenticatorSelection; §6.1.2 and §6.2.2 would have
        OPERATION_DENIED there too, which a client cannot tell from a refusal.
        """
        now_s = self.clock.now()
        touch = self.finger.requested(reason, now_s)
        wait = Wait(touch, now_s + self.profile.touch_timeout_s)
        while touch.true_s > now_s:
            if now_s >= wait.until_s:
                raise CtapStatusError(Status.USER_ACTION_TIMEOUT)
            await pause(wait)
            now_s = self.clock.now()
        if touch.refused:
            raise CtapStatusError(Status.OPERATION_DENIED)

    def next_counter(self, changes: Mapping[str, bytes | None] | None = None) -> int:
        """Advance the global signature counter, in flash before it is used.

        ``changes`` are written in the same transaction.
        """
        stored = self.flash.get(_COUNTER)
        counter = min(int.from_bytes(stored or b"", "big") + 1, _MAX_COUNTER)
        self.flash.write({**(changes or {}), _COUNTER: counter.to_bytes(4, "big")})
        return counter

    @property
    def age_s(self) -> float:
        """Seconds since power-up."""
        return max(0.0, self.clock.now() - self.powered_s)
