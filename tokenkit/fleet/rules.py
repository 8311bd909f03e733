"""A verifier's rules for codes as data, our own or a peer's, and as numbers for kernels."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from tokenkit.scenario.durations import Duration, PositiveDuration, in_words
from tokenkit.scenario.explain import hint
from tokenkit.verifier import TotpPolicy, ValidationError
from tokenkit.verifier.drift import Limits, limits_of

Learn = Literal["nothing", "offset", "rate"]
Measure = Literal["steps", "next", "begin", "middle"]
Around = Literal["either", "offset", "server"]

_Steps = Annotated[int, msgspec.Meta(ge=0, le=43_200)]  # 30 days, as TotpPolicy has it, of 60 s
_WIDEST_S = 100 * 30.0  # as TotpPolicy has it
_Problem = tuple[tuple[str | int, ...], str]

NONE = -1  # steps of what a verifier does not do
NEVER = 2**31  # wrong codes in a row: nobody comes to so many

# How an offset is measured, by its word in Measure. KEEP: it stays what it was.
KEEP, STEPS, NEXT, BEGIN, MIDDLE = range(5)
_MEASURES: dict[Measure, int] = {"steps": STEPS, "next": NEXT, "begin": BEGIN, "middle": MIDDLE}
EITHER, OFFSET, SERVER = range(3)
_AROUND: dict[Around, int] = {"either": EITHER, "offset": OFFSET, "server": SERVER}

# what makes sense for one way of learning only
_OF_RATE = ("max_window_steps", "max_rate_ppm", "entry")
_OF_OTHERS = ("window_steps", "window", "window_open", "sign_in_offset")
_OF_RESYNC = ("resync_range", "resync_steps", "resync_around", "resync_offset")
_TOGETHER = (("window_steps", "window"), ("resync_range", "resync_steps"))


class Rule(NamedTuple):
    """A verifier's rules for tokens whose time step is ``period_s``, in numbers only.

    ``rate``: codes are looked for by the token's rate, as ``limits`` allow; see TotpPolicy. A
    range of NONE steps says that the verifier does no such thing. ``delay_s`` and ``lock_after``
    are as :mod:`tokenkit.verifier.throttle` takes them.
    """

    rate: bool
    period_s: int
    limits: Limits
    window_steps: int  # behind the learned offset
    ahead_steps: int
    enrol_steps: int
    resync_steps: int
    resync_around: int  # EITHER, OFFSET or SERVER
    sign_in_offset: int  # what is learned of a code: KEEP, STEPS, NEXT, BEGIN or MIDDLE
    resync_offset: int
    next_code_steps: int
    next_code_after: int
    next_code_late_steps: int
    three_codes_steps: int
    delay_s: float
    lock_after: int


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy or a peer may say; the rest is as in TotpPolicy.

    learn: of each code that is accepted: "nothing", the "offset", or offset and "rate".
    window_steps, window: how far from the learned offset a code is accepted, to either side, in
        time steps or as time, of which whole steps count.
    window_open: whether the step that is farthest ahead is left out: in its code, an open range.
    max_window_steps, max_rate_ppm, entry: for "rate", as in TotpPolicy.
    sign_in_offset, resync_offset: how an offset is measured. "steps": the code's step less the
        verifier's, "next": one more, "begin": the time at which the code's step begins less the
        verifier's, "middle": that of the middle of its step.
    resync: whether two consecutive codes, by themselves, find a clock again.
    resync_range, resync_steps: how far off the second of them may be.
    resync_around: from the learned offset, from the verifier's time ("server"), or "either".
    enrol_range: how far off it may be when they enable a token. Where there is neither this nor a
        resynchronisation one code does, as at sign-in.
    next_code_steps: a code that is no farther out is accepted if the next one follows it.
    next_code_after: after so many wrong codes in a row no code is accepted without the next one,
        but then out to next_code_late_steps.
    three_codes_steps: three different codes in a row, at most two steps apart, set the offset if
        theirs differ by a step at most: google-authenticator-libpam's rule.
    delay, lock_after: wrong codes in a row, as in TotpPolicy; 0 never locks.
    """

    learn: Learn | None = None
    window_steps: _Steps | None = None
    window: PositiveDuration | None = None
    window_open: bool | None = None
    max_window_steps: int | None = None
    max_rate_ppm: float | None = None
    entry: Duration | None = None
    sign_in_offset: Measure | None = None
    resync: bool | None = None
    resync_range: Duration | None = None
    resync_steps: _Steps | None = None
    resync_around: Around | None = None
    resync_offset: Measure | None = None
    enrol_range: Duration | None = None
    next_code_steps: _Steps | None = None
    next_code_after: Annotated[int, msgspec.Meta(ge=1, le=NEVER)] | None = None
    next_code_late_steps: _Steps | None = None
    three_codes_steps: _Steps | None = None
    delay: Duration | None = None
    lock_after: Annotated[int, msgspec.Meta(ge=0, le=NEVER)] | None = None

    def said(self) -> dict[str, Any]:
        """The rules that it gives."""
        values = {name: getattr(self, name) for name in Rules.__struct_fields__}
        return {name: value for name, value in values.items() if value is not None}


class Peer(Rules, frozen=True, kw_only=True):
    """Another verifier's rules.

    source: where they were read.
    assumed: what was not, and what is left out.
    """

    title: str
    source: list[str]
    assumed: str = ""


