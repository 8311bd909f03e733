from collections.abc import Callable
from typing import Any

import pytest

from firmware_sim.otp.grade import grade
from firmware_sim.otp.token import HardwareToken, TokenSpec
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.environment import Schedule, place

MADE_S = 1_767_225_600.0

MakeToken = Callable[..., tuple[HardwareToken, SimulatedClock]]


def make_perfect_token(
    made_s: float = MADE_S, battery: Any = None, flash: Any = None, **fields: Any
) -> tuple[HardwareToken, SimulatedClock]:
    """A token that keeps true time, and the clock that moves it."""
    usual: dict[str, Any] = {
        "serial_number": "TEST00001",
        "seed": b"12345678901234567890",
        "crystal": grade("perfect").crystal,
    }
    clock = SimulatedClock(made_s)
    spec = TokenSpec(made_s=made_s, **(usual | fields))
    return HardwareToken(spec, clock, Schedule(place("desk")), flash, battery), clock


@pytest.fixture(scope="session")
def make_token() -> MakeToken:
    return make_perfect_token
