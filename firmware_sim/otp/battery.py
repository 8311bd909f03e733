"""The coin cell in the case: how long it lasts, and what a press of the button costs."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Battery:
    """A cell and what the token draws from it.

    The defaults last 4.6 years untouched and 4.4 years at ten presses a day. Makers state 2 to 5
    years (Token2, Feitian); the currents are an assumption that fits them.

    capacity_mah: usable charge, a CR2032's 220 mAh less what is lost to cut-off and ageing.
    idle_ua: current of the crystal, the counter and the sleeping controller.
    press_uah: charge for one code and 30 s of display.
    low_fraction: part of the charge, 0 to 1, below which the low-battery sign shows.

    ValueError unless the first two are above 0, the third at least 0, all finite.
    """

    capacity_mah: float = 200.0
    idle_ua: float = 5.0
    press_uah: float = 0.5
    low_fraction: float = 0.1

    def __post_init__(self) -> None:
        for name in ("capacity_mah", "idle_ua"):
            if not 0.0 < getattr(self, name) < math.inf:  # also refuses NaN
                raise ValueError(f"{name} must be above 0 and finite, not {getattr(self, name)}")
        if not 0.0 <= self.press_uah < math.inf:
            raise ValueError(f"press_uah must be at least 0 and finite, not {self.press_uah}")
        if not 0.0 <= self.low_fraction <= 1.0:
            raise ValueError(f"low_fraction is from 0 to 1, not {self.low_fraction}")

    def life_s(self, presses: int) -> float:
        """Seconds from fitting the cell to its end, after ``presses`` presses."""
        return max(0.0, 1000 * self.capacity_mah - presses * self.press_uah) / self.idle_ua * 3600

    def fraction_left(self, age_s: float, presses: int) -> float:
        """Charge left, 1 (new) to 0 (empty), ``age_s`` seconds after the cell was fitted."""
        used_uah = age_s / 3600 * self.idle_ua + presses * self.press_uah
        return max(0.0, 1.0 - used_uah / (1000 * self.capacity_mah))

    def is_low(self, age_s: float, presses: int) -> bool:
        return self.fraction_left(age_s, presses) < self.low_fraction
