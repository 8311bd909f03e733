"""How far a study is, where there is no terminal."""

from collections.abc import Callable

import pytest

from tokenkit.fleet import watch


@pytest.fixture
def pass_s(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass; a line is printed each time that something is done."""
    now_s = 100.0

    def pass_s(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr(watch.time, "perf_counter", lambda: now_s)
    monkeypatch.setattr(watch, "_EVERY_S", 0.0)
    return pass_s


def test_parts_that_come_together_after_compiling_make_no_rate(
    pass_s: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with watch.Watch(100_000) as seen:
        for seconds, kept in ((1, True), (10, False), (0.0001, False), (9.9999, False)):
            pass_s(seconds)
            seen.advance(1000, kept)
    assert capsys.readouterr().err.splitlines() == [
        "1,000 of 100,000 token-years; the first time code is compiled",
        "2,000 of 100,000 token-years",
        "3,000 of 100,000 token-years",
        "4,000 of 100,000 token-years, 200 a second, 8 min left",
    ]
