"""Policies and batches of a study in words."""

import math

from tokenkit.fleet.rules import Policy, peers
from tokenkit.fleet.study import Batch
from tokenkit.scenario.durations import YEAR_S, Duration, in_words


def policy_text(policy: Policy) -> str:
    """A policy's rules in words."""
    said = {
        name.replace("_", " "): in_words(value) if isinstance(value, Duration) else str(value)
        for name, value in policy.said().items()
    }
    own = ", ".join(f"{name} {value}" for name, value in said.items())
    if policy.peer is None:
        return own
    peer = peers()[policy.peer]
    text = f"as {peer.title}; {own}" if own else f"as {peer.title}"
    return f"{text}. {peer.assumed}" if peer.assumed else text


def batch_text(batch: Batch) -> str:
    """A batch's tokens in words."""
    low, high = batch.months_in_stock
    stock = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    text = f"{batch.habit}, {', '.join(batch.places)}"
    if len(batch.places) > 1:
        text += f" for {in_words(batch.stay[0])} to {in_words(batch.stay[1])} each"
    text += f"; grade {batch.grade}, {batch.period} s, {stock} months in stock"
    if batch.battery is not None:
        text += f", batteries of {_years(batch.battery.life)}"
        text += f", then {in_words(batch.battery.outage)} without power"
    return text


def _years(duration: Duration) -> str:
    """``4 years``, where they are whole ones."""
    years = round(duration / YEAR_S)
    if not years or not math.isclose(duration, years * YEAR_S):
        return in_words(duration)
    return "1 year" if years == 1 else f"{years} years"
