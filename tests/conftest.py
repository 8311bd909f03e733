import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# a busy machine is no failure; where CI is set Hypothesis draws the same examples each time
settings.register_profile(
    "tokenkit",
    settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# what `make fuzz` runs: other examples each time, also where CI is set
settings.register_profile(
    "nightly", settings.get_profile("tokenkit"), max_examples=20_000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tokenkit"))
