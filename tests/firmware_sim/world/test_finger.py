"""The user's finger."""

import math

import pytest

from firmware_sim.world.finger import (
    ScriptedFinger,
    TerminalFinger,
    Touch,
    TouchAfter,
    never_touch,
    touch_at_once,
)


def test_touches_at_once_later_or_never() -> None:
    assert touch_at_once().requested("sign in", 5.0).true_s == 5.0
    assert TouchAfter(3.0).requested("sign in", 5.0).true_s == 8.0
    assert never_touch().requested("sign in", 5.0).true_s == math.inf


def test_a_script_answers_request_by_request_and_then_nobody_touches() -> None:
    finger = ScriptedFinger([0.0, 2.0, None])
    answers = [finger.requested("sign in", 10.0) for _ in range(4)]
    assert [(a.true_s, a.refused) for a in answers] == [
        (10.0, False),
        (12.0, False),
        (10.0, True),
        (math.inf, False),
    ]


@pytest.mark.parametrize(
    ("typed", "refused"), [("", False), ("yes", False), ("n", True), (" No", True)]
)
def test_a_person_is_told_why_and_answers(typed: str, refused: bool) -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return typed

    touch = TerminalFinger(ask).requested("register at example.com", 7.0)
    assert (touch.true_s, touch.refused) == (7.0, refused)
    assert "register at example.com" in prompts[0]


def test_nobody_touches_at_the_end_of_input() -> None:
    def ask(prompt: str) -> str:
        raise EOFError

    assert TerminalFinger(ask).requested("sign in", 7.0).true_s == math.inf


def test_whoever_holds_the_touch_may_still_change_it() -> None:
    touch = never_touch().requested("sign in", 1.0)
    touch.true_s = 4.0
    assert touch.true_s == 4.0
    assert touch != Touch(4.0)  # each request is its own
