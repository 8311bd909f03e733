import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
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
