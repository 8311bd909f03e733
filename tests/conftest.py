from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# a busy machine is no failure; where CI is set Hypothesis draws the same examples each time
settings.register_profile(
    "tokenkit",
    settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tokenkit")
