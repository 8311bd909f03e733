"""A service as ``tokenkit serve`` has it: its clock, its database, and what is in it at first."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tokenkit.service.clock import ServiceClock
from tokenkit.service.moments import iso
from tokenkit.service.policy_file import Policies
from tokenkit.service.service import Service
from tokenkit.verifier import Verifier
from tokenkit.verifier.seed_file import Seed
from tokenkit.virtual import SimulatedClock, SystemClock, World

_log = logging.getLogger(__name__)


@contextmanager
def opened_service(
    url: str,
    sealing_key: bytes | None,
    policies: Policies,
    *,
    simulated: bool = False,
    start_s: float | None = None,
    seeds: Sequence[Seed] = (),
    tokens: int = 0,
) -> Iterator[Service]:
    """A service on the database at ``url``.

    Its clock is the computer's, or stands still if ``simulated``; it begins at ``start_s`` where
    that is given, but never before the latest line of the log, so that time goes on where it
    was left: then a warning is logged. Those of ``seeds`` that are known already are passed over;
    ``tokens`` virtual tokens are made. The verifier's errors; ValueError for a start that is past
    by the computer's clock.
    """
    now_s = SystemClock().now()
    clock = SimulatedClock(now_s if start_s is None else start_s) if simulated else ServiceClock()
    if not simulated and start_s is not None:
        clock.set(start_s)
    with Verifier(
        url,
        now=clock.now,
        sealing_key=sealing_key,
        totp=policies.totp,
        webauthn=policies.webauthn,
        account=policies.account,
    ) as verifier:
        latest_s = verifier.latest_s()
        if latest_s is not None and latest_s > clock.now():
            if start_s is not None:
                _log.warning(
                    "the clock starts at %s, where the database's log ends, not at %s",
                    iso(latest_s),
                    iso(start_s),
                )
            clock.set(latest_s)
        service = Service(verifier, World(clock=clock))
        _import(verifier, seeds)
        if tokens:
            service.tokens.make(count=tokens)
        yield service


def _import(verifier: Verifier, seeds: Sequence[Seed]) -> None:
    known = set(verifier.known_serial_numbers([seed.serial_number for seed in seeds]))
    if new := [seed for seed in seeds if seed.serial_number not in known]:
        verifier.add_tokens(new)
