import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from . import postgresql as pg

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


@pytest.fixture(scope="session")
def serve_app() -> Callable[[Callable[[int], Any]], AbstractContextManager[int]]:
    """Serve the ASGI app that a function makes of a port, on loopback, in a thread; the port."""
    return _served


@contextmanager
def _served(make: Callable[[int], Any]) -> Iterator[int]:
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        config = uvicorn.Config(make(port), ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield port  # it listens already: who comes early waits a little
        finally:
            server.should_exit = True
            thread.join()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="what the verifiers of tests/tokenkit/verifier work on; others are left out",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With another database the tests that come out the same are left out.

    Those that boot a kernel come first: while one worker waits for them the others do the rest.
    """
    items.sort(key=lambda item: item.get_closest_marker("guest") is None)
    if config.getoption("--database") == "sqlite":
        return
    chosen, same = [], []
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        differs = "make_bench" in fixtures and "database_url" not in fixtures
        (chosen if differs else same).append(item)
    config.hook.pytest_deselected(items=same)
    items[:] = chosen


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[pg.Postgresql]:
    """A cluster, started when the first test asks for it."""
    missing = pg.what_is_missing()
    if missing is not None:
        if request.config.getoption("--database") == "postgresql":
            pytest.fail(missing)
        pytest.skip(missing)
    with pg.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind, in turn; on disk, so that processes can share it.

    Indirectly parametrized it may be one in memory, too.
    """
    if request.param == "memory":
        yield "sqlite://"
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/mfa.db"
    else:
        with request.getfixturevalue("postgresql").database() as url:
            yield url
