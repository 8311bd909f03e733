"""The display as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.display import Display

# the usual picture of a seven-segment digit in 3 × 3 characters
PICTURES = {
    "0": " _ | ||_|",
    "1": "     |  |",
    "2": " _  _||_ ",
    "3": " _  _| _|",
    "4": "   |_|  |",
    "5": " _ |_  _|",
    "6": " _ |_ |_|",
    "7": " _   |  |",
    "8": " _ |_||_|",
    "9": " _ |_| _|",
}


@given(st.text("0123456789", min_size=6, max_size=8), st.integers(0, 6), st.booleans())
def test_the_text_can_be_read_back(digits: str, bars: int, low_battery: bool) -> None:
    lines = Display(True, digits, bars, low_battery, len(digits)).text().split("\n")
    assert len(lines) == 3
    width = 4 * len(digits)
    rows = [line.ljust(width) for line in lines]
    cells = ["".join(row[x : x + 3] for row in rows) for x in range(0, width, 4)]
    assert cells == [PICTURES[digit] for digit in digits]
    notes = [row[width:].strip() for row in rows]
    assert notes == [
        "",
        "▮" * bars + "▯" * (6 - bars) if bars else "",
        "LOW BATTERY" if low_battery else "",
    ]
    assert all(line == line.rstrip() for line in lines)


def test_an_example() -> None:
    assert Display(True, "204718", 4, True).text() == (
        " _   _       _       _\n"
        " _| | | |_|   |   | |_|   ▮▮▮▮▯▯\n"
        "|_  |_|   |   |   | |_|   LOW BATTERY"
    )


@pytest.mark.parametrize("places", [6, 8])
def test_a_dark_display_is_three_blank_lines(places: int) -> None:
    assert Display(False, places=places).text() == "\n\n"
