"""The plot of one token: its clock error against the verifier's window, as inline SVG."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import matplotlib.dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tokenkit.report.svg import COLOURS, house_style, svg
from tokenkit.scenario.record import ACCEPTED, Attempted, DeviceRecord

Curve = list[tuple[float, float]]

_calendar: Any = matplotlib.dates  # has no types yet


def plot(device: DeviceRecord, end_s: float, small: bool, label: str, prefix: str) -> str:
    """An ``<svg>`` element; ``label`` is its text alternative, ``prefix`` makes its ids unique."""
    with house_style():
        figure = Figure(figsize=(5.4, 2.9) if small else (11, 4.6))
        axes = figure.add_axes((0.115, 0.14, 0.87, 0.74) if small else (0.065, 0.1, 0.925, 0.8))
        start_s = _start_s(device, end_s)
        axes.set_xlim(_date(start_s), _date(max(end_s, start_s + 1)))
        axes.set_ylim(_limits(device))
        _draw_window(axes, device, end_s)
        _draw_curve(axes, device.curve)
        _draw_attempts(axes, device, small)
        _draw_places(axes, device, end_s)
        _set_axes(axes, small)
        return svg(figure, label, prefix)


def leaves_picture(device: DeviceRecord) -> bool:
    """Whether the clock error is at some time too large to be shown beside all else."""
    low, high = _limits(device)
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


def _limits(device: DeviceRecord) -> tuple[float, float]:
    """The lowest and highest clock error to show: room for all windows and attempts, and more.

    Beside a clock that is years off all else would be one flat line: what is far from the windows
    is left out. A device that never was accepted has none, and is shown against true time.
    """
    reach = (device.window_steps + 1) * device.period_s
    near = [a.clock_error_s for a in device.attempts if a.outcome == ACCEPTED]
    for window in device.windows if not device.reaches else []:
        offset_s = window.offset_steps * device.period_s
        near += [offset_s - reach, offset_s + reach]
    for _, low_s, high_s in device.reaches:
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


def _draw_window(axes: Axes, device: DeviceRecord, end_s: float) -> None:
    """The verifier's window around each learned offset.

    A code is sure to pass while the error is within ``window_steps`` of the offset, in steps; up
    to one step beyond it depends on where in a time step each of the two clocks stands.
    """
    if device.reaches:
        _draw_reaches(axes, device)
        return
    if not device.windows:
        return
    dates, offsets = [], []
    for window in device.windows:
        dates.append(_date(window.from_s))
        offsets.append(float(window.offset_steps))
        if window.until_s is not None:  # a gap
            dates += [_date(window.until_s)] * 2
            offsets += [offsets[-1], math.nan]
    dates.append(_date(end_s))
    offsets.append(offsets[-1])
    for extra, colour, layer in ((1, "edge", 1.0), (0, "window", 1.1)):
        half = device.window_steps + extra
        axes.fill_between(
            dates,
            [(offset - half) * device.period_s for offset in offsets],
            [(offset + half) * device.period_s for offset in offsets],
            step="post",
            color=COLOURS[colour],
            linewidth=0,
            zorder=layer,
        )


def _draw_reaches(axes: Axes, device: DeviceRecord) -> None:
    """The window where it follows the token: it widens until the next code.

    There is none between a removal and the next enrolment.
    """
    gaps = [(w.until_s, math.nan, math.nan) for w in device.windows if w.until_s is not None]
    reaches = sorted([*device.reaches, *gaps], key=lambda each: each[0])
    dates = _dates([at_s for at_s, _, _ in reaches])
    for extra_s, colour, layer in ((device.period_s, "edge", 1.0), (0, "window", 1.1)):
        axes.fill_between(
            dates,
            [low_s - extra_s for _, low_s, _ in reaches],
            [high_s + extra_s for _, _, high_s in reaches],
            color=COLOURS[colour],
            linewidth=0,
            zorder=layer,
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
