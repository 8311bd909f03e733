"""pytest plugin: virtual tokens and keys and a verifier, all under one simulated clock.

Fixtures of one test share one world, whose randomness follows from ``--tokenkit-seed`` and the
test's id: each test comes out the same alone, in any order, and under pytest-xdist.

=================== ===============================================================================
simulated_clock     ``SimulatedClock``: the true time of all below; ``advance`` it at will
totp_token          ``HardwareToken`` lying on a desk
totp_seed_file      path of its seed file: ``verifier.import_seeds(totp_seed_file)``
virtual_key         ``OpenKey``, plugged in: ``.device`` is python-fido2's, ``.security_key`` the
                    virtual key behind it (its finger, its power), None for a physical key
verifier            ``Verifier`` in memory, on the same clock
iam_endpoint        ``IamEndpoint``: the verifier as AWS's IAM and STS, over HTTP; the environment
                    names it to boto3 and the AWS CLI
tokenkit_world      ``World``: for more tokens and keys
=================== ===============================================================================

``--tokenkit-key SELECTOR`` runs the same tests on the key that SELECTOR means, which takes the
place of ``virtual_key``; a virtual one is plugged in, too. Since tests fill slots and may erase, a
physical one is asked about once on the terminal; without one it wants ``--tokenkit-yes
--tokenkit-serial N``.
"""

# pytest imports this file in every project that has tokenkit installed: nothing heavy up here.
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tokenkit.keys import OpenKey
    from tokenkit.service.endpoint import IamEndpoint
    from tokenkit.verifier import Verifier
    from tokenkit.virtual import HardwareToken, SimulatedClock, World

_DEFAULT_KEY = "virtual:reference"
_DEFAULT_SEED = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tokenkit", "tokenkit: virtual tokens and security keys")
    group.addoption(
        "--tokenkit-key",
        metavar="SELECTOR",
        default=_DEFAULT_KEY,
        help="run virtual_key's tests on this key: auto, hid:…, pcsc:…, serial:… or virtual:…"
        f" (default {_DEFAULT_KEY})",
    )
    group.addoption(
        "--tokenkit-seed",
        metavar="SEED",
        default=_DEFAULT_SEED,
        help=f"seed of all virtual devices (default {_DEFAULT_SEED})",
    )
    group.addoption(
        "--tokenkit-yes",
        action="store_true",
        help="do not ask before using a physical key; needs --tokenkit-serial",
    )
    group.addoption(
        "--tokenkit-serial", metavar="N", help="serial number that the physical key must have"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Stop at a wrong selector before any test meets it; nothing is opened."""
    selector = config.getoption("--tokenkit-key")
    if selector == _DEFAULT_KEY:
        return
    from tokenkit.keys import SelectorError, check_selector

    try:
        check_selector(selector)
    except SelectorError as error:
        raise pytest.UsageError(f"--tokenkit-key: {error}") from None


def pytest_report_header(config: pytest.Config) -> str:
    key = config.getoption("--tokenkit-key")
    return f"tokenkit: seed {config.getoption('--tokenkit-seed')}, key {key}"


@pytest.fixture
def tokenkit_world(request: pytest.FixtureRequest) -> "World":
    """The clock and the randomness that the other fixtures share."""
    from tokenkit.virtual import World

    return World(f"{request.config.getoption('--tokenkit-seed')} {request.node.nodeid}")


@pytest.fixture
def simulated_clock(tokenkit_world: "World") -> "SimulatedClock":
    """The true time of the test's devices and verifier; it moves only when told."""
    from tokenkit.virtual import SimulatedClock

    assert isinstance(tokenkit_world.clock, SimulatedClock)
    return tokenkit_world.clock


@pytest.fixture
def totp_token(tokenkit_world: "World") -> "HardwareToken":
    """A TOTP hardware token, on a desk."""
    return tokenkit_world.token()


@pytest.fixture
def totp_seed_file(totp_token: "HardwareToken", tmp_path: Path) -> Path:
    """The seed file that came with ``totp_token``."""
    from tokenkit.virtual import write_csv

    path = tmp_path / "totp-seeds.csv"
    write_csv([totp_token.spec], path)
    return path


@pytest.fixture
def virtual_key(request: pytest.FixtureRequest, tokenkit_world: "World") -> "Iterator[OpenKey]":
    """A security key, open: virtual, or the physical one that --tokenkit-key means."""
    from tokenkit.keys import open_key
    from tokenkit.virtual import plugged

    selector = request.config.getoption("--tokenkit-key")
    with open_key(selector, world=tokenkit_world) as key:
        if key.security_key is None:
            _confirm(request.config, key)
            yield key
        else:
            with plugged(key.security_key) as [path], open_key(f"hid:{path}") as plugged_key:
                yield plugged_key


@pytest.fixture
def verifier(tokenkit_world: "World") -> "Iterator[Verifier]":
    """A verifier in memory, on the simulated clock."""
    from tokenkit.verifier import Verifier

    random_bytes = tokenkit_world.child_entropy("verifier").bytes
    with Verifier(
        "sqlite://",
        now=tokenkit_world.clock.now,
        random_bytes=random_bytes,
        sealing_key=random_bytes(32),
    ) as verifier:
        yield verifier


@pytest.fixture
def iam_endpoint(
    tokenkit_world: "World", verifier: "Verifier", monkeypatch: pytest.MonkeyPatch
) -> "Iterator[IamEndpoint]":
    """``verifier`` as a service in this process, with root's access key in the environment."""
    from tokenkit.errors import MissingExtraError

    try:
        from tokenkit.service.endpoint import (
            OTHER_CREDENTIALS,
            own_default_session,
            serving_endpoint,
        )
    except ModuleNotFoundError as error:
        if (error.name or "tokenkit").startswith("tokenkit"):
            raise
        raise MissingExtraError("iam_endpoint", "serve") from error
    with serving_endpoint(tokenkit_world, verifier) as endpoint, own_default_session():
        for name in OTHER_CREDENTIALS:
            monkeypatch.delenv(name, raising=False)
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
        yield endpoint


_confirmed = pytest.StashKey[bool]()


def _confirm(config: pytest.Config, key: "OpenKey") -> None:
    """Ask once a run whether tests may use a physical key."""
    from tokenkit.keys import RefusedError, confirm_destructive

    if config.stash.get(_confirmed, False):
        return
    capture = config.pluginmanager.getplugin("capturemanager")  # None with -p no:capture
    if capture is not None:
        capture.suspend(in_=True)
    try:
        confirm_destructive(
            key,
            "let tests fill slots and erase what is",
            config.getoption("--tokenkit-yes"),
            config.getoption("--tokenkit-serial"),
        )
    except RefusedError as error:
        # every other test would meet the same key: end the run
        pytest.exit(str(error).replace("--", "--tokenkit-"), returncode=pytest.ExitCode.USAGE_ERROR)
    finally:
        if capture is not None:
            capture.resume()
    config.stash[_confirmed] = True
