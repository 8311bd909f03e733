"""Studies that come with tokenkit, with a few tokens each: they run, and their pages are whole."""

from pathlib import Path
from typing import Any

import pytest

from tokenkit.cli import main
from tokenkit.fleet.study import load, shipped


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_study(
    name: str, tmp_path: Path, read_page: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    study = load(name).study
    assert study.summary
    with pytest.raises(SystemExit) as caught:
        main(["fleet", "study", name, "--tokens", "40", "--report", str(tmp_path)])
    assert caught.value.code == 0, capsys.readouterr().err
    page = read_page((tmp_path / "index.html").read_text("utf-8"))
    assert study.title in page.text
    assert f"tokenkit fleet study {name} --tokens 40 --report report" in page.text
    for batch in study.batch:
        assert batch.name in page.text


def test_seeds_differ() -> None:
    """So that one study says something that the others have not said."""
    seeds = [load(name).study.seed for name in shipped()]
    assert len(set(seeds)) == len(seeds)


def test_the_example_is_what_the_readme_says() -> None:
    study = load("example").study
    assert (study.tokens, study.years) == (10_000, 3)
