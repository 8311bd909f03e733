"""Accounts: users and the devices they hold."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tokenkit.scenario.names import DEVICES, Names
from tokenkit.scenario.record import ACCEPTED
from tokenkit.scenario.steps.base import Attempt, Step

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


class CreateUser(Step, frozen=True, kw_only=True):
    """A user beside root."""

    user: str

    def check(self, names: Names) -> None:
        names.make("user", "user", self.user)

    def text(self) -> str:
        return f"{self.user} gets an account"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.verifier.create_user(self.user)
        return ()


class Remove(Attempt, frozen=True, kw_only=True):
    """Deactivate a device: it belongs to nobody any more."""

    device: str
    user: str | None = None

    def check(self, names: Names) -> None:
        names.use("device", self.device, *DEVICES)
        names.need_owner("device", self.device, "enrol or register")
        if self.user is not None:
            names.use("user", self.user, "user")

    def text(self) -> str:
        whose = "its account" if self.user is None else f"the account of {self.user}"
        return f"{self.device} is removed from {whose}"

    def run(self, stage: "Stage") -> Iterator[str]:
        device = stage.device(self.device)
        user = self.user or device.owner
        serial_number = device.serial_number_of(user)
        outcome = stage.ask(lambda: stage.verifier.deactivate(user, serial_number))
        if outcome == ACCEPTED:
            device.record.removed(stage.now())
        yield outcome


class ExpectDevices(Attempt, frozen=True, kw_only=True):
    """The user must hold exactly these devices."""

    devices: list[str]
    user: str = "root"

    def check(self, names: Names) -> None:
        names.use("user", self.user, "user")
        names.use_each("devices", self.devices, *DEVICES)

    def text(self) -> str:
        count = len(self.devices)
        return f"{self.user} holds {count} device{'' if count == 1 else 's'} and no other"

    def run(self, stage: "Stage") -> Iterator[str]:
        held = [device.serial_number for device in stage.verifier.devices(self.user)]
        wanted = {name: stage.device(name).serial_number_of(self.user) for name in self.devices}
        for name, serial_number in wanted.items():
            if serial_number not in held:
                stage.note(f"{self.user} does not hold {name}")
        for serial_number in held:
            if serial_number not in wanted.values():
                stage.note(f"{self.user} holds {stage.name_of(serial_number)}, too")
        if len(set(wanted.values())) < len(wanted):
            stage.note("two of these names are one device to the verifier")
        yield ACCEPTED if sorted(held) == sorted(wanted.values()) else "other-devices"
