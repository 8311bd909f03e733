"""A token or phone in a run: what its owner does with it, and what is kept for the report."""

from dataclasses import dataclass

from tokenkit.scenario.places import Place
from tokenkit.scenario.record import DeviceRecord, Stay
from tokenkit.virtual import HardwareToken

_SAMPLES = 600


@dataclass
class CodeDevice:
    """``owner`` is the user it was enrolled for, ``last_code`` the last one that was accepted."""

    token: HardwareToken
    record: DeviceRecord
    owner: str = ""
    last_code: str = ""

    @property
    def serial_number(self) -> str:
        """As the verifier knows it."""
        return self.record.serial_number

    def has_serial_number(self, serial_number: str) -> bool:
        return serial_number == self.serial_number

    def serial_number_of(self, user: str) -> str:
        """The same, whosever it is."""
        return self.serial_number

    def move(self, at_s: float, to: Place) -> None:
        self.token.environment.move(at_s, to.environment())
        self.record.stays.append(Stay(at_s, str(to)))

    def clock_error_s(self, at_s: float) -> float:
        """Token time minus true time."""
        return self.token.token_clock.error_s(at_s)

    def draw_curve(self, end_s: float) -> None:
        """Sample the clock error from when the device was had until ``end_s``."""
        start_s = self.record.stays[0].from_s
        step_s = (end_s - start_s) / _SAMPLES
        self.record.curve = [
            (at_s, self.clock_error_s(at_s))
            for at_s in (start_s + number * step_s for number in range(_SAMPLES + 1))
        ]
