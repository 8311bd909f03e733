"""The liquid-crystal display of a token: what it shows, as text and as a picture."""

from dataclasses import dataclass

from firmware_sim.otp.face import BARS, SEGMENTS, face_svg

# the segments of a digit in 3 × 3 characters
_ROWS = (" a ", "fgb", "edc")


@dataclass(frozen=True)
class Display:
    """What a person sees.

    digits: the code, empty while the display is dark.
    bars: 0 to 6, the sixths of the time step that are left (rounded up); 0 on an HOTP token.
    low_battery: whether the low-battery sign is on.
    places: digits that the display has room for.
    """

    lit: bool
    digits: str = ""
    bars: int = 0
    low_battery: bool = False
    places: int = 6

    def text(self) -> str:
        """Three lines of seven-segment digits, bars and sign at their right; blank while dark."""
        bars = "▮" * self.bars + "▯" * (BARS - self.bars) if self.bars else ""
        notes = ("", bars, "LOW BATTERY" if self.low_battery else "")
        return "\n".join(
            f"{' '.join(_cells(digit, row) for digit in self.digits)}   {note}".rstrip()
            for row, note in zip(_ROWS, notes, strict=True)
        )

    def svg(self, serial_number: str = "") -> str:
        """The face of the token as an SVG document, ``serial_number`` printed beneath."""
        return face_svg(
            self.digits.ljust(self.places), self.bars, self.low_battery, self.lit, serial_number
        )


def _cells(digit: str, row: str) -> str:
    """The part of ``digit`` in one row: three characters."""
    on = SEGMENTS[digit]
    return "".join(" " if name not in on else "_" if name in "adg" else "|" for name in row)
