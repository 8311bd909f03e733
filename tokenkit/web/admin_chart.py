"""A chart of what the verifier learned of one clock, as SVG that the page's style sheet colours.

Drawn here and not by a plotting library: what those write needs inline styles, which the console's
content security policy forbids. Pure functions of what is to be shown.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

Point = tuple[float, float]


@dataclass(frozen=True)
class Sighting:
    """An accepted code, or two: at ``at_s`` the device's clock was ahead by ``offset_s``."""

    at_s: float
    offset_s: float
    proof: bool = False  # by two consecutive codes: enabled or resynchronised


@dataclass(frozen=True)
class Window:
    """Clock errors with which a code is accepted, at its beginning and at its end, in seconds."""

    from_s: float
    until_s: float
    from_range_s: tuple[float, float]
    until_range_s: tuple[float, float]


@dataclass(frozen=True)
class Drift:
    """What there is to show of one device until ``now_s``; all times by the verifier's clock.

    true_errors: what its clock error really was, known of a simulated token alone.
    """

    now_s: float
    sightings: tuple[Sighting, ...] = ()
    windows: tuple[Window, ...] = ()
    true_errors: tuple[Point, ...] = ()


_WIDTH, _HEIGHT = 760.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 36.0, 40.0, 46.0
# beside a true error far from all windows these would be one flat line: it leaves the picture
_FAR = 4.0
_LEAST_HEIGHT_S = 4.0
_LEAST_WIDTH_S = 60.0


class _Scale:
    """From times and clock errors to places in the picture."""

    def __init__(self, drift: Drift) -> None:
        starts = [each.at_s for each in drift.sightings] + [w.from_s for w in drift.windows]
        starts += [at_s for at_s, _ in drift.true_errors]
        first = min(starts, default=drift.now_s)
        width_s = max(drift.now_s - first, _LEAST_WIDTH_S)
        self.from_s, self.until_s = drift.now_s - width_s, drift.now_s + 0.02 * width_s
        self.low, self.high = _limits(drift)

    def x(self, at_s: float) -> float:
        room = _WIDTH - _LEFT - _RIGHT
        return _LEFT + (at_s - self.from_s) / (self.until_s - self.from_s) * room

    def y(self, error_s: float) -> float:
        room = _HEIGHT - _TOP - _BOTTOM
        return _TOP + (self.high - error_s) / (self.high - self.low) * room

    def path(self, points: Sequence[Point]) -> str:
        """Straight lines from point to point; far outside the picture they end at its edge."""
        height = self.high - self.low
        low, high = self.low - height, self.high + height
        places = ((self.x(at_s), self.y(_clamp(error_s, low, high))) for at_s, error_s in points)
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _limits(drift: Drift) -> tuple[float, float]:
    near = [0.0] + [each.offset_s for each in drift.sightings]
    for window in drift.windows:
        near += [*window.from_range_s, *window.until_range_s]
    low, high = min(near), max(near)
    far = _FAR * max(high - low, _LEAST_HEIGHT_S)
    errors = [error_s for _, error_s in drift.true_errors]
    low = min(low, max(min(errors, default=low), low - far))
    high = max(high, min(max(errors, default=high), high + far))
    margin = max(0.08 * (high - low), _LEAST_HEIGHT_S / 2)
    return low - margin, high + margin


def drift_svg(drift: Drift, name: str, prefix: str) -> str:
    """An ``<svg>`` element; ``prefix`` makes its ids unique on a page, ``name`` is the device's."""
    scale = _Scale(drift)
    parts = [
        f'<svg class="drift" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img"'
        f' aria-labelledby="{prefix}-title {prefix}-words">',
        f'<title id="{prefix}-title">{escape(f"Clock error of {name}")}</title>',
        f'<desc id="{prefix}-words">{escape(drift_in_words(drift))}</desc>',
        f'<clipPath id="{prefix}-clip"><rect x="{_LEFT:g}" y="{_TOP:g}"'
        f' width="{_WIDTH - _LEFT - _RIGHT:g}" height="{_HEIGHT - _TOP - _BOTTOM:g}"/></clipPath>',
        *_time_axis(scale),
        *_error_axis(scale),
        f'<g clip-path="url(#{prefix}-clip)">',
        *(_window(scale, window) for window in drift.windows),
    ]
    if drift.true_errors:
        parts.append(f'<polyline class="true" points="{scale.path(drift.true_errors)}"/>')
    parts += ["</g>", *(_mark(scale, each) for each in drift.sightings), *_legend(drift), "</svg>"]
    return "\n".join(parts)


