"""Steps that makeCredential and getAssertion share: options and pinUvAuthParam."""

from dataclasses import dataclass

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.pin_protocol import PinUvAuthProtocolOne
from firmware_sim.fido.pin_uv_token import Permission
from firmware_sim.fido.request import Map, optional
from firmware_sim.fido.status import CtapStatusError, Status


@dataclass(frozen=True, slots=True)
class Options:
    """The options map with its defaults (§6.1.2 step 5, §6.2.2 step 4)."""

    rk: bool | None
    up: bool | None


def read_options(parameters: Map, key: int) -> Options:
    """INVALID_OPTION for ``uv``: this authenticator has no built-in user verification."""
    options = optional(parameters, key, dict) or {}
    if optional(options, "uv", bool):
        raise CtapStatusError(Status.INVALID_OPTION)
    return Options(optional(options, "rk", bool), optional(options, "up", bool))


@dataclass(frozen=True, slots=True)
class PinUvAuth:
    """A request's pinUvAuthParam and its protocol."""

    protocol: PinUvAuthProtocolOne
    tag: bytes

    def verify(
        self,
        authenticator: Authenticator,
        message: bytes,
        permission: Permission,
        rp_id: str,
    ) -> None:
        """Check tag, permission and RP ID (§6.1.2 step 11.1); binds an unbound token to the RP.

        PIN_AUTH_INVALID where any of them is wrong.
        """
        token = authenticator.token
        if (
            not token.verify(self.protocol, message, self.tag)
            or permission not in token.permissions
            or token.rp_id not in (None, rp_id)
            or not token.user_verified
        ):
            raise CtapStatusError(Status.PIN_AUTH_INVALID)
        token.rp_id = rp_id


def protocol_of(
    authenticator: Authenticator, parameters: Map, key: int
) -> PinUvAuthProtocolOne | None:
    """The protocol a request names; INVALID_PARAMETER for one that is not supported."""
    number = optional(parameters, key, int)
    if number is None:
        return None
    protocol = authenticator.protocols.get(number)
    if protocol is None:
        raise CtapStatusError(Status.INVALID_PARAMETER)
    return protocol


async def read_pin_uv_auth(
    authenticator: Authenticator, parameters: Map, tag_key: int, protocol_key: int
) -> PinUvAuth | None:
    """pinUvAuthParam and its protocol (§6.1.2 steps 1 and 2); None where there is none.

    An empty pinUvAuthParam asks which of several keys the user means: after a touch the answer
    is PIN_INVALID or PIN_NOT_SET.
    """
    tag = optional(parameters, tag_key, bytes)
    protocol = protocol_of(authenticator, parameters, protocol_key)
    if tag is None:
        return None
    if not tag:
        await authenticator.user_presence("select this key")
        raise CtapStatusError(
            Status.PIN_INVALID if authenticator.pin.is_set else Status.PIN_NOT_SET
        )
    if protocol is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    return PinUvAuth(protocol, tag)


def require_token(
    authenticator: Authenticator,
    parameters: Map,
    tag_key: int,
    protocol_key: int,
    message: bytes,
    permission: Permission,
) -> None:
    """The steps that management commands begin with, such as §6.8.2's 1 to 5.

    PUAT_REQUIRED without pinUvAuthParam; MISSING_PARAMETER or INVALID_PARAMETER for its protocol;
    PIN_AUTH_INVALID unless the token made it and has the permission.
    """
    tag = optional(parameters, tag_key, bytes)
    protocol = protocol_of(authenticator, parameters, protocol_key)
    if tag is None:
        raise CtapStatusError(Status.PUAT_REQUIRED)
    if protocol is None:
        raise CtapStatusError(Status.MISSING_PARAMETER)
    token = authenticator.token
    if not token.verify(protocol, message, tag) or permission not in token.permissions:
        raise CtapStatusError(Status.PIN_AUTH_INVALID)
