"""The face and back of a token, drawn as SVG: case, display, bars, button, serial number."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

BARS = 6

# a at the top, then clockwise to f; g in the middle
SEGMENTS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abdeg",
    "3": "abcdg",
    "4": "bcfg",
    "5": "acdfg",
    "6": "acdefg",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
    " ": "",
}

# Units are SVG's, near enough a tenth of a millimetre for a token of 60 mm.
_WIDTH, _HEIGHT, _THICK, _GAP = 34.0, 64.0, 7.0, 1.0  # of one digit
_PITCH = 46.0  # from one digit to the next
_LCD_TOP, _LCD_HEIGHT, _PADDING = 40.0, 122.0, 24.0
_CASE_TOP, _CASE_HEIGHT = 8.0, 226.0
_LCD_LEFT, _BUTTON_SPACE = 84.0, 128.0
_INK = "#1c2a22"


def face_svg(digits: str, bars: int, low_battery: bool, lit: bool, serial_number: str) -> str:
    """An SVG document; a space in ``digits`` is a place with no segment on."""
    lcd_width, width = _widths(len(digits))
    button_x = _LCD_LEFT + lcd_width + _BUTTON_SPACE / 2
    shown = f"shows {digits}" if lit else "is dark"
    # A sleeping display is the bare grey of its reflector. Two pictures in one HTML page share
    # their ids, so the name says which colours it stands for.
    glass = ("lit", "#c9d6b8", "#b7c6a4") if lit else ("dark", "#aeb5a6", "#a1a899")
    parts = [
        _open(width),
        f"<title>{escape(f'Token {serial_number}'.strip())} {shown}</title>",
        "<defs>",
        _gradient("case", "#4a5a72", "#2c3848"),
        _gradient(*glass),
        _gradient("button", "#f08a4b", "#c95f24"),
        "</defs>",
        *_case("case", width, 46),
        # the display
        f'<rect x="{_LCD_LEFT:g}" y="{_LCD_TOP:g}" width="{lcd_width:g}" height="{_LCD_HEIGHT:g}"'
        f' rx="10" fill="url(#token-{glass[0]})" stroke="#161d26" stroke-width="5"/>',
        *_digits(digits),
        *_bars(bars),
        _battery_sign(low_battery, lcd_width),
        # the button
        f'<circle cx="{button_x:g}" cy="101" r="36" fill="#222c39"/>',
        f'<circle cx="{button_x:g}" cy="101" r="30" fill="url(#token-button)"/>',
        _serial_number(serial_number, width, 204, "#e8edf3"),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def back_svg(serial_number: str, lines: Sequence[str], places: int = 6) -> str:
    """The back of a token with so many digits: a label with the serial number and ``lines``."""
    width = _widths(places)[1]
    parts = [
        _open(width),
        f"<title>{escape(f'Back of token {serial_number}')}</title>",
        f"<defs>{_gradient('back', '#3d4b5f', '#26303d')}</defs>",
        *_case("back", width, width - 46),
        f'<rect x="56" y="34" width="{width - 156:g}" height="174" rx="10" fill="#eef1f4"/>',
        f'<text x="76" y="66" fill="#3c4650" font-size="17" {_SANS}>Serial number</text>',
        _serial_number(serial_number, width - 44, 98, "#11161c", room=width - 196),
        *(
            f'<text x="76" y="{134 + 25 * number}" fill="#3c4650" font-size="17" {_SANS}>'
            f"{escape(line)}</text>"
            for number, line in enumerate(lines)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _widths(places: int) -> tuple[float, float]:
    """Of the display for so many digits, and of the picture."""
    lcd_width = places * _PITCH - (_PITCH - _WIDTH) + 2 * _PADDING
    return lcd_width, _LCD_LEFT + lcd_width + _BUTTON_SPACE + 8


def _open(width: float) -> str:
    height = _CASE_TOP + _CASE_HEIGHT + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img">'
    )


def _case(gradient: str, width: float, hole_x: float) -> Iterator[str]:
    """The case, with a hole for the key ring."""
    yield (
        f'<rect x="8" y="{_CASE_TOP:g}" width="{width - 16:g}" height="{_CASE_HEIGHT:g}" rx="56"'
        f' fill="url(#token-{gradient})" stroke="#1d2631" stroke-width="2"/>'
    )
    yield f'<circle cx="{hole_x:g}" cy="101" r="15" fill="#fff" stroke="#1d2631" stroke-width="3"/>'


def _gradient(name: str, top: str, bottom: str) -> str:
    return (
        f'<linearGradient id="token-{name}" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
        "</linearGradient>"
    )


def _ink(on: bool) -> str:
    """Fill of a part of the display: crystal that is off still shows a trace."""
    return f'fill="{_INK}"' if on else f'fill="{_INK}" fill-opacity="0.06"'


def _digits(digits: str) -> Iterator[str]:
    for place, digit in enumerate(digits):
        x, y = _LCD_LEFT + _PADDING + place * _PITCH, _LCD_TOP + 18
        # the slant of a printed display, about the foot of the digit
        yield f'<g transform="translate({x + 4:g} {y:g}) skewX(-5)">'
        for name, points in _SHAPES.items():
            yield f'<polygon points="{points}" {_ink(name in SEGMENTS[digit])}/>'
        yield "</g>"


def _shapes() -> dict[str, str]:
    """Corners of each segment: a bar with pointed ends, so that neighbours meet at a mitre."""
    half = _THICK / 2
    left, right = half, _WIDTH - half
    top, middle, bottom = half, _HEIGHT / 2, _HEIGHT - half

    def bar(x1: float, y1: float, x2: float, y2: float) -> str:
        if y1 == y2:
            x1, x2 = x1 + _GAP, x2 - _GAP
            inner = [(x1 + half, y1 - half), (x2 - half, y1 - half), (x2, y1)]
            inner += [(x2 - half, y1 + half), (x1 + half, y1 + half), (x1, y1)]
        else:
            y1, y2 = y1 + _GAP, y2 - _GAP
            inner = [(x1 + half, y1 + half), (x1 + half, y2 - half), (x1, y2)]
            inner += [(x1 - half, y2 - half), (x1 - half, y1 + half), (x1, y1)]
        return " ".join(f"{x:g},{y:g}" for x, y in inner)

    return {
        "a": bar(left, top, right, top),
        "b": bar(right, top, right, middle),
        "c": bar(right, middle, right, bottom),
        "d": bar(left, bottom, right, bottom),
        "e": bar(left, middle, left, bottom),
        "f": bar(left, top, left, middle),
        "g": bar(left, middle, right, middle),
    }


_SHAPES = _shapes()


def _bars(bars: int) -> Iterator[str]:
    """The time left, at the foot of the display: bars go out from the right."""
    for number in range(BARS):
        x = _LCD_LEFT + _PADDING + number * 22
        yield (
            f'<rect x="{x:g}" y="{_LCD_TOP + 98:g}" width="17" height="9" rx="1.5"'
            f" {_ink(number < bars)}/>"
        )


def _battery_sign(on: bool, lcd_width: float) -> str:
    """An empty cell at the right of the bars."""
    x, y = _LCD_LEFT + lcd_width - _PADDING - 34, _LCD_TOP + 95
    ink = _ink(on).replace("fill=", "stroke=").replace("fill-opacity", "stroke-opacity")
    return (
        f'<g fill="none" stroke-width="2.5" {ink}><rect x="{x:g}" y="{y:g}" width="28" height="14"'
        f' rx="2"/><path d="M{x + 32:g} {y + 4:g}v6M{x + 5:g} {y + 7:g}h5"/></g>'
    )


_SANS = "font-family=\"system-ui, 'DejaVu Sans', sans-serif\""
_MONOSPACED = "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""


def _serial_number(
    serial_number: str, width: float, y: float, ink: str, room: float | None = None
) -> str:
    if not serial_number:
        return ""
    # 0.62 em is the width of a monospaced character
    size = min(22.0, (width - 140 if room is None else room) / (0.62 * len(serial_number)))
    return (
        f'<text x="{width / 2:g}" y="{y:g}" text-anchor="middle" fill="{ink}"'
        f' {_MONOSPACED} font-size="{size:.2f}">{escape(serial_number)}</text>'
    )
