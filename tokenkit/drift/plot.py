"""Pictures of a diagnosis: what the codes say of a clock, the track, its future."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import matplotlib.dates
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import BboxBase

from tokenkit.drift.diagnosis import Diagnosis, ServerFault, TokenDiagnosis
from tokenkit.drift.words import seconds

_calendar: Any = matplotlib.dates  # has no types yet
_UNITS = (("days", 86_400), ("h", 3600), ("min", 60))
_SIGMAS = 1.96
_ROW = 1.7  # from label to label that is below it, in heights of letters
_FEW = 60  # intervals that are drawn with width

Colours = Mapping[str, str]


def draw_token(axes: Axes, token: TokenDiagnosis, colours: Colours, small: bool = False) -> None:
    """Intervals of offsets by the codes, the track with its 95 % band, events, the prediction."""
    low, high = _limits(token)
    axes.set_ylim(low, high)
    _draw_ahead(axes, token, colours)
    _draw_track(axes, token, colours)
    _draw_codes(axes, token, colours)
    _draw_changes(axes, token, colours, small)
    axes.margins(x=0.02)
    _set_axes(axes, colours, "clock ahead of the server, {}", small)


def draw_server(axes: Axes, diagnosis: Diagnosis, colours: Colours, small: bool = False) -> None:
    """By what the codes of all tokens are off their tracks: a fault of the server shifts all."""
    times: list[float] = []
    off: list[float] = []
    for token in diagnosis.tokens:
        for placed in token.placed:
            shift = sum(
                fault.by_s.value
                for fault in diagnosis.server_faults
                if fault.end is not None and fault.begin.at_s <= placed.server_s < fault.end.at_s
            )
            times.append(placed.server_s)
            off.append(
                (placed.low_s + placed.high_s) / 2.0 - offset_at(token, placed.server_s) - shift
            )
    for fault in diagnosis.server_faults:
        _draw_fault(axes, fault, colours, max(times, default=0.0))
    axes.plot(_dates(times), off, "o", markersize=3, color=colours["curve"], alpha=0.6, zorder=3)
    axes.margins(x=0.02)
    _set_axes(axes, colours, "tokens off their tracks, {}", small)


def offset_at(token: TokenDiagnosis, at_s: float) -> float:
    """Along the track; at a step, after it."""
    track = token.track
    later = next((n for n, point in enumerate(track) if point.at_s > at_s), len(track))
    before = track[max(later - 1, 0)]
    return before.offset_s + before.rate_ppm * 1e-6 * (at_s - before.at_s)


def _draw_fault(axes: Axes, fault: ServerFault, colours: Colours, last_s: float) -> None:
    end_s = last_s if fault.end is None else fault.end.at_s
    axes.axvspan(_date(fault.begin.at_s), _date(end_s), color=colours["place-b"], zorder=0)
    sign = "+" if fault.by_s.value > 0 else "−"
    axes.annotate(
        f"server {sign}{seconds(abs(fault.by_s.value))}",
        (_date(fault.begin.at_s), 1),
        (3, 5),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        color=colours["bad"],
        fontsize=10,
        annotation_clip=False,
    )


def _limits(token: TokenDiagnosis) -> tuple[float, float]:
    values = [each for placed in token.placed for each in (placed.low_s, placed.high_s)]
    if (leaves := token.leaves_window) is not None:
        values += [each for ahead in leaves.path for each in (ahead.low_s, ahead.high_s)]
        values.append(leaves.path[-1].offset_s)
    low, high = min(values, default=-1.0), max(values, default=1.0)
    margin = max(0.08 * (high - low), 5.0)
    return low - margin, high + margin


def _draw_ahead(axes: Axes, token: TokenDiagnosis, colours: Colours) -> None:
    leaves = token.leaves_window
    if leaves is None:
        return
    dates = _dates([ahead.at_s for ahead in leaves.path])
    axes.fill_between(
        dates,
        [ahead.low_s for ahead in leaves.path],
        [ahead.high_s for ahead in leaves.path],
        color=colours["window"],
        linewidth=0,
        zorder=0.5,
    )
    path = [ahead for ahead in leaves.path if token.until_s is None or ahead.at_s >= token.until_s]
    dates = _dates([ahead.at_s for ahead in path])
    offsets = [ahead.offset_s for ahead in path]
    reach = [_SIGMAS * ahead.offset_deviation_s for ahead in path]
    _band(axes, dates, offsets, reach, colours["curve"])
    axes.plot(
        dates, offsets, color=colours["curve"], linewidth=1.4, linestyle=(0, (4, 3)), zorder=3
    )
    if leaves.at_s is not None and leaves.at_s <= leaves.path[-1].at_s:
        axes.axvline(_date(leaves.at_s), color=colours["bad"], linewidth=1.2, zorder=2)
        axes.annotate(
            "left the window" if leaves.outside else "leaves the window",
            (_date(leaves.at_s), 1),
            (3, 5),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="right",
            color=colours["bad"],
            fontsize=10,
            annotation_clip=False,
        )


def _draw_track(axes: Axes, token: TokenDiagnosis, colours: Colours) -> None:
    dates = _dates([point.at_s for point in token.track])
    offsets = [point.offset_s for point in token.track]
    reach = [_SIGMAS * point.offset_deviation_s for point in token.track]
    _band(axes, dates, offsets, reach, colours["curve"])
    axes.plot(dates, offsets, color=colours["curve"], linewidth=1.6, zorder=3)


def _band(
    axes: Axes,
    dates: Sequence[float],
    offsets: Sequence[float],
    reach: Sequence[float],
    colour: str,
) -> None:
    axes.fill_between(
        dates,
        [offset - each for offset, each in zip(offsets, reach, strict=True)],
        [offset + each for offset, each in zip(offsets, reach, strict=True)],
        color=colour,
        alpha=0.22,
        linewidth=0,
        zorder=1.5,
    )


def _draw_codes(axes: Axes, token: TokenDiagnosis, colours: Colours) -> None:
    few = len(token.placed) <= _FEW
    for accepted, colour in ((True, "ok"), (None, "ok"), (False, "bad")):
        rows = [placed for placed in token.placed if placed.accepted is accepted]
        axes.vlines(
            _dates([row.server_s for row in rows]),
            [row.low_s for row in rows],
            [row.high_s for row in rows],
            color=colours[colour],
            linewidth=3.0 if few else 1.0,
            alpha=0.75,
            zorder=2.5,
        )
    low, high = axes.get_ylim()
    strays = [
        row for row in token.unplaced if row.reason == "off track" and row.counter is not None
    ]
    axes.plot(
        _dates([row.server_s for row in strays]),
        [
            min(max(row.counter * token.period_s - row.server_s, low), high)
            for row in strays
            if row.counter is not None
        ],
        "X",
        color=colours["bad"],
        markersize=8,
        clip_on=False,
        zorder=4,
    )


def _draw_changes(axes: Axes, token: TokenDiagnosis, colours: Colours, small: bool) -> None:
    for change in token.changes:
        begin, end = _date(change.when.after_s), _date(change.when.before_s)
        axes.axvspan(begin, end, color=colours["place-b"], linewidth=0, zorder=0.2)
        axes.axvline(_date(change.when.at_s), color=colours["sync"], linewidth=1.0, zorder=1)
        if change.by_s is not None:
            size = seconds(abs(change.by_s.value))
            text = ("+" if change.by_s.value > 0 else "−") + size
        else:
            assert change.by_ppm is not None
            text = f"{change.by_ppm.value:+.1f} ppm".replace("-", "−")
        axes.annotate(
            text,
            (_date(change.when.at_s), 1),
            (0, 5),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            color=colours["sync"],
            fontsize=9 if small else 10,
            annotation_clip=False,
        )


def _set_axes(axes: Axes, colours: Colours, label: str, small: bool) -> None:
    low, high = axes.get_ylim()
    name, unit = next((each for each in _UNITS if high - low > 5 * each[1]), ("s", 1))
    ticks = MaxNLocator(4 if small else 6, steps=[1, 1.5, 2, 3, 5, 6, 10]).tick_values(
        low / unit, high / unit
    )
    axes.set_yticks([tick * unit for tick in ticks if low <= tick * unit <= high])
    axes.set_ylim(low, high)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value / unit)))
    axes.set_ylabel(label.format(name))
    axes.axhline(0, color=colours["muted"], linewidth=0.8, zorder=1)
    axes.grid(axis="y", color=colours["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=6)
    dates = _calendar.AutoDateLocator(tz=UTC, minticks=3, maxticks=7 if small else 9)
    axes.xaxis.set_major_locator(dates)
    axes.xaxis.set_major_formatter(_calendar.ConciseDateFormatter(dates, tz=UTC))
    _keep_inside(axes)
    _stagger(axes)


def _keep_inside(axes: Axes) -> None:
    """Turn labels towards the middle that would reach over an end of the axis."""
    first, last = axes.get_xlim()
    for text in axes.texts:
        share = (text.xy[0] - first) / (last - first) if isinstance(text, Annotation) else 0.5
        room = 0.1 if text.get_horizontalalignment() == "center" else 0.3
        if share > 1.0 - room:
            text.set_horizontalalignment("right")
        elif share < room:
            text.set_horizontalalignment("left")


def _stagger(axes: Axes) -> None:
    """Lower labels, from left to right, that would cover one before."""
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    placed: list[BboxBase] = []
    for text in sorted(labels, key=lambda text: float(text.xy[0])):
        while any(text.get_window_extent().overlaps(box) for box in placed):
            right, up = text.get_position()
            text.set_position((right, up - _ROW * float(text.get_fontsize())))
        placed.append(text.get_window_extent())


def _signed(value: float) -> str:
    text = f"{value:+.1f}".removesuffix(".0")
    return "0" if float(text) == 0 else text.replace("-", "−")


_FIRST_S, _LAST_S = -62_135_596_800.0, 253_402_300_000.0  # that dates can say


def _date(at_s: float) -> float:
    at_s = min(max(at_s, _FIRST_S + 86_400.0), _LAST_S) if math.isfinite(at_s) else 0.0
    return float(_calendar.date2num(datetime.fromtimestamp(at_s, UTC)))


def _dates(times_s: Sequence[float]) -> list[float]:
    return [_date(at_s) for at_s in times_s]
