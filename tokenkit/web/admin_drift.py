"""What the log and a device say of its clock, as a chart shows it. Pure functions."""

from collections.abc import Iterable, Sequence

from tokenkit.verifier import AuditEvent, Device, TotpPolicy
from tokenkit.web.admin_chart import Drift, Point, Sighting, Window

_PROOFS = ("enable", "resync")
_LEARNED = (*_PROOFS, "sign-in")
_TRUE_POINTS = 200


def drift_of(
    device: Device,
    lines: Iterable[AuditEvent],
    policy: TotpPolicy,
    now_s: float,
    true_errors: Sequence[Point] = (),
) -> Drift:
    """From the log's lines of ``device``, oldest first, what was learned until ``now_s``.

    Lines from before it was enabled are another owner's, and count: the clock is the same.
    """
    sightings = tuple(
        Sighting(line.at_s, offset_s, line.event in _PROOFS)
        for line in lines
        if line.event in _LEARNED and (offset_s := _offset_s(device, line)) is not None
    )
    half_s = float(policy.window_steps * device.period_s)
    ends = [each.at_s for each in sightings[1:]] + [now_s]
    windows = tuple(
        _window(each.at_s, max(each.at_s, until_s), each.offset_s, half_s)
        for each, until_s in zip(sightings, ends, strict=False)
    )
    return Drift(now_s, sightings, windows, tuple(true_errors))


def _offset_s(device: Device, line: AuditEvent) -> float | None:
    if "offset_s" in line.detail:
        return float(line.detail["offset_s"])
    if "offset_steps" in line.detail:
        return float(line.detail["offset_steps"] * device.period_s)
    return None


def _window(from_s: float, until_s: float, offset_s: float, half_s: float) -> Window:
    """In which a code is sure to pass: RFC 6238's window, whole time steps to either side."""
    limits = (offset_s - half_s, offset_s + half_s)
    return Window(from_s, until_s, limits, limits)
