"""Moving the clock of a service, which its log remembers: time goes on there after a restart."""

from tokenkit.scenario.document import END_S
from tokenkit.service.service import Service
from tokenkit.virtual import AdvancedClock


class ServiceClock(AdvancedClock):
    """Runs with the computer's; a token whose next code is waited for moves it ahead instead."""

    def wait_until(self, true_s: float) -> None:
        self.advance(max(0.0, true_s - self.now()))


def advance(service: Service, by_s: float) -> None:
    """Move the clock forward. ValueError at the end of the year 9998; StoreError."""
    demand_time(service, by_s)
    service.clock.advance(by_s)
    service.verifier.note_clock(by_s)


def demand_time(service: Service, left_s: float) -> None:
    """ValueError if the year 9998 ends before ``left_s`` are over."""
    if not service.clock.now() + left_s < END_S:
        raise ValueError("time ends with the year 9998: move the clock by less")


def set_to(service: Service, true_s: float) -> None:
    """Move the clock forward to ``true_s``. ValueError if that is past; StoreError."""
    now_s = service.clock.now()
    if true_s < now_s:
        raise ValueError("time does not go back: name a later one, or start a new service")
    service.clock.set(true_s)
    service.verifier.note_clock(true_s - now_s)
