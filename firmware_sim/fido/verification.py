"""Steps that commands share: options, pinUvAuthParam, and built-in user verification."""

from dataclasses import dataclass

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.built_in_uv import verify_user
from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, optional, required
from firmware_sim.fido.status import CtapStatusError, Status


@dataclass(frozen=True, slots=True)
class Options:
    """The options map with its defaults (§6.1.2 step 5, §6.2.2 step 4)."""

    rk: bool | None
    up: bool | None
    uv: bool


def read_options(parameters: Map, key: int) -> Options:
    """Options that are not known are ignored."""
    options = optional(parameters, key, dict) or {}
    return Options(
        optional(options, "rk", bool),
        optional(options, "up", bool),
        optional(options, "uv", bool) or False,
    )


@dataclass(slots=True)
class User:
    """What a request has established of its user so far: the flags UV and UP.

    ``protocol`` and ``tag`` are a request's pinUvAuthParam, where there is one; ``built_in``
    says that the key is to verify the user itself.
    """

    authenticator: Authenticator
    protocol: PinUvAuthProtocolOne | None
    tag: bytes
    built_in: bool
    verified: bool = False
    present: bool = False

    def check_built_in(self) -> None:
        """§6.1.2 step 5, §6.2.2 step 4: INVALID_OPTION for ``uv`` where no finger is known."""
        if self.built_in and not self.authenticator.fingerprints.is_enrolled:
            raise CtapStatusError(Status.INVALID_OPTION)

    @property
    def is_to_be_verified(self) -> bool:
        """Whether the request comes with a way to verify the user."""
        return self.protocol is not None or self.built_in

    def demand_verification(self) -> None:
        """§6.1.2 step 6, §6.2.2 step 5 (alwaysUv): by the key itself where the request says
        nothing, or the status that sends the platform to ask for the PIN."""
        authenticator = self.authenticator
        if not authenticator.is_protected:
            raise verification_required(authenticator)
        if not self.is_to_be_verified:
            if not authenticator.fingerprints.is_enrolled:
                raise verification_required(authenticator)
            self.built_in = True

    async def verify(self, message: bytes, permission: Permission, rp_id: str, reason: str) -> None:
        """§6.1.2 step 11, §6.2.2 step 6: by a token for this RP, or by built-in verification.

        PIN_AUTH_INVALID for a tag, a permission or an RP ID that is wrong.
        """
        authenticator = self.authenticator
        if not authenticator.is_protected:
            return
        if self.protocol is not None:
            token = authenticator.token
            if (
                not token.verify(self.protocol, message, self.tag, permission)
                or token.rp_id not in (None, rp_id)
                or not token.user_verified
            ):
                raise CtapStatusError(Status.PIN_AUTH_INVALID)
            if authenticator.profile.has_tokens:
                token.rp_id = rp_id
            self.present = token.user_present
        elif self.built_in:
            try:
                await verify_user(authenticator, reason, authenticator.profile.uv_attempts)
            except CtapStatusError as error:
                if error.status not in (Status.UV_INVALID, Status.UV_BLOCKED):
                    raise
                required = verification_required(authenticator)
                if (
                    required.status is not Status.PUAT_REQUIRED
                    and error.status is Status.UV_BLOCKED
                ):
                    raise CtapStatusError(Status.PIN_BLOCKED) from None
                raise required from None
            self.present = True
        else:
            return
        self.verified = True

    async def touch(self, reason: str) -> None:
        """Steps 13 and 14 of §6.1.2, 8 and 9 of §6.2.2: evidence of user interaction, which spends
        a token unless the key itself verified the user."""
        if self.built_in and self.verified:
            return
        if not self.present:
            await self.authenticator.user_presence(reason)
            self.present = True
        self.authenticator.token.spend()


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token gave: for the one RP it is bound to, None for all.

    ``token`` is its number, None for the persistent one, which does not end by itself.
    """

    rp_id: str | None
    token: int | None

    def holds(self, authenticator: Authenticator) -> bool:
        """Whether its token still lives: what it began ends with it (§6 item 3)."""
        return self.token is None or self.token == authenticator.token.number


def verification_required(authenticator: Authenticator) -> CtapStatusError:
    """PUAT_REQUIRED where a PIN could help, OPERATION_DENIED else (§6.1.2 step 6)."""
    options = authenticator.profile.options
    by_pin = "clientPin" in options and "noMcGaPermissionsWithClientPin" not in options
    return CtapStatusError(Status.PUAT_REQUIRED if by_pin else Status.OPERATION_DENIED)


async def read_user(
    authenticator: Authenticator, parameters: Map, uv: bool, tag_key: int, protocol_key: int
) -> User:
    """pinUvAuthParam and its protocol (§6.1.2 steps 1 and 2), or else the option uv.

    An empty pinUvAuthParam asks which of several keys the user means: after a touch the answer
    is PIN_INVALID or PIN_NOT_SET.
    """
    tag = optional(parameters, tag_key, bytes)
    optional(parameters, protocol_key, int)
    if tag is None:
        return User(authenticator, None, b"", uv)
    if not tag and {"clientPin", "pinUvAuthToken"} & set(authenticator.profile.options):
        await authenticator.user_presence("select this key")
        raise CtapStatusError(
            Status.PIN_INVALID if authenticator.pin.is_set else Status.PIN_NOT_SET
        )
    protocol = protocol_of(authenticator, parameters, protocol_key)
    return User(authenticator, protocol, tag, False)


def protocol_of(authenticator: Authenticator, parameters: Map, key: int) -> PinUvAuthProtocolOne:
    """The protocol a request names; MISSING_PARAMETER, INVALID_PARAMETER if it is not supported."""
    protocol = authenticator.protocols.get(required(parameters, key, int))
    if protocol is None:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    return protocol


def require_token(
    authenticator: Authenticator,
    parameters: Map,
    tag_key: int,
    protocol_key: int,
    message: bytes,
    permission: Permission,
    persistent: bool = False,
) -> Grant:
    """The steps that management commands begin with, such as §6.8.2's 1 to 5.

    With ``persistent`` the persistent token will do, too. PUAT_REQUIRED without pinUvAuthParam;
    MISSING_PARAMETER or INVALID_PARAMETER for its protocol; PIN_AUTH_INVALID unless the token made
    it and has the permission.
    """
    tag = optional(parameters, tag_key, bytes)
    if tag is None:
        raise CtapStatusError(Status.PUAT_REQUIRED)
    protocol = protocol_of(authenticator, parameters, protocol_key)
    if authenticator.token.verify(protocol, message, tag, permission):
        return Grant(authenticator.token.rp_id, authenticator.token.number)
    kept = authenticator.persistent_token
    if persistent and kept is not None and protocol.verify(kept.value, message, tag):
        return Grant(None, None)
    raise CtapStatusError(Status.PIN_AUTH_INVALID)
