"""``tokenkit drift diagnose`` as one types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tokenkit.drift.fleet import DAY_S, START_S, log_of, sample, write_files
from tokenkit.cli import main
from tokenkit.virtual import BatteryChange

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["drift", "diagnose", *map(str, args)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Options that name the files of two tokens, one with a new battery."""
    samples = [
        sample(1, 1, evenly=True),
        sample(1, 2, evenly=True, events=[BatteryChange(START_S + 180 * DAY_S, 180.0)]),
    ]
    seeds, log = write_files(tmp_path_factory.mktemp("files"), samples)
    return ["--seeds", seeds, "--log", log, "--range", "1 h"]


def test_it_is_told_in_sentences(run: Run, files: list[object]) -> None:
    status, out, err = run(*files)
    assert (status, err) == (0, "")
    assert out.startswith("T00000001\n  30 of 30 rows tell of its clock, 2026-01-")
    assert "a new battery" in out
    assert "It leaves the window (learned offset ±1, no further sign-in) about 202" in out
    assert out.endswith("2 of 2 tokens could be diagnosed; 1 had an event of its own clock.\n")


def test_one_token(run: Run, files: list[object]) -> None:
    _, out, _ = run(*files, "--serial", "T00000002")
    assert "T00000001" not in out
    status, _, err = run(*files, "--serial", "T9")
    assert status == 2
    assert "no row of token T9" in err


def test_as_json(run: Run, files: list[object]) -> None:
    status, out, _ = run(*files, "--json", "--window-steps", "3")
    assert status == 0
    found = json.loads(out)
    one, other = found["tokens"]
    assert one["changes"] == []
    [change] = other["changes"]
    assert change["cause"] == "battery"
    assert change["by_s"]["low"] < -180.0 < change["by_s"]["high"]
    assert one["leaves_window"]["policy"] == "learned offset ±3"
    assert len(one["placed"]) == 30


def test_policy_file(run: Run, files: list[object], tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[totp]\ndrift = "rate"\nmax_window_steps = 4\n')
    _, out, _ = run(*files, "--policy", policy)
    assert "learned rate, at most ±4" in out
    status, _, err = run(*files, "--policy", policy, "--window-steps", "2")
    assert status == 2
    assert "leave out --window-steps" in err


def test_pictures_and_page(run: Run, files: list[object], tmp_path: Path) -> None:
    png, svg, page = tmp_path / "a.png", tmp_path / "b.svg", tmp_path / "report"
    status, out, _ = run(*files, "--plot", png, "--report", page)
    assert status == 0
    assert f"plot: {png}" in out
    assert f"report: {page / 'index.html'}" in out
    assert png.read_bytes().startswith(b"\x89PNG")
    run(*files, "--plot", svg)
    first = svg.read_bytes()
    assert b"<svg" in first
    run(*files, "--plot", svg, "--report", page)
    assert svg.read_bytes() == first
    text = (page / "index.html").read_text()
    assert text.count("<svg role") == 4  # two tokens, small and large
    assert "script" not in text
    assert "a new battery" in text
    (page / "index.html").write_text("mine")
    status, _, err = run(*files, "--report", page)
    assert status == 2
    assert "is not overwritten" in err


def test_a_log_that_contradicts_itself_is_told_by_line(
    run: Run, files: list[object], tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    lines = Path(str(files[3])).read_text().splitlines()
    name, _, at, _ = lines[5].split(",")
    log.write_text("\n".join([*lines, f"{name},000000,{at},yes"]) + "\n")
    status, out, _ = run(*files[:2], "--log", log, "--range", "1 h")
    assert status == 1
    assert f"{log}:{len(lines) + 1}: {name}: accepted, though it is no code of this token" in out


def test_many_tokens_are_a_table(run: Run, tmp_path: Path) -> None:
    samples = [sample(2, number, sign_ins=3) for number in range(1, 13)]
    seeds, log = write_files(tmp_path, samples)
    status, out, _ = run("--seeds", seeds, "--log", log, "--range", "1 h")
    assert status == 0
    assert "serial number" in out
    assert all(f"T{number:08d}" in out for number in range(1, 13))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--range", "3"], "'3' is no duration"),
        (["--range", "90 days"], "at most"),
        (["--entry", "0 s"], "longer than nothing"),
        (["--time-zone", "Mars"], "no time zone"),
        (["--plot", "a.gif"], "neither in .png nor in .svg"),
        (["--policy", "nowhere.toml"], "nowhere.toml"),
        (["--seeds", "nowhere.csv"], "nowhere.csv"),
        (["--log", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_cannot_be_used(
    run: Run, files: list[object], options: list[str], message: str
) -> None:
    status, out, err = run(*files, *options)
    assert (status, out) == (2, "")
    assert message in err


def test_the_log_of_a_test_is_in_order() -> None:
    rows = log_of([sample(1, 1, sign_ins=4), sample(1, 2, sign_ins=4)])
    assert [row.server_s for row in rows] == sorted(row.server_s for row in rows)
