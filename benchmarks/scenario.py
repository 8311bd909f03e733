"""The shipped scenarios, from checked file to record."""

from collections.abc import Iterator

from benchmarks.measure import Row, cost_of
from tokenkit.scenario import load, run, shipped

GOALS_S = {"hardware-token": 3.0}


def rows() -> Iterator[Row]:
    scenarios = {name: load(name) for name in shipped()}
    cost = cost_of({name: lambda name=name: run(scenarios[name]) for name in scenarios})
    for name, one_s in cost.items():
        goal_s = GOALS_S.get(name)
        if goal_s is None:
            yield Row("scenario", name, one_s)
        else:
            yield Row("scenario", name, one_s, one_s, "s", f"≤ {goal_s:g}", one_s <= goal_s)
