"""``tokenkit otp crystals`` and ``calibrate``."""

import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tokenkit.cli import root
from tokenkit.errors import TokenkitError
from tokenkit.virtual import GRADES

RATES = "time,temperature,rate ppm\n" + "".join(
    f"{datetime.fromtimestamp(1_767_225_600 + 86_400 * n, UTC).isoformat()},{warm_c},"
    f"{4 - 0.035 * (warm_c - 24) ** 2 + 0.01 * (-1) ** n:.3f}\n"
    for n, warm_c in enumerate((0, 10, 20, 30, 40, 50) * 4)
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    Path("m.csv").write_text(RATES)
    return lambda *args: CliRunner().invoke(root, ["otp", *args], env={"COLUMNS": "140"})


def refused(result: Result, message: str) -> None:
    assert isinstance(result.exception, TokenkitError), result.exception
    assert message in str(result.exception)


class TestCrystals:
    def test_all_and_their_sources(self, run: Callable[..., Result]) -> None:
        result = run("crystals")
        assert result.exit_code == 0
        for name, grade in GRADES.items():
            assert f" {name} " in result.output
            for source in grade.sources:
                assert f"{name}: {source}" in result.output
        assert "-0.035 ±0.0086" in result.output

    def test_json(self, run: Callable[..., Result]) -> None:
        found = json.loads(run("crystals", "token", "--json").output)
        assert found["token"]["tolerance_ppm"] == {
            "mean": 0.0,
            "standard_deviation": 3.0,
            "limit": 10.0,
        }
        assert found["token"]["random_walk_adev_1day"] == 2e-8

    @pytest.mark.parametrize("form", ["svg", "png"])
    def test_a_picture(self, run: Callable[..., Result], form: str) -> None:
        result = run("crystals", "token", "perfect", "--plot", f"c.{form}")
        assert f"plot: c.{form}" in result.output
        assert Path(f"c.{form}").read_bytes()[:5] == {"svg": b"<?xml", "png": b"\x89PNG\r"}[form]

    def test_what_there_is_not(self, run: Callable[..., Result]) -> None:
        refused(run("crystals", "quartz"), "there are token, 20ppm, 50ppm, perfect, act-3x8,")
        refused(run("crystals", "none.toml"), "none.toml: No such file")
        assert run("crystals", "--plot", "c.pdf").exit_code == 2
        assert run("crystals", "--plot", "no/c.png").exit_code == 2


class TestCalibrate:
    def test_from_measurements_to_a_token(self, run: Callable[..., Result]) -> None:
        result = run("calibrate", "m.csv", "--out", "mine.toml", "--plot", "m.svg")
        assert result.exit_code == 0, result.exception
        assert "wrote mine.toml" in result.output
        assert "parabola, ppm/°C²               -0.0350" in result.output
        assert "24 measurements; residuals of 0.01 ppm" in result.output
        assert "--made says when it was" in result.output
        assert Path("m.svg").read_bytes().startswith(b"<?xml")
        made = run("make", "TK", "--grade", "mine.toml", "--out", "box", "--json")
        [token] = json.loads(made.output)["tokens"]
        assert token["tolerance_ppm"] == pytest.approx(4.0, abs=0.1)
        assert "measured 2026-01-01 to 2026-01-24" in run("crystals", "mine.toml").output

    def test_json(self, run: Callable[..., Result]) -> None:
        options = ("--made", "2025-12-01T00:00:00Z", "--plot", "m.png", "--json")
        result = run("calibrate", "m.csv", *options)
        found = json.loads(result.stdout)
        turnover = found["estimates"]["turnover_c"]
        assert turnover["value"] == pytest.approx(24.0, abs=0.1)
        assert turnover["told"] is True
        assert len(found["residuals"]) == 24
        assert found["made_s"] == 1_764_547_200.0
        assert result.stderr == "plot: m.png\n"

    def test_faulty_lines(self, run: Callable[..., Result]) -> None:
        Path("m.csv").write_text(RATES + "soon,20,1\n2026-03-01T00:00:00Z,20,x\n")
        refused(run("calibrate", "m.csv"), "m.csv: 2 faults, nothing was read:\n  line 26: time")
        result = run("calibrate", "m.csv", "--skip-faulty")
        assert result.exit_code == 0
        assert "m.csv: 2 faults, left out:" in result.stderr

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["none.csv"], "none.csv: No such file"),
            (["m.csv", "--made", "2027-01-01T00:00:00Z"], "from before the crystal was made"),
            (["m.csv", "--time-zone", "Europe/Bonn"], "there is no time zone 'Europe/Bonn'"),
        ],
    )
    def test_what_is_refused(
        self, run: Callable[..., Result], options: list[str], message: str
    ) -> None:
        refused(run("calibrate", *options), message)
        assert [path.name for path in Path().iterdir()] == ["m.csv"]

    @pytest.mark.parametrize(
        ("name", "message"),
        [("mine.txt", "does not end in .toml"), ("no/mine.toml", "there is no directory no")],
    )
    def test_a_name_that_is_no_grade(
        self, run: Callable[..., Result], name: str, message: str
    ) -> None:
        result = run("calibrate", "m.csv", "--out", name, "--plot", "m.svg")
        assert (result.exit_code, message in result.stderr) == (2, True)
        assert not Path("m.svg").exists()

    @pytest.mark.parametrize(
        ("package", "options", "what"),
        [("numpy", [], "tokenkit otp calibrate"), ("matplotlib", ["--plot", "m.svg"], "a plot")],
    )
    def test_a_missing_package_says_how_to_install_it(
        self,
        run: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
        package: str,
        options: list[str],
        what: str,
    ) -> None:
        find: Any = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == package else find(name)
        )
        refused(
            run("calibrate", "m.csv", *options),
            f"{what} needs more packages: pip install 'tokenkit[report]'",
        )
