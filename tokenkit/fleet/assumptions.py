"""What a study takes for granted, in sentences, so that a report can say it."""

from collections.abc import Iterator

from tokenkit.fleet.study import Study
from tokenkit.scenario.durations import in_words
from tokenkit.scenario.places import Place
from tokenkit.virtual import GRADES, DailyCycle


def assumptions(study: Study) -> list[str]:
    """How people sign in, what crystals and places are like, and what is left out."""
    return [
        *_person(study),
        *(_crystals(grade) for grade in _each(batch.grade for batch in study.batch)),
        _places(_each(place for batch in study.batch for place in batch.places)),
        _server(study),
        "A code is taken for right if its counter is in the window. That two codes of a window are"
        " alike by accident, about twice in a million sign-ins, is left out.",
    ]


def _each(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _person(study: Study) -> Iterator[str]:
    person = study.person
    tries = "One code is tried" if person.attempts == 1 else f"{person.attempts} codes are tried"
    following = "" if person.attempts == 1 else ", each the next one,"
    low, high = (in_words(each) for each in person.entry)
    yield (
        f"{tries}{following} before one gives up: that is a lock-out. {in_words(person.help)} later"
        " two consecutive codes resynchronise the token; where they do not, it is replaced by one"
        " with the same crystal whose clock is right."
    )
    yield f"A code arrives {low} to {high} after it was read, each time as likely as any other."


def _crystals(name: str) -> str:
    """Where the figures come from says firmware_sim/otp/crystals.toml."""
    grade = GRADES[name]
    crystal, spreads = grade.crystal, grade.spreads
    if not spreads:
        return f"Crystals of grade {name} keep true time for ever."
    tolerance, ageing = spreads["tolerance_ppm"], spreads["ageing_ppm_first_year"]
    parabola, turnover = spreads["parabola_ppm_per_c2"], spreads["turnover_c"]
    return (
        f"Crystals of grade {name} are off by {tolerance.standard_deviation:.3g} ppm (standard"
        f" deviation; none by more than {tolerance.limit:g}), lose"
        f" {-parabola.mean:g} ± {parabola.limit:g} ppm/°C² away from"
        f" {turnover.mean:g} ± {turnover.limit:g} °C, age by {ageing.standard_deviation:.3g} ppm in"
        f" the first year (none by more than {ageing.limit:g}) and then like the logarithm of time,"
        f" and wander at random: Allan deviation {_power(crystal.random_walk_adev_1day)} at a day."
    )


def _power(value: float) -> str:
    """``2 · 10⁻⁸``."""
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa} · 10{str(int(exponent)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _server(study: Study) -> str:
    """Roughly: its events are in the study file."""
    clock, events = study.server.clock, len(study.server.event)
    text = "is right at all times" if clock == "perfect" else f"is {clock}"
    if events:
        text += f", and goes wrong {'once' if events == 1 else f'{events} times'}"
    return f"The verifier's clock {text}."


def _places(names: list[str]) -> str:
    return f"Temperatures: {'; '.join(map(_place, names))}."


def _place(name: str) -> str:
    environment = Place(name).environment()
    if isinstance(environment, DailyCycle):
        return f"{name} {environment.mean_c:g} ± {environment.swing_c:g} °C each day"
    return f"{name} always"
