"""What is written into a picture of a diagnosis stays inside it."""

import itertools

import pytest
from msgspec import structs

from tokenkit.drift.diagnosis import (
    Ahead,
    Change,
    Dated,
    Diagnosis,
    Estimate,
    Leaving,
    Placed,
    ServerFault,
    TokenDiagnosis,
    TrackPoint,
)

pytest.importorskip("matplotlib", reason="the report extra draws")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tokenkit.drift.plot import draw_server, draw_token
from tokenkit.report.picture import DAY_COLOURS, picture_style

START_S, DAY_S = 1_767_225_600.0, 86_400.0


def exactly(value: float) -> Estimate:
    return Estimate(value, 0.1, value - 0.2, value + 0.2)


def diagnosis(event_day: float, leaves_day: float) -> Diagnosis:
    """Seen from day 0 to 100, drawn to day 130."""
    event = Dated(*(START_S + DAY_S * (event_day + n) for n in (-0.1, 0.1, 0.0)))
    days = [START_S + DAY_S * n for n in (0.0, 100.0)]
    path = [Ahead(START_S + DAY_S * n, 0.0, 1.0, -40.0, 40.0) for n in (100.0, 130.0)]
    leaves_s = START_S + DAY_S * leaves_day
    token = TokenDiagnosis(
        serial_number="T1",
        period_s=30,
        rows=2,
        from_s=days[0],
        until_s=days[1],
        offset_s=exactly(0.0),
        rate_ppm=exactly(0.0),
        mean_rate_ppm=exactly(0.0),
        changes=[Change("step", event, exactly(-3 * 3600.0 - 1000.0), None, "battery", 9.0)],
        leaves_window=Leaving(
            *(leaves_s, leaves_s, leaves_s, 1e11, False, "±1", path),
            *(days[1], None, None, True),
        ),
        track=[TrackPoint(at_s, 0.0, 1.0, 0.0, 1.0) for at_s in days],
        placed=[Placed(2, at_s, round(at_s / 30), True, -20.0, 20.0) for at_s in days],
        unplaced=[],
        sentences=[],
    )
    fault = ServerFault(event, None, exactly(3 * 3600.0 + 1000.0), ["T1"])
    return Diagnosis([token], [fault], [], [])


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("event_day", "leaves_day"), [(0.0, 100.0), (100.0, 130.0), (50.0, 115.0)])
def test_no_label_is_cut_off(event_day: float, leaves_day: float, small: bool) -> None:
    found = diagnosis(event_day, leaves_day)
    with picture_style():
        figure = Figure(figsize=(5.4, 6.2) if small else (11, 7.4))
        canvas = FigureCanvasAgg(figure)
        left, wide = (0.13, 0.85) if small else (0.07, 0.92)
        upper, lower = (figure.add_axes((left, low, wide, 0.35)) for low in (0.57, 0.07))
        draw_token(upper, found.tokens[0], DAY_COLOURS, small)
        draw_server(lower, found, DAY_COLOURS, small)
        canvas.draw()
        renderer = canvas.get_renderer()
        texts = [*upper.texts, *lower.texts]
        assert len(texts) == 3
        for text in texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0.0, text.get_text()
            assert box.x1 <= figure.bbox.x1, text.get_text()


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("day", [1.0, 60.0, 98.0])
def test_labels_of_events_close_to_each_other_do_not_overlap(day: float, small: bool) -> None:
    token = diagnosis(day, day + 3.0).tokens[0]
    later = Dated(*(START_S + DAY_S * (day + n) for n in (3.9, 4.1, 4.0)))
    changes = [
        Change("step", token.changes[0].when, exactly(-361.0), None, "battery", 9.0),
        Change("step", later, exactly(359.0), None, "set", 9.0),
    ]
    with picture_style():
        figure = Figure(figsize=(5.4, 3.1) if small else (11, 4.2))
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.13, 0.13, 0.85, 0.75))
        draw_token(axes, structs.replace(token, changes=changes), DAY_COLOURS, small)
        canvas.draw()
        boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
        assert len(boxes) == 3
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
        assert all(figure.bbox.contains(box.x0, box.y0) for box in boxes)
        assert all(figure.bbox.contains(box.x1, box.y1) for box in boxes)
