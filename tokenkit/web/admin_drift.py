"""What the log and a device say of its clock, as a chart shows it. Pure functions."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from tokenkit.verifier import AuditEvent, Device, TotpPolicy
from tokenkit.virtual import HardwareToken
from tokenkit.web.admin_chart import Drift, Point, Sighting, Window, error_text

_PROOFS = ("enable", "resync")
_LEARNED = (*_PROOFS, "sign-in")
_TRUE_POINTS = 240
_WINDOWS = 24  # pieces of the one since the last code


def drift_of(
    device: Device,
    lines: Iterable[AuditEvent],
    policy: TotpPolicy,
    now_s: float,
    windows_at: Callable[[Sequence[float]], Sequence[tuple[float, float]]],
    true_errors: Sequence[Point] = (),
) -> Drift:
    """From the log's lines of ``device``, oldest first, what was learned until ``now_s``.

    Lines from before it was enabled are another owner's, and count: the clock is the same.
    ``windows_at`` tells which clock errors are accepted at times since the last code.
    """
    sightings = tuple(
        Sighting(line.at_s, float(line.detail["offset_s"]), line.event in _PROOFS)
        for line in lines
        if line.event in _LEARNED and "offset_s" in line.detail
    )
    windows: tuple[Window, ...] = ()
    if sightings:
        # under "rate" the windows before the last code are not known any more
        if policy.drift == "offset":
            windows = _standing(device, sightings, policy)
        last_s = min(sightings[-1].at_s, now_s)
        times = [last_s + n * (now_s - last_s) / _WINDOWS for n in range(_WINDOWS)] + [now_s]
        ranges = pairwise(zip(times, windows_at(times), strict=False))  # maybe there are none
        windows += tuple(
            Window(one, two, at_one, at_two) for (one, at_one), (two, at_two) in ranges
        )
    return Drift(now_s, sightings, windows, tuple(true_errors))


def _standing(
    device: Device, sightings: Sequence[Sighting], policy: TotpPolicy
) -> tuple[Window, ...]:
    """The windows from code to code, each around the offset in whole steps."""
    half_s = float(policy.window_steps * device.period_s)
    windows = []
    for one, two in pairwise(sightings):
        offset_s = round(one.offset_s / device.period_s) * device.period_s
        limits = (offset_s - half_s, offset_s + half_s)
        windows.append(Window(one.at_s, max(one.at_s, two.at_s), limits, limits))
    return tuple(windows)


def true_errors(token: HardwareToken, from_s: float, until_s: float) -> list[Point]:
    """What a simulated token's clock error really was, at moments evenly apart."""
    from_s = min(max(from_s, token.spec.made_s), until_s)
    step_s = (until_s - from_s) / (_TRUE_POINTS - 1)
    times = [from_s + n * step_s for n in range(_TRUE_POINTS - 1)] + [until_s]
    return [(at_s, token.token_clock.error_s(at_s)) for at_s in times]


def drift_facts(device: Device) -> list[tuple[str, str]]:
    """What is known of a clock now, as names and values."""
    facts = []
    if device.predicted_offset_s is not None and device.uncertainty_s is not None:
        predicted = error_text(device.predicted_offset_s)
        facts.append(("Predicted clock error", f"{predicted}, ± {device.uncertainty_s:.1f} s"))
    if device.rate_ppm is not None:
        a_month = abs(device.rate_ppm) * 30.44 * 0.0864
        way = "gains" if device.rate_ppm > 0 else "loses"
        ppm = f"{device.rate_ppm:+z.2f}".replace("-", "−")
        facts.append(("Rate", f"{ppm} ppm: it {way} {a_month:.1f} s a month"))
    if device.window_s is not None:
        low_s, high_s = device.window_s
        facts.append(("Codes are accepted", f"from {error_text(low_s)} to {error_text(high_s)}"))
    facts.append(("Wrong codes in a row", f"{device.failures}{', locked' * device.locked}"))
    return facts
