"""Policies of studies: what is wrong with them is told, and the numbers that they come to."""

from pathlib import Path

import msgspec
import pytest

from tokenkit.errors import TokenkitError
from tokenkit.fleet.rules import (
    BEGIN,
    KEEP,
    MIDDLE,
    NEVER,
    NONE,
    OFFSET,
    SERVER,
    STEPS,
    PeerName,
    Policy,
    Rule,
    peers,
)
from tokenkit.scenario.document import Document
from tokenkit.verifier import TotpPolicy
from tokenkit.verifier.drift import limits_of


class Policies(msgspec.Struct, forbid_unknown_fields=True):
    """What stands in for a study."""

    policy: list[Policy]


def read(text: str) -> list[Policy]:
    """The policies of a file, or an error of its first problem."""
    document = Document(text, "study.toml", Policies, TokenkitError)
    for number, policy in enumerate(document.content.policy):
        for where, said in policy.problems():
            document.wrong(("policy", number, *where), said)
    return document.content.policy


def policy(members: str) -> Policy:
    [found] = read(f'[[policy]]\nname = "one"\n{members}')
    return found


WRONG = [
    ("", 1, "the policy 'one' needs 'learn' or 'peer'"),
    ('learn = "ofset"', 3, "'learn' cannot be 'ofset'; did you mean 'offset'?"),
    ('peer = "privacyidae"', 3, "no peer 'privacyidae'; did you mean 'privacyidea'?"),
    ('peer = "zzz"', 3, "no peer 'zzz'; there are: django-otp, freeipa, google-auth"),
    ("peer = 3", 3, 'a peer is a name in quotes, like "privacyidea"'),
    ('learn = "offset"\nwindow_step = 1', 4, "unknown key 'window_step'; did you mean 'window_s"),
    ('learn = "offset"\nwindow_steps = 1.5', 4, "'window_steps' must be a whole number"),
    ('learn = "offset"\nwindow_steps = -1', 4, "'window_steps' must be at least 0"),
    ('learn = "offset"\nwindow_steps = 101', 4, "'window_steps' is from 0 to 100, not 101"),
    ('learn = "offset"\nlock_after = 9223372036854775808', 4, "'lock_after' must be at most"),
    ('learn = "offset"\nnext_code_after = 9223372036854775808', 4, "'next_code_after' must be at"),
    ('learn = "offset"\nwindow = "2 h"', 4, "'window' is at most 50 min"),
    ('learn = "offset"\nwindow = 180', 4, 'like "180 s"'),
    ('learn = "offset"\nwindow = "180 s"\nwindow_steps = 6', 4, "'window_steps' and 'window' say"),
    ('peer = "keycloak"\nwindow = "3 min"\nwindow_steps = 6', 4, "leave out one"),
    ('learn = "offset"\nentry = "12 s"', 4, "'entry' says nothing where learn is 'offset'"),
    ('peer = "linotp"\nmax_rate_ppm = 3.0', 4, "says nothing where learn is 'offset'"),
    ('learn = "rate"\nwindow_steps = 1', 4, "'window_steps' says nothing where learn is 'rate'"),
    ('learn = "rate"\nmax_rate_ppm = 0.0', 4, "'max_rate_ppm' is above 0, up to 1000, not 0.0"),
    ('learn = "rate"\nmax_window_steps = 101', 4, "'max_window_steps' is from 0 to 100"),
    ('learn = "rate"\nentry = "2 min"', 4, "'entry' is from 0 to 60"),
    ('learn = "offset"\nresync_range = "31 days"', 4, "'resync_range' is from 0 to 30 days"),
    ('learn = "offset"\nenrol_range = "-1 s"', 4, "'enrol_range' is from 0 to 30 days"),
    ('learn = "offset"\nresync_steps = 100_000', 4, "'resync_steps' must be at most 43200"),
    ('learn = "offset"\nresync = false\nresync_steps = 3', 5, "where resync is false"),
    ('peer = "keycloak"\nresync_range = "1 day"', 4, "where resync is false"),
    ('learn = "offset"\ndelay = "-1 s"', 4, "'delay' is not negative"),
    ('learn = "offset"\nlock_after = -1', 4, "'lock_after' must be at least 0"),
    ('learn = "offset"\nnext_code_after = 3', 4, "are given together"),
    ('learn = "offset"\nresync_around = "ofset"', 4, "did you mean 'offset'?"),
    ('learn = "offset"\nresync_offset = "start"', 4, "'resync_offset' cannot be 'start'"),
]


