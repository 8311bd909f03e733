"""Where a scenario plays: one simulated clock, a server with its own, devices, and the record."""

from collections.abc import Callable, Iterable
from typing import Any

from tokenkit.scenario.code_device import CodeDevice
from tokenkit.scenario.key_device import KeyDevice, KeyRefusal
from tokenkit.scenario.outcomes import SkippedError, outcome_of
from tokenkit.scenario.person import Person
from tokenkit.scenario.record import ACCEPTED, ScenarioRecord, StepRecord
from tokenkit.scenario.schema import Scenario
from tokenkit.server_clock import Event
from tokenkit.verifier import AuthenticatorApp, Verifier, VerifierError
from tokenkit.virtual import Batch, SimulatedClock, World

# text of the step under way, attempts made, attempts in all
Progress = Callable[[str, int, int], None]

_SAMPLES = 600


class Stage:
    """What the steps of one run work on.

    Everything follows from ``record.seed``: the devices, the verifier's secrets, the hour of the
    day at which a person comes. ``keys`` are selectors of those that play the first ones made.
    """

    def __init__(
        self,
        record: ScenarioRecord,
        scenario: Scenario,
        keys: Iterable[str],
        person: Person,
        progress: Progress | None,
    ) -> None:
        self.world = World(seed=record.seed, start_s=record.start_s)
        assert isinstance(self.world.clock, SimulatedClock)
        self.clock = self.world.clock
        self.server_clock = scenario.server.made(
            record.start_s, self.world.child_entropy("server clock").bytes(32)
        )
        random_bytes = self.world.child_entropy("verifier").bytes
        self.totp_policy = scenario.policy.totp()
        self.verifier = Verifier(
            now=self.server_now,
            random_bytes=random_bytes,
            sealing_key=random_bytes(32),
            totp=self.totp_policy,
        )
        self.apps: dict[str, AuthenticatorApp] = {}
        self.batches: dict[str, Batch] = {}
        self.selectors = list(keys)
        self.person = person
        self.origin = self.verifier.webauthn.origin
        self._progress = progress
        self._record = record
        self._devices: dict[str, CodeDevice | KeyDevice] = {}
        self._snapshot: tuple[float, bytes] | None = None
        self._habits = self.world.child_entropy("habits")

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *exception: object) -> None:
        for device in self._devices.values():
            if isinstance(device, KeyDevice):
                device.close()
        self.verifier.close()

    # time

    def now(self) -> float:
        """True time."""
        return self.clock.now()

    def server_now(self) -> float:
        """Server time."""
        return self.server_clock.read(self.now())

    def server_error_s(self) -> float:
        """Server time minus true time."""
        return self.server_clock.error_s(self.now())

    def server_curve(self) -> list[tuple[float, float]]:
        """Samples of (true time, server time minus true time); none if that is always nothing."""
        curve = self.server_clock.curve(self._record.start_s, self.now(), _SAMPLES)
        return curve if any(error_s for _, error_s in curve) else []

    def wait(self, seconds: float) -> None:
        self.clock.advance(float(seconds))

    def wait_until(self, true_s: float) -> None:
        self.clock.wait_until(true_s)

    def uniform(self) -> float:
        """A seeded number from 0 to 1."""
        return int.from_bytes(self._habits.bytes(6), "big") / 2**48

    # the server

    def happen(self, event: Event) -> None:
        """Let ``event`` happen to the server's clock; ServerClockError while another one lasts."""
        self.server_clock = self.server_clock.with_event(event)

    def take_snapshot(self) -> None:
        """Keep what is in the database, and what time it is."""
        self._snapshot = self.now(), self.verifier.snapshot()

    def restore_snapshot(self) -> float:
        """Put the last snapshot's database back; the true time at which it was taken."""
        assert self._snapshot is not None
        taken_s, database = self._snapshot
        self.verifier.restore_snapshot(database)
        return taken_s

    # what happened

    @property
    def step(self) -> StepRecord:
        """The step under way."""
        return self._record.steps[-1]

    def note(self, text: str) -> None:
        """Add a remark to the step under way."""
        if text not in self.step.notes:
            self.step.notes.append(text)

    def progress(self, made: int, of: int) -> None:
        """Tell whoever watches how far the step under way has come."""
        if self._progress is not None:
            self._progress(self.step.text, made, of)

    def ask(self, request: Callable[[], Any]) -> str:
        """Make a request of the verifier or a key; the outcome."""
        try:
            request()
        except VerifierError as error:
            self.note(str(error))
            return outcome_of(error)
        except KeyRefusal as refusal:
            self.note(str(refusal))
            return refusal.outcome
        return ACCEPTED

    def measure_window(self, device: CodeDevice) -> None:
        """Note where the verifier looks for a device's codes now, if it predicts that."""
        if self.totp_policy.drift == "offset":
            return
        for held in self.verifier.devices():
            if held.serial_number == device.serial_number and held.window_s is not None:
                device.record.reaches.append((self.now(), *held.window_s))

    # devices

    def add(self, name: str, device: CodeDevice | KeyDevice) -> None:
        """From now on there is ``device``."""
        self._devices[name] = device
        self._record.devices.append(device.record)

    def code_devices(self) -> list[CodeDevice]:
        return [device for device in self._devices.values() if isinstance(device, CodeDevice)]

    def device(self, name: str) -> CodeDevice | KeyDevice:
        """SkippedError if the step that makes it was skipped."""
        if name not in self._devices:
            raise SkippedError(f"there is no {name!r}: its step was skipped")
        return self._devices[name]

    def code_device(self, name: str) -> CodeDevice:
        device = self.device(name)
        assert isinstance(device, CodeDevice)
        return device

    def key_device(self, name: str) -> KeyDevice:
        device = self.device(name)
        assert isinstance(device, KeyDevice)
        return device

    def name_of(self, serial_number: str) -> str:
        """The device's name in the scenario."""
        for name, device in self._devices.items():
            if device.has_serial_number(serial_number):
                return name
        return serial_number
