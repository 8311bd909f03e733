"""Power cuts at flash writes."""

from collections.abc import Mapping

from firmware_sim.link.faults.wire import Faults
from firmware_sim.world.flash import Flash, PowerCutError


class FaultyFlash:
    """``flash``, whose writes the plan in ``faults`` may cut."""

    def __init__(self, flash: Flash) -> None:
        self._flash = flash
        self.faults: Faults | None = None
        self.get, self.items = flash.get, flash.items  # reading costs nothing more

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        cut = None if self.faults is None else self.faults.at_write()
        if cut is None or cut.after:
            self._flash.write(changes)
        if cut is not None:
            raise PowerCutError
