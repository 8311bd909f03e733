"""The picture of a token: read back by the places of what is drawn."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.display import Display
from firmware_sim.otp.token import HardwareToken, TokenKind, TokenSpec
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.environment import Constant, Schedule

SVG = "{http://www.w3.org/2000/svg}"

# segments a (bit 0) to g (bit 6), as in the data sheet of any display driver
DRIVER_BITS = [0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F]

codes = st.text("0123456789", min_size=6, max_size=8)
serial_numbers = st.text("ABCabc019_+=/:,.@-", min_size=9, max_size=256)

Box = tuple[float, float, float, float]


def drawn(display: Display, serial_number: str = "") -> ElementTree.Element:
    root = ElementTree.fromstring(display.svg(serial_number))
    assert root.tag == f"{SVG}svg"
    return root


def is_on(element: ElementTree.Element, paint: str = "fill") -> bool:
    return float(element.get(f"{paint}-opacity", "1")) > 0.5


def box(element: ElementTree.Element) -> Box:
    x, y, width, height = (float(element.get(key, "")) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def corners(polygon: ElementTree.Element) -> tuple[list[float], list[float]]:
    pairs = [pair.split(",") for pair in polygon.get("points", "").split()]
    return [float(x) for x, _ in pairs], [float(y) for _, y in pairs]


def segment_bits(digit: ElementTree.Element) -> int:
    """Which segments are on, each told by the middle of its polygon among the seven."""
    middles = []
    for polygon in digit.findall(f"{SVG}polygon"):
        xs, ys = corners(polygon)
        middles.append((sum(xs) / len(xs), sum(ys) / len(ys), is_on(polygon)))
    columns = sorted({round(x, 3) for x, _, _ in middles})
    rows = sorted({round(y, 3) for _, y, _ in middles})
    assert (len(middles), len(columns), len(rows)) == (7, 3, 5)
    names = {(1, 0): 0, (2, 1): 1, (2, 3): 2, (1, 4): 3, (0, 3): 4, (0, 1): 5, (1, 2): 6}
    return sum(
        on << names[columns.index(round(x, 3)), rows.index(round(y, 3))] for x, y, on in middles
    )


def read_digits(root: ElementTree.Element) -> str:
    """The digits from left to right, a space where no segment is on."""
    places = {}
    for group in root.findall(f"{SVG}g[@transform]"):
        found = re.match(r"translate\(([\d.]+) ", group.get("transform", ""))
        assert found is not None
        places[float(found[1])] = segment_bits(group)
    shown = {0: " "} | {bits: str(digit) for digit, bits in enumerate(DRIVER_BITS)}
    return "".join(shown[places[x]] for x in sorted(places))


def read_bars(root: ElementTree.Element) -> list[bool]:
    bars = [rect for rect in root.findall(f"{SVG}rect") if rect.get("height") == "9"]
    return [is_on(bar) for bar in sorted(bars, key=lambda bar: box(bar)[0])]


def battery_sign(root: ElementTree.Element) -> bool:
    [group] = root.findall(f"{SVG}g[@fill='none']")
    return is_on(group, "stroke")


@given(codes, st.integers(0, 6), st.booleans(), serial_numbers)
def test_the_picture_can_be_read_back(
    digits: str, bars: int, low_battery: bool, serial_number: str
) -> None:
    root = drawn(Display(True, digits, bars, low_battery, len(digits)), serial_number)
    assert read_digits(root) == digits
    assert read_bars(root) == [True] * bars + [False] * (6 - bars)
    assert battery_sign(root) == low_battery
    assert root.findtext(f"{SVG}text") == serial_number
    assert root.findtext(f"{SVG}title") == f"Token {serial_number} shows {digits}"


@pytest.mark.parametrize("places", [6, 7, 8])
def test_a_dark_picture_shows_nothing(places: int) -> None:
    root = drawn(Display(False, places=places), "TKTEST00000001")
    assert read_digits(root) == " " * places
    assert not any(read_bars(root))
    assert not battery_sign(root)
    assert root.findtext(f"{SVG}title") == "Token TKTEST00000001 is dark"


def test_without_a_serial_number_none_is_printed() -> None:
    root = drawn(Display(True, "123456"))
    assert root.find(f"{SVG}text") is None
    assert root.findtext(f"{SVG}title") == "Token shows 123456"


def test_a_lit_and_a_dark_picture_on_one_page_keep_their_colours() -> None:
    colours: dict[str, set[str]] = {}
    for display in (Display(True, "123456"), Display(False)):
        for gradient in drawn(display).iter(f"{SVG}linearGradient"):
            stops = " ".join(stop.get("stop-color", "") for stop in gradient)
            colours.setdefault(gradient.get("id", ""), set()).add(stops)
    assert {len(each) for each in colours.values()} == {1}
    assert len(colours) == 4


@given(codes)
def test_every_colour_that_is_used_is_defined(digits: str) -> None:
    text = Display(True, digits, places=len(digits)).svg("TKTEST00000001")
    ids = set(re.findall(r' id="([^"]+)"', text))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) == ids


@given(codes, serial_numbers)
def test_all_parts_are_inside_the_case(digits: str, serial_number: str) -> None:
    root = drawn(Display(True, digits, 6, True, len(digits)), serial_number)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    rects = [box(rect) for rect in root.findall(f"{SVG}rect")]
    case, lcd, *bars = rects
    assert 0 < case[0] < case[2] < width
    assert 0 < case[1] < case[3] < height
    assert all(case[i] < lcd[i] for i in (0, 1))
    assert all(case[i] > lcd[i] for i in (2, 3))
    for bar in bars:
        assert all(lcd[i] < bar[i] for i in (0, 1))
        assert all(lcd[i] > bar[i] for i in (2, 3))
    for group in root.findall(f"{SVG}g[@transform]"):
        found = re.match(r"translate\(([\d.]+) ([\d.]+)\)", group.get("transform", ""))
        assert found is not None
        x, y = float(found[1]), float(found[2])
        points = [corners(polygon) for polygon in group.findall(f"{SVG}polygon")]
        # the slant moves the foot by 64 · tan 5° < 6 to the left
        assert lcd[0] < x + min(min(xs) for xs, _ in points) - 6
        assert lcd[2] > x + max(max(xs) for xs, _ in points)
        assert lcd[1] < y + min(min(ys) for _, ys in points)
        assert lcd[3] > y + max(max(ys) for _, ys in points)
    text = root.find(f"{SVG}text")
    assert text is not None
    assert float(text.get("font-size", "")) * 0.62 * len(serial_number) < case[2] - case[0]


@given(st.lists(codes, min_size=2, max_size=2, unique=True))
def test_other_digits_are_another_picture(pair: list[str]) -> None:
    one, two = (Display(True, digits, places=len(digits)).svg() for digits in pair)
    assert one != two
    assert one == Display(True, pair[0], places=len(pair[0])).svg()


@given(serial_numbers, st.integers(6, 8))
def test_the_back_shows_the_serial_number_inside_its_label(serial_number: str, digits: int) -> None:
    seed = bytes(20)
    token = HardwareToken(
        TokenSpec(serial_number, seed, digits=digits),
        SimulatedClock(),
        Schedule(Constant(25.0)),
    )
    root = ElementTree.fromstring(token.back_svg())
    face = ElementTree.fromstring(token.display().svg())
    assert root.get("viewBox") == face.get("viewBox")
    texts = [(text.text, text) for text in root.findall(f"{SVG}text")]
    assert [text for text, _ in texts] == [
        "Serial number",
        serial_number,
        f"TOTP SHA1, {digits} digits, 30 s",
        "Made 1970-01-01",
        "Simulated token",
    ]
    left, _, right, _ = box(root.findall(f"{SVG}rect")[1])
    middle = float(texts[1][1].get("x", ""))
    half = 0.31 * float(texts[1][1].get("font-size", "")) * len(serial_number)
    assert left < middle - half < middle + half < right


def test_the_back_of_an_hotp_token_has_no_time_step() -> None:
    spec = TokenSpec("TKTEST00000001", bytes(20), TokenKind.HOTP, "SHA256", 8)
    token = HardwareToken(spec, SimulatedClock(), Schedule(Constant(25.0)))
    assert "HOTP SHA256, 8 digits</text>" in token.back_svg()
