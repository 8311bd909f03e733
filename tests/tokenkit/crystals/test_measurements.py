"""Measurements of a crystal, from CSV as loggers and people write it."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.crystals.fit import FitError, fit_crystal
from tokenkit.crystals.measurements import Measurements, MeasurementsError, read_measurements
from tokenkit.drift.server_time import time_zone

NOON_S = 1_769_860_800.0


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measurements") / "m.csv"


def read(path: Path, contents: bytes | str, **options: Any) -> Measurements:
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return read_measurements(path, **options)


@pytest.mark.parametrize(
    "text",
    [
        "time,temperature,rate ppm\n2026-01-31T12:00:00Z,21.5,-1.25\n",
        "Time;Temp (°C);Rate (ppm)\n2026-01-31 12:00:00 UTC;21,5;-1,25\n",
        f"note\tppm\tC\ttime_ms\nx\t-1.25\t21.5\t{1000 * NOON_S:.0f}\n",
        f"timestamp,temperature,s per day\n{NOON_S:.0f},21.5,-0.108\n",
    ],
)
def test_ways_to_write_the_same(path: Path, text: str) -> None:
    found = read(path, text)
    assert (found.kind, found.times_s, found.temperatures_c) == ("rate", [NOON_S], [21.5])
    assert found.values == [pytest.approx(-1.25)]


def test_clock_errors_in_the_order_of_time(path: Path) -> None:
    rows = "2026-01-31T13:00:00,20,2500\n2026-01-31T12:59:59,20,-500\n"
    found = read(path, f"time,temp,offset ms\n{rows}", zone=time_zone("Europe/Berlin"))
    assert (found.kind, found.times_s) == ("offset", [NOON_S - 1, NOON_S])
    assert found.values == [-0.5, 2.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no time, such as 'time': the first line names the columns"),
        ("time,rate\n", "no temperature"),
        ("time,temp\n", "no rate or clock error"),
        ("time,temp,rate,offset\n", "more than one rate or clock error"),
        ("time,time s,temp,rate\n", "more than one time"),
        ("time,temp,rate\n", "no measurement in it"),
        ("time,temp,rate\n2026-01-31T12:00:00,20,1\n", "line 2: time .* no time zone"),
        ("time s,temp,rate\n1,295,1\n", "line 2: temperature '295' is not between .* another unit"),
        ("time s,temp,rate\n1,20,x\n", "line 2: rate 'x' is no number"),
        ("time s,temp,rate\n1,20,nan\n", "rate 'nan' is no number"),
        ("time s,temp,rate\n1,20,1_0\n", "rate '1_0' is no number"),
        ("time s,temp,rate\n1,20,1e5\n", "rate '1e5' is over 10000 ppm"),
        ("time s,temp,offset\n1,20,1e9\n", r"offset '1e9' is over 1e\+07 s"),
        ("time s,temp,rate\n1,20\n1,,1\n", "2 faults, nothing was read:\n  line 2: not as many"),
    ],
)
def test_what_is_refused(path: Path, text: str, message: str) -> None:
    with pytest.raises(MeasurementsError, match=message):
        read(path, text)


def test_faulty_lines_are_left_out_if_told_so(path: Path) -> None:
    found = read(path, "time s,temp,rate\n1,20,1\n2,20,x\n", skip_faulty=True)
    assert (found.values, found.faults) == ([1.0], ["line 3: rate 'x' is no number"])
    with pytest.raises(MeasurementsError, match="line 2"):
        read(path, "time s,temp,rate\n1,20,x\n", skip_faulty=True)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name in ("none", "\0", "."):
        with pytest.raises(MeasurementsError):
            read_measurements(tmp_path / name)


@given(
    st.binary(max_size=100).filter(lambda text: b"\0" not in text)
    | st.lists(
        st.tuples(
            st.floats(-10, 1e11) | st.integers(0, 3),
            st.floats(-70, 130) | st.just(20),
            st.floats(allow_nan=True) | st.sampled_from([0.0, 1.0, 9999.0]),
        ),
        max_size=8,
    ).map(lambda rows: "".join(f"{a!r},{b!r},{c!r}\n" for a, b, c in rows).encode()),
    st.sampled_from(["rate", "offset", "offset ms"]),
)
def test_nothing_but_the_errors_of_ours(path: Path, contents: bytes, value: str) -> None:
    """And a crystal comes of all that is read."""
    header = f"time s,temp,{value}\n".encode()
    with suppress(MeasurementsError, FitError):
        fit = fit_crystal(read(path, header + contents, skip_faulty=True))
        assert fit.crystal.parabola_ppm_per_c2 < 1e9
