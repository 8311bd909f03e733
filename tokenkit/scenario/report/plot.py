"""The plot of one token: its clock error against the verifier's window, as inline SVG."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import matplotlib.dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tokenkit.report.svg import COLOURS, house_style, svg
from tokenkit.scenario.record import ACCEPTED, Attempted, DeviceRecord

Curve = list[tuple[float, float]]
Reach = tuple[float, float, float]

_calendar: Any = matplotlib.dates  # has no types yet


def plot(
    device: DeviceRecord, server: Curve, end_s: float, small: bool, label: str, prefix: str
) -> str:
    """An ``<svg>`` element; ``label`` is its text alternative, ``prefix`` makes its ids unique.

    ``server`` is how far the server's clock was off, around which the verifier looks for codes.
    """
    with house_style():
        figure = Figure(figsize=(5.4, 2.9) if small else (11, 4.6))
        axes = figure.add_axes((0.115, 0.14, 0.87, 0.74) if small else (0.065, 0.1, 0.925, 0.8))
        start_s = _start_s(device, end_s)
        axes.set_xlim(_date(start_s), _date(max(end_s, start_s + 1)))
        axes.set_ylim(_limits(device, server, end_s))
        _draw_window(axes, device, server, end_s)
        _draw_server(axes, server)
        _draw_curve(axes, device.curve)
        _draw_attempts(axes, device, small)
        _draw_places(axes, device, end_s)
        _set_axes(axes, small)
        return svg(figure, label, prefix)


def leaves_picture(device: DeviceRecord, server: Curve, end_s: float) -> bool:
    """Whether the clock error is at some time too large to be shown beside all else."""
    low, high = _limits(device, server, end_s)
    return any(not low <= error_s <= high for _, error_s in device.curve)


_UNITS = (("days", 86_400), ("h", 3600), ("min", 60))
_MOST_NAMED = 8
_MOST_LARGE = 40
# a clock error is shown up to that many times the height of all windows away from them
_FAR = 6


def _date(true_s: float) -> float:
    return float(_calendar.date2num(datetime.fromtimestamp(true_s, UTC)))


def _dates(times_s: Sequence[float]) -> list[float]:
    return [_date(true_s) for true_s in times_s]


def _start_s(device: DeviceRecord, end_s: float) -> float:
    """When the device was first heard of."""
    times_s = [stay.from_s for stay in device.stays[:1]]
    times_s += [at_s for at_s, _ in device.curve[:1]]
    times_s += [attempt.at_s for attempt in device.attempts[:1]]
    return min(times_s, default=end_s)


def _limits(device: DeviceRecord, server: Curve, end_s: float) -> tuple[float, float]:
    """The lowest and highest clock error to show: room for all windows and attempts, and more.

    Beside a clock that is years off all else would be one flat line: what is far from the windows
    is left out. A device that never was accepted has none, and is shown against true time.
    """
    near = [a.clock_error_s for a in device.attempts if a.outcome == ACCEPTED]
    for _, low_s, high_s in _window(device, server, end_s):
        if math.isfinite(low_s):
            near += [low_s - device.period_s, high_s + device.period_s]
    errors = [a.clock_error_s for a in device.attempts] + [error_s for _, error_s in device.curve]
    low, high = min(near + errors, default=0.0), max(near + errors, default=0.0)
    if near:
        far = _FAR * (max(near) - min(near))
        low, high = max(low, min(near) - far), min(high, max(near) + far)
    else:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = max(0.1 * (high - low), 1.0)
    return low - margin, high + margin


def _inside(axes: Axes, error_s: float) -> float:
    """``error_s``, or the edge of the picture beyond which it lies."""
    low, high = axes.get_ylim()
    return min(max(error_s, low), high)


def _draw_window(axes: Axes, device: DeviceRecord, server: Curve, end_s: float) -> None:
    """Where the verifier looks for codes.

    A code is sure to pass while the error is within; up to one step beyond it depends on where in
    a time step each of the two clocks stands.
    """
    window = _window(device, server, end_s)
    if not window:
        return
    dates = _dates([at_s for at_s, _, _ in window])
    for extra_s, colour, layer in ((device.period_s, "edge", 1.0), (0, "window", 1.1)):
        axes.fill_between(
            dates,
            [low_s - extra_s for _, low_s, _ in window],
            [high_s + extra_s for _, _, high_s in window],
            color=COLOURS[colour],
            linewidth=0,
            zorder=layer,
        )


def _window(device: DeviceRecord, server: Curve, end_s: float) -> list[Reach]:
    """Between which clock errors a code is sure to pass; nan where none does.

    The verifier looks around server time, so its error moves the window.
    """
    reaches = _reaches(device, end_s)
    found = []
    for (from_s, *before), (until_s, *after) in pairwise(reaches):
        for at_s, error_s in _along(server, from_s, until_s):
            part = (at_s - from_s) / (until_s - from_s) if until_s > from_s else 0.0
            low_s, high_s = (a + part * (b - a) for a, b in zip(before, after, strict=True))
            found.append((at_s, low_s + error_s, high_s + error_s))
    return found


def _reaches(device: DeviceRecord, end_s: float) -> list[Reach]:
    """The same from server time: around each learned offset, or where it follows the token.

    Then it widens until the next code. There is none between a removal and the next enrolment.
    """
    if device.reaches:
        gaps = [(w.until_s, math.nan, math.nan) for w in device.windows if w.until_s is not None]
        return sorted([*device.reaches, *gaps], key=lambda each: each[0])
    if not device.windows:
        return []
    found = []
    ends_s = [window.from_s for window in device.windows[1:]] + [end_s]
    for window, next_s in zip(device.windows, ends_s, strict=True):
        first, last = (window.offset_steps + n * device.window_steps for n in (-1, 1))
        reach_s = float(first * device.period_s), float(last * device.period_s)
        until_s = next_s if window.until_s is None else window.until_s
        found += [(window.from_s, *reach_s), (until_s, *reach_s)]
        if window.until_s is not None:
            found += [(until_s, math.nan, math.nan), (next_s, math.nan, math.nan)]
    return found


def _along(curve: Curve, from_s: float, until_s: float) -> Curve:
    """``curve`` from one time to another, jumps with both their sides; 0 if there is none."""
    if not curve:
        return [(from_s, 0.0), (until_s, 0.0)]
    times_s = [at_s for at_s, _ in curve]
    first, last = bisect_right(times_s, from_s), bisect_left(times_s, until_s)
    start, end = (from_s, _between(curve, first, from_s)), (until_s, _between(curve, last, until_s))
    return [start, *curve[first:last], end]


def _between(curve: Curve, index: int, at_s: float) -> float:
    """The value at ``at_s``, between the point before ``index`` and the one there."""
    (from_s, from_value), (until_s, value) = (
        curve[max(index - 1, 0)],
        curve[min(index, len(curve) - 1)],
    )
    if until_s <= from_s:
        return value
    return from_value + (at_s - from_s) / (until_s - from_s) * (value - from_value)


def _draw_server(axes: Axes, server: Curve) -> None:
    """Beyond the picture it is left out: the window goes with it."""
    axes.plot(
        _dates([at_s for at_s, _ in server]),
        [error_s for _, error_s in server],
        color=COLOURS["server"],
        linewidth=1.4,
        linestyle=(0, (5, 2)),
        zorder=2.8,
    )


def _draw_curve(axes: Axes, curve: Curve) -> None:
    """With an arrow wherever it leaves the picture."""
    dates = _dates([at_s for at_s, _ in curve])
    errors_s = [error_s for _, error_s in curve]
    axes.plot(dates, errors_s, color=COLOURS["curve"], linewidth=1.8, zorder=3)
    before_s = 0.0
    for date, error_s in zip(dates, errors_s, strict=True):
        beyond_s = error_s - _inside(axes, error_s)
        if beyond_s and not before_s:
            axes.plot(
                [date],
                [_inside(axes, error_s)],
                marker="^" if beyond_s > 0 else "v",
                markersize=9,
                color=COLOURS["curve"],
                clip_on=False,
                zorder=5,
            )
        before_s = beyond_s


def _draw_attempts(axes: Axes, device: DeviceRecord, small: bool) -> None:
    attempts, curve = device.attempts, device.curve
    accepted = [a for a in attempts if a.outcome == ACCEPTED and a.act != "resync"]
    rejected = [a for a in attempts if a.outcome != ACCEPTED]
    scale = 0.85 if small else 1
    for chosen, marker, colour, size in (
        (accepted, "o", "ok", 6.5),
        (rejected, "X", "bad", 9.5),
    ):
        # rims tell few apart, and would paint over many
        few = len(chosen) < _MOST_LARGE
        axes.plot(
            _dates([a.at_s for a in chosen]),
            [_inside(axes, a.clock_error_s) for a in chosen],
            linestyle="none",
            marker=marker,
            markersize=size * scale * (1 if few else 0.4),
            color=COLOURS[colour],
            markeredgecolor=COLOURS["paper"] if few else "none",
            markeredgewidth=1 if few else 0,
            zorder=4,
            clip_on=False,
        )
    for attempt in attempts:
        if attempt.act == "resync" and attempt.outcome == ACCEPTED:
            _draw_resync(axes, _date(attempt.at_s), scale)
    _name_events(axes, curve, [a for a in attempts if a.outcome != ACCEPTED or a.act == "resync"])


def _draw_resync(axes: Axes, date: float, scale: float) -> None:
    """A line with a diamond on top: at the curve it would hide what happens at the same time."""
    axes.axvline(date, color=COLOURS["sync"], linewidth=1.2, linestyle=(0, (4, 3)), zorder=2.5)
    axes.plot(
        [date],
        [1],
        transform=axes.get_xaxis_transform(),
        marker="D",
        markersize=7.5 * scale,
        color=COLOURS["sync"],
        clip_on=False,
        zorder=5,
    )


def _text_below(axes: Axes, curve: Curve, error_s: float) -> bool:
    """Whether text stands clear of the edge, and below a curve that comes from above."""
    shown_s = _inside(axes, error_s)
    if shown_s != error_s:
        return error_s > shown_s
    return bool(curve) and curve[0][1] > error_s


def _name_events(axes: Axes, curve: Curve, events: list[Attempted]) -> None:
    """Write beside the marks what happened, in one text where they would overlap."""
    if len(events) > _MOST_NAMED:
        return
    left, right = axes.get_xlim()
    groups: list[list[Attempted]] = []
    for event in events:
        if groups and _date(event.at_s) - _date(groups[-1][0].at_s) < 0.12 * (right - left):
            groups[-1].append(event)
        else:
            groups.append([event])
    for group in groups:
        names = dict.fromkeys("resync" if a.outcome == ACCEPTED else a.outcome for a in group)
        first = _date(group[0].at_s)
        on_left = first > (left + right) / 2
        below = _text_below(axes, curve, group[0].clock_error_s)
        axes.annotate(
            ", ".join(names),
            (first, _inside(axes, group[0].clock_error_s)),
            (-9 if on_left else 9, -5 if below else 5),
            textcoords="offset points",
            ha="right" if on_left else "left",
            va="top" if below else "bottom",
            fontsize=10,
            color=COLOURS["ink"],
            zorder=6,
        )


def _draw_places(axes: Axes, device: DeviceRecord, end_s: float) -> None:
    ends_s = [stay.from_s for stay in device.stays[1:]] + [end_s]
    first, last = axes.get_xlim()
    for number, (stay, until_s) in enumerate(zip(device.stays, ends_s, strict=False)):
        left, right = _date(stay.from_s), _date(until_s)
        shade = COLOURS["place-b" if number % 2 else "place-a"]
        axes.axvspan(left, right, color=shade, linewidth=0, zorder=0)
        if (right - left) / (last - first) > 0.015 * len(stay.place):
            axes.annotate(
                stay.place,
                ((left + right) / 2, 1),
                (0, 6),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=COLOURS["muted"],
                annotation_clip=False,
            )


def _set_axes(axes: Axes, small: bool) -> None:
    low, high = axes.get_ylim()
    fits = (each for each in _UNITS if high - low > 5 * each[1])
    name, unit = next(fits, ("s", 1))
    ticks = MaxNLocator(4 if small else 6, steps=[1, 1.5, 2, 3, 5, 6, 10]).tick_values(
        low / unit, high / unit
    )
    axes.set_yticks([tick * unit for tick in ticks if low <= tick * unit <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value / unit)))
    axes.set_ylabel(f"clock error, {name}")
    axes.axhline(0, color=COLOURS["muted"], linewidth=0.8, zorder=2)
    axes.grid(axis="y", color=COLOURS["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=6)
    dates = _calendar.AutoDateLocator(tz=UTC, minticks=3, maxticks=7 if small else 9)
    axes.xaxis.set_major_locator(dates)
    axes.xaxis.set_major_formatter(_calendar.ConciseDateFormatter(dates, tz=UTC))


def _signed(value: float) -> str:
    text = f"{value:+.1f}".removesuffix(".0")
    return "0" if float(text) == 0 else text.replace("-", "−")
