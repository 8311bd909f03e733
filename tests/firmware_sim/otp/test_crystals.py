"""Crystals as data: the grades that there are stay as they were, and files of one are checked."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.factory import Factory
from firmware_sim.otp.grade import GRADES, GradeFileError, Spread, read_grade
from firmware_sim.world.entropy import SeededEntropy
from firmware_sim.world.oscillator import Crystal


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grades") / "mine.toml"


def read(path: Path, text: str) -> dict[str, Spread]:
    path.write_text(text)
    return dict(read_grade(path).spreads)


def test_the_grades_of_old_are_the_same() -> None:
    """Tokens of earlier versions are made again from their seeds."""
    token, bought = GRADES["token"], GRADES["20ppm"]
    assert token.crystal == bought.crystal == GRADES["50ppm"].crystal == Crystal()
    assert list(token.spreads.items()) == [
        ("tolerance_ppm", Spread(0.0, 3.0, 10.0)),
        ("parabola_ppm_per_c2", Spread(-0.034, 0.005 / 3, 0.005)),
        ("turnover_c", Spread(25.0, 5 / 3, 5.0)),
        ("ageing_ppm_first_year", Spread(0.0, 1.0, 3.0)),
    ]
    assert bought.spreads == {**token.spreads, "tolerance_ppm": Spread(0.0, 20 / 3, 20.0)}
    assert GRADES["perfect"].draw(SeededEntropy(1)) == Crystal(
        parabola_ppm_per_c2=0.0,
        ageing_ppm_first_year=0.0,
        random_walk_adev_1day=0.0,
        white_adev_1s=0.0,
    )
    assert token.draw(SeededEntropy(1)) == Crystal(
        tolerance_ppm=-0.5179061819678104,
        parabola_ppm_per_c2=-0.03484078259764496,
        turnover_c=25.840778626654725,
        ageing_ppm_first_year=-0.6034722818107394,
    )


@pytest.mark.parametrize("name", GRADES)
def test_each_says_where_it_is_from(name: str) -> None:
    grade = GRADES[name]
    assert grade.summary
    assert grade.sources or name == "perfect"


def test_a_file_of_one(path: Path) -> None:
    spreads = read(
        path, "[mine]\nturnover_c = { mean = 24.0 }\ntolerance_ppm = { mean = 1.0, limit = 3 }\n"
    )
    assert spreads == {"tolerance_ppm": Spread(1.0, 1.0, 3.0)}
    grade = read_grade(path)
    batch = Factory(SeededEntropy(1), 0.0).make_batch("TKTEST", 5, grade=grade)
    assert {spec.crystal.turnover_c for spec in batch.tokens} == {24.0}
    assert len({spec.crystal.tolerance_ppm for spec in batch.tokens}) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a file has one grade, this one 0"),
        ("[a]\n[b]\n", "a file has one grade, this one 2"),
        ("x", "not a grade of crystal"),
        ("a = 1", "not a grade of crystal: Expected `object`"),
        ("[a]\ncolour = 1", "unknown field `colour`"),
        ("[a]\ntolerance_ppm = { limit = 0.0 }", "tolerance_ppm: limit and standard_deviation are"),
        ("[a]\ntolerance_ppm = { limit = nan }", "above 0"),
        ("[a]\ntolerance_ppm = { mean = inf, limit = 1.0 }", "of a mean"),
        ("[a]\ntolerance_ppm = { limit = 1.0, standard_deviation = 1e-9 }", "1000 standard"),
        ("[a]\ntolerance_ppm = { standard_deviation = 1.0 }", "needs a limit"),
        ("[a]\nturnover_c = { mean = nan }", "turnover_c must be finite"),
        ("[a]\nageing_tau_s = -1.0", "must be above 0"),
        ("[a]\nsummary = 1", "Expected `str`"),
        ("a = " + "[" * 5000, "not a grade"),
        ("#" * 100_001, "too large"),
    ],
)
def test_what_is_no_grade(path: Path, text: str, message: str) -> None:
    with pytest.raises(GradeFileError, match=f"^{path}: .*{message}"):
        read(path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(GradeFileError, match="No such file"):
        read_grade(tmp_path / "none.toml")


@given(
    st.binary(max_size=100)
    | st.text("abc[]{}=\"'\n.0123456789_ tolerancepm", max_size=100).map(
        lambda text: f"[a]\n{text}".encode()
    )
)
def test_nothing_but_the_one_error(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    try:
        grade = read_grade(path)
    except GradeFileError:
        return
    assert isinstance(grade.draw(SeededEntropy(1)), Crystal)
