"""What a command module exports."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_sim.fido.pin_uv_token import NO_PERMISSION, Permission
from firmware_sim.fido.request import Map
from firmware_sim.fido.task import Wait
from firmware_sim.profile import Profile

if TYPE_CHECKING:
    from firmware_sim.fido.authenticator import Authenticator

Run = Callable[["Authenticator", Map], Coroutine[Wait, None, Map | None]]


@dataclass(frozen=True)
class Command:
    """One CTAP2 command: its byte, its coroutine, and what it adds to getInfo.

    ``options`` are the option identifiers of which a profile must list one for the command to be
    there, ``versions`` likewise; a command without either always is. ``info`` gives getInfo
    members by number; member 4 (options) is merged over all commands. ``follows`` names the
    command whose state it continues; any other command ends that state. ``permission`` is what a
    pinUvAuthToken must allow for it, where a token can.
    """

    code: int
    run: Run
    takes_parameters: bool = True
    options: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    info: Callable[[Authenticator], Map] | None = None
    follows: int | None = None
    permission: Permission = NO_PERMISSION

    def is_in(self, profile: Profile) -> bool:
        """Whether a key of this model has the command."""
        if not self.options and not self.versions:
            return True
        return profile.speaks(*self.versions) or not set(self.options).isdisjoint(profile.options)