def _window(scale: _Scale, window: Window) -> str:
    (low1, high1), (low2, high2) = window.from_range_s, window.until_range_s
    corners = [
        (window.from_s, low1),
        (window.from_s, high1),
        (window.until_s, high2),
        (window.until_s, low2),
    ]
    return f'<polygon class="window" points="{scale.path(corners)}"/>'


def _mark(scale: _Scale, sighting: Sighting) -> str:
    x, y = scale.x(sighting.at_s), scale.y(sighting.offset_s)
    what = "two codes" if sighting.proof else "sign-in"
    title = f"{date_text(sighting.at_s)}, {what}: {error_text(sighting.offset_s)}"
    return _shape(x, y, sighting.proof, title)


def _shape(x: float, y: float, proof: bool, title: str = "") -> str:
    """A diamond for two codes, a dot for one: they differ by more than their colour."""
    if proof:
        shape = f'path class="proof" d="M{x:.1f} {y - 6:.1f}l6 6-6 6-6-6z"'
    else:
        shape = f'circle class="sighting" cx="{x:.1f}" cy="{y:.1f}" r="3.5"'
    return f"<{shape}><title>{title}</title></{shape.split()[0]}>" if title else f"<{shape}/>"


def _legend(drift: Drift) -> Iterator[str]:
    x, y = _LEFT, 18.0
    entries = [
        (any(not each.proof for each in drift.sightings), "learned at sign-in"),
        (any(each.proof for each in drift.sightings), "learned from two codes"),
        (bool(drift.windows), "codes accepted"),
        (bool(drift.true_errors), "true clock error"),
    ]
    samples = [
        _shape(x + 6, y, False),
        _shape(x + 6, y, True),
        f'<rect class="window" x="{x - 2:g}" y="{y - 6:g}" width="16" height="12"/>',
        f'<path class="true" d="M{x - 3:g} {y:g}h18"/>',
    ]
    shift = 0.0
    for (shown, words), sample in zip(entries, samples, strict=True):
        if shown:
            yield f'<g transform="translate({shift:g} 0)">{sample}'
            yield f'<text class="label" x="{x + 20:g}" y="{y + 4:g}">{words}</text></g>'
            shift += 40 + 6.6 * len(words)


