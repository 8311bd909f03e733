"""The tokens of a partition, as arrays; and one of them as the object model has it.

Token ``number`` of a batch has the crystal that the factory gives to its serial number. How long it
was in stock, where it lies and when its battery is changed are drawn from the key of its holder,
which follows from the study's seed, the batch's name and the number.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tokenkit.fleet.compiled import compiled, shared
from tokenkit.fleet.draws import (
    LIVES,
    PERSON,
    STAYS,
    between,
    two_words,
    uniform,
)
from tokenkit.fleet.layout import EVENT, STAY, TOKEN
from tokenkit.fleet.partition import Partition
from tokenkit.fleet.rows import fill_token, stay_rows
from tokenkit.fleet.study import Batch, Study
from tokenkit.scenario.durations import DAY_S, YEAR_S
from tokenkit.virtual import (
    Battery,
    BatteryChange,
    Factory,
    HardwareToken,
    Schedule,
    SeededEntropy,
    SimulatedClock,
    TokenSpec,
    daily_moments,
)

# All are enrolled within the first day of a study.
ENROLMENT_S = DAY_S
# A battery's life varies by so much of it to either side: an assumption.
_LIFE_SPREAD = 0.1
_MONTH_S = YEAR_S / 12


@dataclass(frozen=True)
class Tokens:
    """Arrays of TOKEN, STAY and EVENT; ``lies`` is the number of each stay's place."""

    tokens: Any
    stays: Any
    events: Any
    lies: Any


def serial_number(batch: Batch, number: int) -> str:
    """That of the batch's token ``number``, from 1 on."""
    return f"{batch.name}{number:08d}"


def make_tokens(study: Study, partition: Partition) -> Tokens:
    """The tokens of a partition: the same, whatever the partition they are in."""
    batch = study.batch[partition.batch]
    tokens = np.zeros(partition.count, TOKEN)
    for row, spec in zip(tokens, _specs(study, partition), strict=True):
        fill_token(row, spec)
    tokens["batch"] = partition.batch
    entropy = SeededEntropy(study.seed).child(f"people of {batch.name}")
    key = np.uint64(int.from_bytes(entropy.bytes(8), "big"))
    life_s, outage_s = np.inf, 0.0
    if batch.battery is not None:
        life_s, outage_s = float(batch.battery.life), float(batch.battery.outage)
    stays_in_all, events_in_all = _plan_kernel(
        tokens,
        key,
        partition.first,
        (study.start_s, study.end_s),
        tuple(_MONTH_S * months for months in batch.months_in_stock),
        tuple(map(float, batch.stay)),
        len(batch.places),
        life_s,
    )
    places = stay_rows(0.0, [(0.0, place.environment()) for place in batch.places])
    stays = np.zeros(stays_in_all, STAY)
    lies = np.zeros(stays_in_all, np.int64)
    events = np.zeros(events_in_all, EVENT)
    _carry_kernel(tokens, stays, lies, places, tuple(map(float, batch.stay)))
    if events_in_all:
        _wear_kernel(tokens, events, life_s, outage_s)
    return Tokens(tokens, stays, events, lies)


def object_token(study: Study, batch: int, number: int) -> tuple[HardwareToken, SimulatedClock]:
    """Token ``number`` of a batch in the object model, with all that is to come, and true time.

    It is the time of its enrolment. Its battery is so large that it never ends: that it is changed
    is an event of the token's clock.
    """
    partition = Partition(batch, number, 1)
    made = make_tokens(study, partition)
    token = made.tokens[0]
    spec = replace(next(iter(_specs(study, partition))), made_s=float(token["born_s"]))
    environments = [place.environment() for place in study.batch[batch].places]
    schedule = Schedule(environments[0])
    for stay, lies in zip(made.stays[1:], made.lies[1:], strict=True):
        schedule.move(float(stay["from_s"]), environments[lies])
    clock = SimulatedClock(float(token["enrolled_s"]))
    hardware = HardwareToken(spec, clock, schedule, battery=Battery(capacity_mah=1e9))
    for event in made.events:
        at_s = float(event["at_s"])
        hardware.token_clock.add(BatteryChange(at_s, float(event["until_s"]) - at_s))
    return hardware, clock


