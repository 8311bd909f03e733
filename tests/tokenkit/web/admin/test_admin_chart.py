"""The chart of a token's drift: well-formed, inside its frame, and said in words as well."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.web.admin_chart import (
    Drift,
    Sighting,
    Window,
    drift_in_words,
    drift_svg,
    error_text,
    error_ticks,
    time_ticks,
)

START_S = 1_767_225_600.0  # 2026-01-01
DAY_S = 86_400.0
SVG = "{http://www.w3.org/2000/svg}"


def parse(text: str) -> ElementTree.Element:
    """As HTML has it: without a namespace."""
    return ElementTree.fromstring(text)


def example() -> Drift:
    sightings = (
        Sighting(START_S, 0.0, True),
        Sighting(START_S + 30 * DAY_S, 5.0),
        Sighting(START_S + 60 * DAY_S, 9.0),
    )
    windows = tuple(
        Window(
            each.at_s,
            each.at_s + 30 * DAY_S,
            (each.offset_s - 30, each.offset_s + 30),
            (each.offset_s - 31, each.offset_s + 31),
        )
        for each in sightings
    )
    return Drift(START_S + 90 * DAY_S, sightings, windows, ((START_S, 0.1), (START_S + 9e6, 14.0)))


class TestPicture:
    def test_each_thing_is_in_it_once(self) -> None:
        root = parse(drift_svg(example(), "<token>", "t"))
        drawn = [each for each in root.iter() if each.get("class") == "window"]
        assert len(drawn) == 3 + 1  # and the legend's
        assert len([each for each in root.iter("circle") if each.find("title") is not None]) == 2
        [proof] = [each for each in root.iter("path") if each.find("title") is not None]
        assert proof.findtext("title") == "2026-01-01 00:00, two codes: on time"
        assert root.findtext("title") == "Clock error of <token>"

    def test_axes_have_units(self) -> None:
        root = parse(drift_svg(example(), "token", "t"))
        assert [each.text for each in root.iter("text") if each.get("class") == "axis"] == [
            "time, UTC",
            "clock error, s",
        ]
        labels = [each.text for each in root.iter("text") if each.get("class") == "label"]
        assert {"Feb 2026", "Mar 2026", "0", "+15", "−15", "codes accepted"} <= set(labels)

    def test_nothing_inline_that_a_content_security_policy_forbids(self) -> None:
        svg = drift_svg(example(), "token", "t")
        assert not re.search(r"style|script|\son\w+=|href", svg)

    def test_ids_are_unique_by_prefix(self) -> None:
        def ids(prefix: str) -> set[str]:
            return set(re.findall(r' id="([^"]+)"', drift_svg(example(), "token", prefix)))

        assert ids("a").isdisjoint(ids("b"))

    def test_a_true_error_far_away_leaves_the_picture(self) -> None:
        """A flat line otherwise is all there is to see of the windows."""
        near = drift_svg(example(), "token", "t")
        drift = example()
        far = Drift(drift.now_s, drift.sightings, drift.windows, ((START_S, 1e9),))
        [height] = (
            float(re.findall(r'class="window" points="[\d.]+,([\d.]+) ', text)[0])
            - float(re.findall(r'class="window" points="[\d.]+,[\d.]+ [\d.]+,([\d.]+)', text)[0])
            for text in [drift_svg(far, "token", "t")]
        )
        assert height > 20
        assert "clip-path" in near

    def test_a_device_that_was_never_seen(self) -> None:
        root = parse(drift_svg(Drift(START_S), "token", "t"))
        assert root.findtext("desc") == "No code of this device was accepted yet."


times = st.floats(0, 1e11)
errors = st.floats(-1e10, 1e10)


@given(
    st.lists(st.tuples(times, errors, st.booleans()), max_size=5),
    st.lists(st.tuples(times, times, errors, errors), max_size=3),
    st.lists(st.tuples(times, errors), max_size=5),
    times,
)
def test_whatever_is_drawn_is_well_formed_and_finite(
    sightings: list[tuple[float, float, bool]],
    windows: list[tuple[float, float, float, float]],
    true_errors: list[tuple[float, float]],
    now_s: float,
) -> None:
    """Also of a log in which the verifier's clock went back."""
    drift = Drift(
        now_s,
        tuple(Sighting(*each) for each in sightings),
        tuple(
            Window(first, until, (low, low + 60), (high, high + 60))
            for first, until, low, high in windows
        ),
        tuple(true_errors),
    )
    svg = drift_svg(drift, "token", "t")
    parse(svg)
    assert "nan" not in svg
    assert "inf" not in svg.replace("information", "")
    assert len(svg) < 20_000


class TestTicks:
    @given(st.floats(-1e9, 1e9), st.floats(4, 1e9))
    def test_of_errors(self, low_s: float, height_s: float) -> None:
        ticks = error_ticks(low_s, low_s + height_s)
        assert 1 <= len(ticks) <= 7
        assert all(low_s <= each <= low_s + height_s for each in ticks)

    @given(st.floats(0, 2e11), st.floats(60, 4e10))
    def test_of_times(self, from_s: float, length_s: float) -> None:
        ticks = time_ticks(from_s, from_s + length_s)
        assert 1 <= len(ticks) <= 8
        assert all(from_s <= at_s <= from_s + length_s for at_s, _ in ticks)
        labels = [label for _, label in ticks]
        assert len(set(labels)) == len(labels)

    @pytest.mark.parametrize(
        ("length_s", "labels"),
        [
            (60, ["00:00:00", "00:00:10"]),
            (3600, ["00:00", "00:10"]),
            (2 * DAY_S, ["1 Jan 00:00", "1 Jan 12:00"]),
            (8 * DAY_S, ["1 Jan", "3 Jan"]),
            (240 * DAY_S, ["Jan 2026", "Mar 2026"]),
            (20 * 365 * DAY_S, ["2028", "2032"]),
        ],
    )
    def test_labels(self, length_s: float, labels: list[str]) -> None:
        assert [label for _, label in time_ticks(START_S, START_S + length_s)][:2] == labels


@pytest.mark.parametrize(
    ("error_s", "text"),
    [
        (0.0, "on time"),
        (-0.04, "on time"),
        (5.0, "5 s ahead"),
        (-1.25, "1.2 s behind"),
        (-302.0, "5 min 2 s behind"),
        (59.97, "1 min ahead"),
        (3600.4, "1 h ahead"),
        (86_400.0 + 3 * 3600, "1 day 3 h ahead"),
        (-400 * 86_400.0, "400 days behind"),
    ],
)
def test_a_clock_error_in_words(error_s: float, text: str) -> None:
    assert error_text(error_s) == text


def test_the_chart_in_words() -> None:
    assert drift_in_words(example()) == (
        "From 2026-01-01 00:00 to 2026-04-01 00:00: learned 2 times at sign-in and 1 time from two"
        " codes. The clock was on time at first and 9 s ahead when last seen, on 2026-03-02 00:00."
        " Codes are accepted now from 22 s behind to 40 s ahead. In truth it is 14 s ahead."
    )
