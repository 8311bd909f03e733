"""Codes read off a token or a phone, shown to the verifier."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from tokenkit.scenario.code_device import CodeDevice
from tokenkit.scenario.durations import PositiveDuration, in_words
from tokenkit.scenario.names import CODE_DEVICES, Names, WrongNameError
from tokenkit.scenario.outcomes import Expectation
from tokenkit.scenario.record import ACCEPTED, Attempted
from tokenkit.scenario.steps.base import Attempt
from tokenkit.verifier import Device
from tokenkit.virtual import EmptyBatteryError

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage

# a person comes at about the same time of day, give or take this part of the interval
_JITTER = 1 / 24
_ONE = {"1 h": "hour", "1 min": "minute", "1 s": "second"}
_MOST_SIGN_INS = 100_000


class _CodeStep(Attempt, frozen=True, kw_only=True):
    device: str

    def check(self, names: Names) -> None:
        names.use("device", self.device, *CODE_DEVICES)
        names.need_owner("device", self.device, "enrol")


class Enrol(_CodeStep, frozen=True, kw_only=True):
    """Enable a token by serial number, or an app, with two consecutive codes.

    Waits one time step between the codes.
    """

    user: str = "root"

    def check(self, names: Names) -> None:
        names.use("device", self.device, *CODE_DEVICES)
        names.use("user", self.user, "user")
        names.enrol(self.device)

    def text(self) -> str:
        return f"{self.user} enrols {self.device} with two codes"

    def run(self, stage: "Stage") -> Iterator[str]:
        device = stage.code_device(self.device)
        outcome = _show(
            stage,
            device,
            "enrol",
            device.token.two_codes,
            lambda *codes: stage.verifier.enable(
                self.user, device.serial_number, *codes, name=self.device
            ),
        )
        if outcome == ACCEPTED or not device.owner:
            device.owner = self.user
        yield outcome


class SignIn(_CodeStep, frozen=True, kw_only=True):
    """Sign in once, or ``every`` so often ``for`` a time.

    Repeated sign-ins come within a 24th of the interval about their time: an hour for a day. A code
    arrives ``entry`` after it was read.
    """

    every: PositiveDuration | None = None
    for_: PositiveDuration | None = msgspec.field(name="for", default=None)
    entry: PositiveDuration | None = None
    user: str | None = None

    def check(self, names: Names) -> None:
        super().check(names)
        if self.user is not None:
            names.use("user", self.user, "user")
        if (self.every is None) != (self.for_ is None):
            here, missing = ("every", "for") if self.for_ is None else ("for", "every")
            raise WrongNameError(here, f"{here!r} needs {missing!r} beside it")
        if self.every and self.for_ and not 1 <= self.for_ / self.every <= _MOST_SIGN_INS:
            raise WrongNameError("for", f"{self._often()} is not 1 to {_MOST_SIGN_INS} sign-ins")
        names.wait("for", self.for_ or 0)

    def _often(self) -> str:
        often = in_words(self.every or 0)
        often = _ONE.get(often, often.removeprefix("1 "))
        return f"every {often} for {in_words(self.for_ or 0)}"

    def text(self) -> str:
        return f"sign in with {self.device}" + (f" {self._often()}" if self.every else "")

    def run(self, stage: "Stage") -> Iterator[str]:
        if self.every is None or self.for_ is None:
            yield self._once(stage)
            return
        start_s = stage.now()
        count = int(self.for_ / self.every + 1e-9)
        for number in range(count):
            jitter_s = (stage.uniform() * 2 - 1) * self.every * _JITTER
            stage.wait_until(start_s + (number + 0.5) * self.every + jitter_s)
            yield self._once(stage)
            stage.progress(number + 1, count)
        stage.wait_until(start_s + self.for_)

    def _once(self, stage: "Stage") -> str:
        device = stage.code_device(self.device)
        user = self.user or device.owner

        def read() -> tuple[str, ...]:
            code = device.token.code()
            stage.wait(self.entry or 0)
            return (code,)

        return _sign_in(stage, device, "sign-in", user, read)


class Resync(_CodeStep, frozen=True, kw_only=True):
    """Give two consecutive codes, so that the verifier finds the clock again."""

    def text(self) -> str:
        return f"resynchronise {self.device} with two codes"

    def run(self, stage: "Stage") -> Iterator[str]:
        device = stage.code_device(self.device)
        yield _show(
            stage,
            device,
            "resync",
            device.token.two_codes,
            lambda *codes: stage.verifier.resync(device.owner, device.serial_number, *codes),
        )


class Replay(_CodeStep, frozen=True, kw_only=True):
    """Sign in at once with the last code that was used, as one who looked on would."""

    expect: Expectation = "replayed"

    def text(self) -> str:
        return f"somebody signs in with the last code of {self.device} again"

    def run(self, stage: "Stage") -> Iterator[str]:
        device = stage.code_device(self.device)
        if not device.last_code:
            stage.note(f"no code of {self.device} was accepted yet")
            yield "no-code"
            return
        yield _sign_in(stage, device, "replay", device.owner, lambda: (device.last_code,))


class Unlock(_CodeStep, frozen=True, kw_only=True):
    """An administrator forgets a device's wrong codes, so that it is looked at again."""

    def text(self) -> str:
        return f"an administrator unlocks {self.device}"

    def run(self, stage: "Stage") -> Iterator[str]:
        device = stage.code_device(self.device)
        yield stage.ask(lambda: stage.verifier.unlock(device.serial_number))


def _sign_in(
    stage: "Stage", device: CodeDevice, act: str, user: str, read: Callable[[], tuple[str, ...]]
) -> str:
    def request(code: str) -> Device:
        return stage.verifier.sign_in(user, code, serial_number=device.serial_number).device

    return _show(stage, device, act, read, request)


def _show(
    stage: "Stage",
    device: CodeDevice,
    act: str,
    read: Callable[[], tuple[str, ...]],
    request: Callable[..., Device],
) -> str:
    """Read codes and make a request with them; the outcome goes into the device's record."""
    answers: list[Device] = []
    codes: tuple[str, ...] = ()
    try:
        codes = read()
        stage.measure_window(device)
    except EmptyBatteryError as error:
        stage.note(str(error))
        outcome = "battery-empty"
    else:
        outcome = stage.ask(lambda: answers.append(request(*codes)))
    now_s = stage.now()
    if answers:
        device.last_code = codes[-1]
        device.record.learned(now_s, answers[0].offset_steps)
        stage.measure_window(device)
    device.record.attempts.append(
        Attempted(now_s, act, outcome, device.clock_error_s(now_s), stage.server_error_s())
    )
    return outcome
