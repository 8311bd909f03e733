"""What the surfaces share: the verifier, its clock, and hardware tokens made of software."""

import time
from collections.abc import Callable

from tokenkit.service.tokens import VirtualTokens
from tokenkit.verifier import Verifier
from tokenkit.virtual import AdvancedClock, SimulatedClock, World


class Service:
    """A verifier on the clock of ``world``, which is true time to all that is in it.

    That clock is simulated and stands still, or is an AdvancedClock and runs; either can be moved
    forward. ``computer_now`` is the time of the computer, which clients sign their requests with.
    """

    def __init__(
        self, verifier: Verifier, world: World, *, computer_now: Callable[[], float] = time.time
    ) -> None:
        if not isinstance(world.clock, SimulatedClock | AdvancedClock):
            raise TypeError("the clock of a service can be moved: SimulatedClock or AdvancedClock")
        self.verifier = verifier
        self.world = world
        self.clock: SimulatedClock | AdvancedClock = world.clock
        self.computer_now = computer_now
        self.tokens = VirtualTokens(world, verifier)