@pytest.mark.parametrize(("members", "line", "said"), WRONG)
def test_what_is_wrong_is_told(members: str, line: int, said: str) -> None:
    with pytest.raises(TokenkitError) as error:
        policy(members)
    assert str(error.value).startswith(f"study.toml:{line}: ")
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["", "x" * 61, "a\\u001b"])
def test_a_name_is_a_line(name: str) -> None:
    with pytest.raises(TokenkitError, match="'name' is one line of 1 to 60 characters"):
        read(f'[[policy]]\nlearn = "offset"\nname = "{name}"')


def test_our_own_are_the_verifiers_by_default() -> None:
    for period_s in (30, 60):
        totp = TotpPolicy()
        found = policy('learn = "offset"').rule(period_s)
        assert found == Rule(
            rate=False,
            period_s=period_s,
            limits=limits_of(totp, period_s),
            window_steps=totp.window_steps,
            ahead_steps=totp.window_steps,
            enrol_steps=86_400 // period_s,
            resync_steps=86_400 // period_s,
            resync_around=0,
            sign_in_offset=STEPS,
            resync_offset=STEPS,
            next_code_steps=NONE,
            next_code_after=NEVER,
            next_code_late_steps=NONE,
            three_codes_steps=NONE,
            delay_s=totp.delay_s,
            lock_after=totp.lock_after,
        )
        assert policy('learn = "rate"').rule(period_s) == found._replace(rate=True)
        assert policy('learn = "nothing"').rule(period_s) == found._replace(sign_in_offset=KEEP)


def test_what_is_said_counts() -> None:
    found = policy(
        'learn = "rate"\nmax_window_steps = 7\nmax_rate_ppm = 20\nentry = "30 s"\n'
        'resync_range = "1 h"\nenrol_range = "2 days"\ndelay = "1 min"\nlock_after = 0'
    ).rule(30)
    assert found.limits == (30, pytest.approx(20e-6), 30.0, 7)
    assert (found.resync_steps, found.enrol_steps) == (120, 5760)
    assert (found.delay_s, found.lock_after) == (60.0, NEVER)


def test_a_peers_rules_are_loaded_and_may_be_changed() -> None:
    found = policy('peer = "privacyidea"').rule(30)
    assert (found.window_steps, found.resync_steps, found.lock_after) == (6, 1000, 10)
    assert (found.sign_in_offset, found.resync_offset) == (BEGIN, MIDDLE)
    assert found.resync_around == OFFSET
    assert found.ahead_steps == 5
    assert policy('peer = "privacyidea"').rule(60).window_steps == 3
    wider = policy('peer = "privacyidea"\nwindow_steps = 8\nnext_code_steps = 500').rule(60)
    assert (wider.window_steps, wider.next_code_steps) == (8, 500)
    assert policy('peer = "rsa-securid"').rule(60).resync_around == SERVER
    assert policy('peer = "keycloak"').rule(30).enrol_steps == NONE
    adaptive = policy('peer = "linotp"\nlearn = "rate"').rule(30)
    assert adaptive.rate
    assert adaptive.resync_steps == 1000


@pytest.mark.parametrize("name", peers())
def test_every_peer_can_be_used_and_says_where_it_was_read(name: str) -> None:
    peer = peers()[name]
    assert peer.title.isprintable()
    assert peer.source
    assert all(source.isprintable() for source in peer.source)
    found = Policy(name="one", peer=PeerName(name))
    assert list(found.problems()) == []
    assert found.rule(30).period_s == 30


def test_the_data_file_says_what_was_assumed() -> None:
    import tokenkit.fleet.rules as rules

    text = Path(str(rules.__file__)).with_name("peers.toml").read_text("utf-8")
    assert "Assumed of all" in text
    assert all(peer.assumed for peer in peers().values() if peer.title != "django-otp")
