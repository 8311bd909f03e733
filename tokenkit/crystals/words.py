"""What a fit says, in words, and as a grade file."""

import json
from datetime import UTC, datetime

from tokenkit.crystals.fit import NAMES, PRIOR, Fit

TITLES = {
    "tolerance_ppm": "tolerance, ppm",
    "parabola_ppm_per_c2": "parabola, ppm/°C²",
    "turnover_c": "turnover, °C",
    "ageing_ppm_first_year": "ageing in the first year, ppm",
}
PLACES = {
    "tolerance_ppm": 2,
    "parabola_ppm_per_c2": 4,
    "turnover_c": 1,
    "ageing_ppm_first_year": 1,
}
_UNLIKELY = 4  # standard deviations of what data sheets have


def remarks(fit: Fit, made_is_known: bool) -> list[str]:
    """What the data cannot tell, and what is odd about them."""
    found = []
    warm_c, times_s = fit.measurements.temperatures_c, fit.measurements.times_s
    if not (fit.estimates["parabola_ppm_per_c2"].told and fit.estimates["turnover_c"].told):
        reach = f"{min(warm_c):.1f} to {max(warm_c):.1f} °C"
        what = [
            name
            for name, key in (("parabola", "parabola_ppm_per_c2"), ("turnover", "turnover_c"))
            if not fit.estimates[key].told
        ]
        found.append(
            f"These measurements, at {reach}, tell little of {' and '.join(what)}: that is the data"
            " sheets' word. Measure at temperatures that are 20 °C apart, too."
        )
    if not fit.estimates["ageing_ppm_first_year"].told:
        days = (times_s[-1] - times_s[0]) / 86_400
        found.append(f"In {days:.3g} days they tell little of ageing: go on measuring for months.")
    if not made_is_known:
        found.append(
            "When the crystal was made is not known: the tolerance is its error when it was first"
            " measured, and ageing begins there. --made says when it was."
        )
    for name, title in list(TITLES.items())[1:]:
        mean, deviation = PRIOR[name]
        if abs(fit.estimates[name].value - mean) > _UNLIKELY * deviation:
            found.append(
                f"No data sheet of a tuning-fork crystal has such a {title.split(',')[0]}."
            )
    if fit.measurements.kind == "offset":
        found.append(
            "Between two clock errors the temperature is taken to have gone in a straight line."
        )
    return found


def grade_file(fit: Fit, name: str, source: str) -> str:
    """TOML that ``tokenkit otp make --grade`` takes: all tokens get this crystal."""
    times_s = fit.measurements.times_s
    days = " to ".join(
        datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d") for at_s in (times_s[0], times_s[-1])
    )
    summary = f"measured {days}, {len(times_s)} times"
    lines = [
        f"[{json.dumps(name, ensure_ascii=False)}]",
        f"summary = {json.dumps(summary, ensure_ascii=False)}",
        f"sources = [{json.dumps(source, ensure_ascii=False)}]",
    ]
    for key in NAMES:
        estimate = fit.estimates[key]
        told = "" if estimate.told else ", mostly by data sheets"
        value = f"{key} = {{ mean = {estimate.value!r} }}"
        lines.append(f"{value}  # ±{estimate.within:.2g} in 95 % of cases{told}")
    return "\n".join(lines) + "\n"