class PeerName(str):
    """The name of a peer, known to exist."""

    @classmethod
    def of(cls, value: Any) -> "PeerName":
        """Check ``value``; ValueError says which peers there are."""
        if not isinstance(value, str):
            raise ValueError('a peer is a name in quotes, like "privacyidea"')
        if value not in peers():
            raise ValueError(f"no peer {value!r}; {hint(value, list(peers()))}")
        return cls(value)


class Policy(Rules, frozen=True, kw_only=True):
    """A policy of a study: its own rules, in place of those of the ``peer``, if it names one."""

    name: str
    peer: PeerName | None = None

    def problems(self) -> Iterator[_Problem]:
        """What cannot be, and where."""
        if not self.name.isprintable() or not 1 <= len(self.name) <= 60:
            yield ("name",), "'name' is one line of 1 to 60 characters"
        if self.learn is None and self.peer is None:
            yield (), f"the policy {self.name!r} needs 'learn' or 'peer'"
            return
        yield from _problems(self.said(), self._merged())

    def rule(self, period_s: int) -> Rule:
        """The same in numbers, for tokens whose time step is ``period_s``."""
        return _rule(self._merged(), period_s)

    def _merged(self) -> dict[str, Any]:
        own = self.said()
        merged = {} if self.peer is None else peers()[self.peer].said()
        for pair in _TOGETHER:
            if own.keys() & set(pair):
                merged = {name: value for name, value in merged.items() if name not in pair}
        return merged | own


@cache
def peers() -> dict[str, Peer]:
    """The peers that come with tokenkit, by name."""
    text = (resources.files("tokenkit.fleet") / "peers.toml").read_text("utf-8")
    return msgspec.toml.decode(text, type=dict[str, Peer], dec_hook=lambda kind, v: kind.of(v))


def _problems(own: dict[str, Any], merged: dict[str, Any]) -> Iterator[_Problem]:
    for pair in _TOGETHER:
        if own.keys() >= set(pair):
            yield (pair[1],), f"{pair[0]!r} and {pair[1]!r} say the same; leave out one"
    rate = merged.get("learn") == "rate"
    for name in own.keys() & set(_OF_OTHERS if rate else _OF_RATE):
        yield (name,), f"{name!r} says nothing where learn is {merged.get('learn')!r}"
    if merged.get("resync") is False:
        for name in own.keys() & set(_OF_RESYNC):
            yield (name,), f"{name!r} says nothing where resync is false"
    if ("next_code_after" in merged) != ("next_code_late_steps" in merged):
        [name] = own.keys() & {"next_code_after", "next_code_late_steps"}
        yield (name,), "'next_code_after' and 'next_code_late_steps' are given together"
    if "window" in own and own["window"] > _WIDEST_S:
        yield ("window",), f"'window' is at most {in_words(_WIDEST_S)}"
        return
    try:
        _totp(merged, 30)
    except ValidationError as error:
        # the verifier's name for a member begins its message, and says that it is in seconds
        name, rule = str(error).split(" ", 1)
        member = name.removesuffix("_s")
        yield (member,), f"{member!r} {rule}"


def _totp(said: dict[str, Any], period_s: int) -> TotpPolicy:
    """The verifier's own policy that comes nearest. ValidationError."""
    names = ("max_window_steps", "max_rate_ppm")
    values = {name: said[name] for name in names if name in said}
    for name in ("resync_range", "enrol_range", "delay", "entry"):
        if name in said:
            values[f"{name}_s"] = float(said[name])
    if "resync_steps" in said:
        values["resync_range_s"] = float(said["resync_steps"] * period_s)
    if "window" in said:
        values["window_steps"] = int(said["window"] // period_s)
    if "window_steps" in said:
        values["window_steps"] = said["window_steps"]
    if "lock_after" in said:
        values["lock_after"] = said["lock_after"] or NEVER
    return TotpPolicy(drift="rate" if said["learn"] == "rate" else "offset", **values)


def _rule(said: dict[str, Any], period_s: int) -> Rule:
    totp = _totp(said, period_s)
    resync_steps = int(totp.resync_range_s // period_s) if said.get("resync", True) else NONE
    has_enrol = "enrol_range" in said or resync_steps != NONE
    enrol_steps = int(totp.enrol_range_s // period_s) if has_enrol else NONE
    nothing = said["learn"] == "nothing"
    return Rule(
        rate=totp.drift == "rate",
        period_s=period_s,
        limits=limits_of(totp, period_s),
        window_steps=totp.window_steps,
        ahead_steps=totp.window_steps - said.get("window_open", False),
        enrol_steps=enrol_steps,
        resync_steps=resync_steps,
        resync_around=_AROUND[said.get("resync_around", "either")],
        sign_in_offset=KEEP if nothing else _MEASURES[said.get("sign_in_offset", "steps")],
        resync_offset=_MEASURES[said.get("resync_offset", "steps")],
        next_code_steps=said.get("next_code_steps", NONE),
        next_code_after=said.get("next_code_after", NEVER),
        next_code_late_steps=said.get("next_code_late_steps", NONE),
        three_codes_steps=said.get("three_codes_steps", NONE),
        delay_s=totp.delay_s,
        lock_after=totp.lock_after,
    )
