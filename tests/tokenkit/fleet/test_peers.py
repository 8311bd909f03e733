"""Peers' rules, as data, against references that were written of what peers document."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenkit.fleet.judge import new_state
from tokenkit.fleet.rules import NONE, PeerName, Policy, Rule, peers

from .asking import ENROL, RESYNC, SIGN_IN, ask, ask_compiled
from .peers import PEERS, PrivacyIdeaAutoResync, Verifier

START_S = 1_767_225_615.3
DAY_S = 86_400.0

# what is done, after how long, how far the token's clock jumps before, how old the code is
acts = st.tuples(
    st.sampled_from(["sign-in", "sign-in", "sign-in", "resync"]),
    st.sampled_from([20.0, 30.0, 30.0, 45.0, 60.0, 90.0]) | st.floats(0.0, 40 * DAY_S),
    st.sampled_from([0.0, 0.0, 0.0, 0.0])
    | st.floats(-120.0, 120.0)
    | st.floats(-900.0, 900.0)
    | st.floats(-2 * DAY_S, 2 * DAY_S),
    st.sampled_from([0, 0, 0, 0, -1, 1]),
)


def compare(
    rule: Rule, peer: Verifier, todo: list[tuple[str, float, float, int]], ppm: float
) -> list[bool]:
    """What was accepted; both must say the same of each."""
    now_s, error_s = START_S, 0.0
    state = new_state(rule)
    second = math.floor(now_s / rule.period_s)
    accepted, state, *_ = ask(rule, state, ENROL, second, now_s)
    enrolled = peer.sign_in if rule.enrol_steps == NONE else peer.resync
    assert accepted == enrolled(second, now_s)
    found = []
    for what, wait_s, jump_s, age in todo:
        now_s += wait_s
        error_s += 1e-6 * ppm * wait_s + jump_s
        counter = math.floor((now_s + error_s) / rule.period_s) - age
        order = SIGN_IN if what == "sign-in" else RESYNC
        answer = ask(rule, state, order, counter, now_s)
        assert ask_compiled(rule, state, order, counter, now_s) == answer
        accepted, state, first, last = answer
        assert list(range(first, last + 1)) == peer.window(now_s)
        judged = peer.sign_in if what == "sign-in" else peer.resync
        assert accepted == judged(counter, now_s)
        found.append(accepted)
    return found


@pytest.mark.parametrize("name", PEERS)
@settings(max_examples=60)
@given(
    st.lists(acts, min_size=5, max_size=40),
    st.sampled_from([30, 60]),
    st.sampled_from([-8.0, 0.0, 3.0]),
)
# far off, then code after code
@example([("sign-in", 30.0, 0.0, 0), ("sign-in", 30.0, 400.0, 0)] * 6, 30, 0.0)
@example([("sign-in", 30.0, j, 0) for j in (0.0, 150.0, 0.0, 0.0, 0.0, 0.0)], 30, 0.0)
@example([("sign-in", 30.0, j, 0) for j in (0.0, -4000.0, 0.0, 0.0, 0.0, 0.0)], 30, 0.0)
def test_a_peer_decides_as_it_documents(
    name: str, todo: list[tuple[str, float, float, int]], period_s: int, ppm: float
) -> None:
    rule = Policy(name="", peer=PeerName(name)).rule(period_s)
    compare(rule, PEERS[name](period_s), todo, ppm)


@settings(max_examples=60)
@given(st.lists(acts, min_size=5, max_size=40), st.sampled_from([30, 60]))
def test_privacyidea_with_automatic_resync(
    todo: list[tuple[str, float, float, int]], period_s: int
) -> None:
    rule = Policy(name="", peer=PeerName("privacyidea"), next_code_steps=1000).rule(period_s)
    compare(rule, PrivacyIdeaAutoResync(period_s), todo, 0.0)


def test_every_peer_has_a_reference() -> None:
    assert peers().keys() == PEERS.keys()


# after a jump by so many seconds: which of six codes, each the next one, are accepted
JUMPS = [
    ("keycloak", 100.0, "......"),
    ("django-otp", 100.0, "......"),
    ("django-otp", 25.0, "++++++"),
    ("privacyidea", 100.0, "++++++"),
    ("privacyidea", 1000.0, "......"),
    ("google-authenticator", 1000.0, "..++++"),
    ("google-authenticator", 50_000.0, "......"),
    ("rsa-securid", 25.0, "++++++"),
    ("rsa-securid", 85.0, ".+++++"),
    ("rsa-securid", 200.0, "....++"),
    ("rsa-securid", 1000.0, "......"),
    ("multiotp", 500.0, "++++++"),
]


@pytest.mark.parametrize(("name", "jump_s", "accepted"), JUMPS)
def test_a_jump(name: str, jump_s: float, accepted: str) -> None:
    rule = Policy(name="", peer=PeerName(name)).rule(30)
    todo = [("sign-in", 30.0, jump_s if number == 0 else 0.0, 0) for number in range(6)]
    found = compare(rule, PEERS[name](30), todo, 0.0)
    assert "".join(".+"[each] for each in found) == accepted
