"""Ceremonies with a security key, through python-fido2's client."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from tokenkit.scenario.names import Names
from tokenkit.scenario.steps.base import Attempt
from tokenkit.scenario.touching import Touching
from tokenkit.verifier import UserVerification

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage

Pin = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]


class SetPin(Attempt, frozen=True, kw_only=True):
    """Give a key its first PIN."""

    device: str
    pin: Pin

    def check(self, names: Names) -> None:
        names.use("device", self.device, "key")

    def text(self) -> str:
        return f"{self.device} gets a PIN"

    def run(self, stage: "Stage") -> Iterator[str]:
        key = stage.key_device(self.device)
        yield stage.ask(lambda: key.set_pin(self.pin))


class _Ceremony(Attempt, frozen=True, kw_only=True):
    """With a ``pin`` the verifier asks for user verification, else for presence alone."""

    device: str
    pin: Pin | None = None
    touch: Touching = Touching("at once")

    @property
    def user_verification(self) -> UserVerification:
        return "discouraged" if self.pin is None else "required"

    def _how(self) -> str:
        return (" and a PIN" if self.pin is not None else "") + self.touch.text()


class Register(_Ceremony, frozen=True, kw_only=True):
    """Register a key for a user."""

    user: str = "root"

    def check(self, names: Names) -> None:
        names.use("device", self.device, "key")
        names.use("user", self.user, "user")
        names.enrol(self.device)

    def text(self) -> str:
        return f"{self.user} registers {self.device} by touch{self._how()}"

    def run(self, stage: "Stage") -> Iterator[str]:
        yield stage.ask(lambda: self._ceremony(stage))

    def _ceremony(self, stage: "Stage") -> None:
        key, verifier = stage.key_device(self.device), stage.verifier
        key.owner = key.owner or self.user
        ceremony = verifier.begin_registration(self.user, user_verification=self.user_verification)
        client = key.client(self.pin, self.touch)
        response = key.ask(lambda: client.make_credential(ceremony.options.public_key))
        device = verifier.complete_registration(ceremony.id, response, name=self.device)
        key.registered(self.user, device.serial_number)


class Assert(_Ceremony, frozen=True, kw_only=True):
    """Sign in with a key, ``times`` over."""

    times: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    user: str | None = None

    def check(self, names: Names) -> None:
        names.use("device", self.device, "key")
        if self.user is not None:
            names.use("user", self.user, "user")
        names.need_owner("device", self.device, "register")

    def text(self) -> str:
        often = f" {self.times} times" if self.times > 1 else ""
        return f"sign in{often} with {self.device} by touch{self._how()}"

    def run(self, stage: "Stage") -> Iterator[str]:
        for number in range(self.times):
            yield stage.ask(lambda: self._ceremony(stage))
            stage.progress(number + 1, self.times)

    def _ceremony(self, stage: "Stage") -> None:
        key, verifier = stage.key_device(self.device), stage.verifier
        user = self.user or key.owner
        ceremony = verifier.begin_assertion(user, user_verification=self.user_verification)
        client = key.client(self.pin, self.touch)
        selection = key.ask(lambda: client.get_assertion(ceremony.options.public_key))
        verifier.complete_assertion(ceremony.id, selection.get_response(0))