def _time_axis(scale: _Scale) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for at_s, label in time_ticks(scale.from_s, scale.until_s):
        x = scale.x(at_s)
        yield f'<path class="grid" d="M{x:.1f} {_TOP:g}V{bottom + 4:g}"/>'
        yield _text("label", x, bottom + 18, "middle", label)
    yield _text("axis", (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "middle", "time, UTC")


def _text(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _error_axis(scale: _Scale) -> Iterator[str]:
    unit, unit_s = _unit(max(abs(scale.low), abs(scale.high)))
    for error_s in error_ticks(scale.low, scale.high):
        y = scale.y(error_s)
        name = "zero" if error_s == 0 else "grid"
        yield f'<path class="{name}" d="M{_LEFT:g} {y:.1f}H{_WIDTH - _RIGHT:g}"/>'
        yield _text("label", _LEFT - 8, y + 4, "end", _signed(error_s / unit_s))
    x, y = 14, (_TOP + _HEIGHT - _BOTTOM) / 2
    yield (
        f'<text class="axis" transform="translate({x} {y:g}) rotate(-90)" text-anchor="middle">'
        f"clock error, {unit}</text>"
    )


_UNITS = (("days", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
_MOST_TICKS = 6
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_HOURS_S = (3600, 7200, 10_800, 21_600, 43_200)


def _unit(largest_s: float) -> tuple[str, float]:
    """The largest unit of which there are two and more."""
    return next((each for each in _UNITS if largest_s >= 2 * each[1]), _UNITS[-1])


def error_ticks(low_s: float, high_s: float) -> list[float]:
    """At most six or so round clock errors within the limits, in seconds."""
    days = (86_400.0 * factor * 10**power for power in range(9) for factor in (1, 2, 5))
    steps = (*_STEPS_S, *_HOURS_S, *days)
    step = next((each for each in steps if (high_s - low_s) / each <= _MOST_TICKS), steps[-1])
    return _multiples(step, low_s, high_s)


def _multiples(step: float, low: float, high: float) -> list[float]:
    """Those of ``step`` within the limits, whichever way a division by it is rounded."""
    numbers = range(math.floor(low / step), math.ceil(high / step) + 1)
    return [float(n * step) for n in numbers if low <= n * step <= high]


def time_ticks(from_s: float, until_s: float) -> list[tuple[float, str]]:
    """Round times within the limits, each with its label, UTC."""
    length_s = until_s - from_s
    steps_s = (*_STEPS_S, *_HOURS_S, *(86_400 * days for days in (1, 2, 7, 14)))
    step_s = next((each for each in steps_s if length_s / each <= _MOST_TICKS), None)
    if step_s is not None:
        times = _multiples(step_s, from_s, until_s)
        return [(at_s, _label(utc(at_s), step_s, length_s)) for at_s in times]
    months = next(
        (m for m in (1, 2, 3, 6) if length_s / (30.4 * 86_400 * m) <= _MOST_TICKS),
        12 * math.ceil(length_s / (365.2 * 86_400 * _MOST_TICKS)),
    )
    return list(_month_ticks(from_s, until_s, months))


def _label(at: datetime, step_s: float, length_s: float) -> str:
    if step_s < 60:
        return f"{at:%H:%M:%S}"
    if length_s < 86_400:
        return f"{at:%H:%M}"
    day = f"{at.day} {at:%b}"
    return day if step_s >= 86_400 else f"{day} {at:%H:%M}"


def _month_ticks(from_s: float, until_s: float, months: int) -> Iterator[tuple[float, str]]:
    number = utc(from_s).year * 12 // months * months
    while number < 9999 * 12:
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if at.timestamp() > until_s:
            return
        if at.timestamp() >= from_s:
            yield at.timestamp(), at.strftime("%Y" if months % 12 == 0 else "%b %Y")
        number += months


def drift_in_words(drift: Drift) -> str:
    """What the chart shows, for those who cannot see it."""
    if not drift.sightings:
        return "No code of this device was accepted yet."
    first, last = drift.sightings[0], drift.sightings[-1]
    proofs = sum(each.proof for each in drift.sightings)
    one = len(drift.sightings) - proofs
    sentences = [
        f"From {date_text(first.at_s)} to {date_text(drift.now_s)}: learned"
        f" {_count(one, 'time')} at sign-in and {_count(proofs, 'time')} from two codes.",
        f"The clock was {error_text(first.offset_s)} at first and {error_text(last.offset_s)} when"
        f" last seen, on {date_text(last.at_s)}.",
    ]
    if drift.windows:
        low, high = drift.windows[-1].until_range_s
        sentences.append(f"Codes are accepted now from {error_text(low)} to {error_text(high)}.")
    if drift.true_errors:
        sentences.append(f"In truth it is {error_text(drift.true_errors[-1][1])}.")
    return " ".join(sentences)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def error_text(error_s: float) -> str:
    """A clock error as a person says it, such as ``5 min 2 s behind``."""
    if abs(error_s) < 0.05:
        return "on time"
    return f"{_length_text(abs(error_s))} {'ahead' if error_s > 0 else 'behind'}"


def _length_text(seconds: float) -> str:
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    left, parts = round(seconds), []
    for unit, unit_s in _UNITS:
        number, left = divmod(left, round(unit_s))
        if number:
            parts.append(_count(number, "day") if unit == "days" else f"{number} {unit}")
    return " ".join(parts[:2])


def date_text(at_s: float) -> str:
    return utc(at_s).strftime("%Y-%m-%d %H:%M")


def _signed(number: float) -> str:
    return f"{number:+g}".replace("-", "−") if number else "0"


def utc(at_s: float) -> datetime:
    """Also far from today, where ``fromtimestamp`` fails on some systems."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)
