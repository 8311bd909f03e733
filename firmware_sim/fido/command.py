"""What a command module exports."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_sim.fido.pin_uv_token import NO_PERMISSION, Permission
from firmware_sim.fido.request import Map
from firmware_sim.fido.task import Wait

if TYPE_CHECKING:
    from firmware_sim.fido.authenticator import Authenticator

Run = Callable[["Authenticator", Map], Coroutine[Wait, None, Map | None]]


@dataclass(frozen=True)
class Command:
    """One CTAP2 command: its byte, its coroutine, and what it adds to getInfo.

    ``info`` gives getInfo members by number; member 4 (options) is merged over all commands.
    ``follows`` names the command whose state it continues; any other command ends that state.
    ``permission`` is what a pinUvAuthToken must allow for it, where a token can.
    """

    code: int
    run: Run
    takes_parameters: bool = True
    info: Callable[[Authenticator], Map] | None = None
    follows: int | None = None
    permission: Permission = NO_PERMISSION
