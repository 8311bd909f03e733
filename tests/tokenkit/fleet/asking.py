"""The judge, compiled: one kernel for all tests, so that it is compiled once."""

from tokenkit.fleet.compiled import compiled
from tokenkit.fleet.judge import State, enrol, new_state, resync, sign_in, unlock, window
from tokenkit.fleet.rules import Rule

ENROL, RESYNC, SIGN_IN, UNLOCK = range(4)
Answer = tuple[bool, State, int, int]


def ask(rule: Rule, state: State, what: int, counter: int, server_s: float) -> Answer:
    """Whether a code or two are accepted, the state after that, and the window before."""
    first, last = window(rule, state, server_s)
    if what == ENROL:
        accepted, state = enrol(rule, new_state(rule), counter, server_s)
    elif what == RESYNC:
        accepted, state = resync(rule, state, counter, server_s)
    elif what == SIGN_IN:
        accepted, state = sign_in(rule, state, counter, server_s)
    else:
        accepted, state = True, unlock(state)
    return accepted, state, first, last


ask_compiled = compiled(ask)
