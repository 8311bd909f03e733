"""What the log and a device say of its clock, as a chart shows it. Pure functions."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from tokenkit.verifier import AuditEvent, Device, TotpPolicy
from tokenkit.virtual import HardwareToken
from tokenkit.web.admin_chart import Drift, Point, Sighting, Window, error_text

_PROOFS = ("enable", "resync")
_LEARNED = (*_PROOFS, "sign-in")
_TRUE_POINTS = 240


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
        Sighting(line.at_s, float(line.detail["offset_s"]), line.event in _PROOFS)
        for line in lines
        if line.event in _LEARNED and "offset_s" in line.detail
    )
    return Drift(now_s, sightings, _windows(device, sightings, policy, now_s), tuple(true_errors))


def _windows(
    device: Device, sightings: Sequence[Sighting], policy: TotpPolicy, now_s: float
) -> tuple[Window, ...]:
    """With which clock errors a code is accepted now, and was since the last one.

    Under "offset" the window stands still between two codes, so those before are known, too;
    under "rate" it moves and widens, which the log does not tell.
    """
    if device.window_s is None or not sightings:
        return ()
    last_s = min(sightings[-1].at_s, now_s)
    if policy.drift == "offset":
        half_s = float(policy.window_steps * device.period_s)
        earlier = tuple(
            _standing(one.at_s, max(one.at_s, two.at_s), _whole_steps(one, device), half_s)
            for one, two in pairwise(sightings)
        )
        return (*earlier, Window(last_s, now_s, device.window_s, device.window_s))
    low_s, high_s = device.window_s
    last = sightings[-1].offset_s
    half_s = min((high_s - low_s) / 2, float(device.period_s))
    return (Window(last_s, now_s, (last - half_s, last + half_s), (low_s, high_s)),)


def _whole_steps(sighting: Sighting, device: Device) -> float:
    return float(round(sighting.offset_s / device.period_s) * device.period_s)


def _standing(from_s: float, until_s: float, offset_s: float, half_s: float) -> Window:
    limits = (offset_s - half_s, offset_s + half_s)
    return Window(from_s, until_s, limits, limits)


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
        facts.append(("Rate", f"{device.rate_ppm:+.2f} ppm: it {way} {a_month:.1f} s a month"))
    if device.window_s is not None:
        low_s, high_s = device.window_s
        facts.append(("Codes are accepted", f"from {error_text(low_s)} to {error_text(high_s)}"))
    facts.append(("Wrong codes in a row", f"{device.failures}{', locked' * device.locked}"))
    return facts