def _specs(study: Study, partition: Partition) -> list[TokenSpec]:
    """What the factory makes at the study's start; when it did so in truth is drawn elsewhere."""
    batch = study.batch[partition.batch]
    factory = Factory(SeededEntropy(study.seed).child("factory"), study.start_s)
    return factory.make_batch(
        batch.name, partition.count, partition.first, period_s=batch.period, grade=str(batch.grade)
    ).tokens


def _plan(
    tokens: Any,
    batch_key: Any,
    first: int,
    study_s: tuple[float, float],
    stock_s: tuple[float, float],
    stay_s: tuple[float, float],
    places: int,
    life_s: float,
) -> tuple[int, int]:
    """Fill in when each token is made and enrolled; count its stays and clock events, and all."""
    start_s, end_s = study_s
    all_stays = all_events = 0
    for index in range(tokens.size):
        token = tokens[index]
        token.person_key = two_words(batch_key, PERSON, first + index)[0]
        drawn = two_words(token.person_key, PERSON, 1)
        token.enrolled_s = start_s + ENROLMENT_S * uniform(drawn[0])
        token.born_s = token.enrolled_s - between(stock_s[0], stock_s[1], uniform(drawn[1]))
        token.first_stay, token.first_event = all_stays, all_events
        token.stays = 1
        if places > 1:
            at_s = token.enrolled_s
            while True:
                drawn = two_words(token.person_key, STAYS, token.stays)
                at_s += between(stay_s[0], stay_s[1], uniform(drawn[0]))
                if at_s >= end_s:
                    break
                token.stays += 1
        token.events = 0
        at_s = token.born_s
        while at_s < end_s:
            at_s += _life_s(token.person_key, token.events, life_s)
            if at_s < end_s:
                token.events += 1
        all_stays += token.stays
        all_events += token.events
    return all_stays, all_events


def _carry(tokens: Any, stays: Any, lies: Any, places: Any, stay_s: tuple[float, float]) -> None:
    """Fill in the stays: in the first place while in stock, then in another one each time."""
    for token in tokens:
        at_s, lie, moments = token.born_s, 0, (0.0, 0.0)
        for number in range(token.stays):
            if number > 0:
                from_s, place = at_s, places[lie]
                drawn = two_words(token.person_key, STAYS, number)
                if number == 1:
                    at_s = token.enrolled_s
                at_s += between(stay_s[0], stay_s[1], uniform(drawn[0]))
                others = places.size - 1
                lie = (lie + 1 + int(others * uniform(drawn[1]))) % places.size
                gained = daily_moments(
                    place.mean_c, place.swing_c, place.warmest_hour, from_s, at_s
                )
                moments = moments[0] + gained[0], moments[1] + gained[1]
            stay, place = stays[token.first_stay + number], places[lie]
            stay.from_s, stay.first, stay.second = at_s, moments[0], moments[1]
            stay.mean_c, stay.swing_c = place.mean_c, place.swing_c
            stay.warmest_hour = place.warmest_hour
            lies[token.first_stay + number] = lie


def _wear(tokens: Any, events: Any, life_s: float, outage_s: float) -> None:
    """Fill in the battery changes."""
    for token in tokens:
        at_s = token.born_s
        for number in range(token.events):
            at_s += _life_s(token.person_key, number, life_s)
            event = events[token.first_event + number]
            event.at_s, event.until_s = at_s, at_s + outage_s


@shared
def _life_s(person_key: Any, number: int, life_s: float) -> float:
    part = uniform(two_words(person_key, LIVES, number)[0])
    return life_s * between(1.0 - _LIFE_SPREAD, 1.0 + _LIFE_SPREAD, part)


shared(daily_moments)
_plan_kernel: Any = compiled(_plan)
_carry_kernel: Any = compiled(_carry)
_wear_kernel: Any = compiled(_wear)
