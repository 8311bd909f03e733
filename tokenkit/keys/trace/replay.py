"""Say to a key what a recorded host said, and look whether it answers the same."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from fido2.hid import CtapHidDevice

from tokenkit import virtual
from tokenkit.keys.discovery import check_selector, open_key, virtual_key
from tokenkit.keys.errors import UnsupportedError, talking_to
from tokenkit.keys.opened import OpenKey
from tokenkit.keys.selector import Selector
from tokenkit.keys.trace.capture import TraceError
from tokenkit.keys.trace.messages import REPORT_SIZE, read_messages
from tokenkit.keys.trace.patient import PatientConnection
from tokenkit.keys.trace.player import POLL_S, MessagePlayer, Pace, PacketPlayer, Replay
from tokenkit.keys.trace.reports import Report, Trace


def replay(
    trace: Trace,
    selector: str,
    confirm: Callable[[OpenKey, str], None],
    *,
    device: str | None = None,
    exact: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Replay:
    """Send the host's part of ``trace`` to the key that ``selector`` means, up to a difference.

    ``confirm`` is asked before anything is sent to a physical key, with what is about to be done:
    it raises RefusedError if that may not be. ``device`` is the key of the trace, needed if it
    holds several. What is compared is said at :func:`tokenkit.keys.trace.compare.compare`.

    A virtual key is fresh from its seed or state file, gets its power when the recorded one did,
    and lives at the time of the recording: nothing sleeps. TraceError if the trace is not whole.
    """
    reports = _of_one_key(trace, device)
    chosen = check_selector(selector)
    if chosen.scheme == "virtual":
        plugged_s = trace.plugged_s[reports[0].key]
        with _fresh(chosen, plugged_s) as key, talking_to(str(chosen)):
            return _play_virtual(reports, key, exact)
    with open_key(chosen) as opened:
        confirm(opened, f"replay {_count(reports)} recorded messages and whatever they change")
        with talking_to(opened.selector):
            if opened.security_key is not None:
                return _play_virtual(reports, opened.security_key, exact)
            return _play_physical(reports, opened, exact, partial(sleep, POLL_S))


def _of_one_key(trace: Trace, device: str | None) -> list[Report]:
    trace.require_whole()
    keys = list(dict.fromkeys(report.key for report in trace.reports))
    if device is None and len(keys) > 1:
        listed = ", ".join(keys)
        raise TraceError(f"{trace.path}: {len(keys)} keys are in it; choose by --device: {listed}")
    chosen = [report for report in trace.reports if device in (None, report.key)]
    if not chosen:
        listed = ", ".join(keys)
        raise TraceError(f"{trace.path}: device {device} is not in it; there are: {listed}")
    for report in chosen:
        whole = report.card or len(report.data) == REPORT_SIZE
        if report.from_host and (report.missing or not whole):
            size = len(report.data)
            raise TraceError(f"{trace.path}: a report to the key has {size} bytes: not replayed")
    return chosen


def _count(reports: list[Report]) -> int:
    return sum(message.from_host for message in read_messages(reports))


@contextmanager
def _fresh(selector: Selector, start_s: float) -> Iterator[virtual.SecurityKey]:
    world = virtual.World(selector.seed, start_s=start_s)
    key, state = virtual_key(selector, world)
    try:
        yield key
    finally:
        key.power_off()
        if state is not None:
            state.close()


def _play_virtual(reports: list[Report], key: virtual.SecurityKey, exact: bool) -> Replay:
    clock = key.clock
    pace = Pace(clock.wait_until, lambda: clock.wait_until(clock.now() + POLL_S))
    if reports[0].card:
        return MessagePlayer(virtual.connect(key), exact, pace).play(reports)
    # no INIT of ours first: what a key draws at random depends on all that it was told
    return PacketPlayer(virtual.InProcessConnection(key), exact, pace).play(reports)


def _play_physical(
    reports: list[Report], key: OpenKey, exact: bool, pause: Callable[[], None]
) -> Replay:
    """As fast as the key answers."""
    pace = Pace(lambda true_s: None, pause)
    if reports[0].card:
        return MessagePlayer(key.device, exact, pace).play(reports)
    if not isinstance(key.device, CtapHidDevice):
        raise UnsupportedError(
            f"{key}: a session over USB cannot be replayed over PC/SC, which has no channels"
        )
    return PacketPlayer(PatientConnection(key.device._connection), exact, pace).play(reports)
