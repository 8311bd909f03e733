"""Security keys come and go: made, cloned, pulled out, plugged in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tokenkit.keys import OpenKey, open_key
from tokenkit.scenario.key_device import KeyDevice
from tokenkit.scenario.names import Names
from tokenkit.scenario.outcomes import SkippedError
from tokenkit.scenario.record import DeviceRecord
from tokenkit.scenario.steps.base import Step
from tokenkit.virtual import MemoryFlash, connect, load_profile, without_identity

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


class ProfileName(str):
    """A shipped model of security key."""

    @classmethod
    def of(cls, value: Any) -> "ProfileName":
        """Check ``value``; ValueError with a suggestion."""
        if not isinstance(value, str):
            raise ValueError('a profile is a name in quotes, like "reference"')
        load_profile(value)
        return cls(value)


class MakeKey(Step, frozen=True, kw_only=True):
    """A security key is taken out of its box and plugged in.

    With ``tokenkit run --key SELECTOR`` a physical one takes the place of the first.
    """

    device: str
    profile: ProfileName = ProfileName("reference")

    def check(self, names: Names) -> None:
        names.make("device", "key", self.device)

    def text(self) -> str:
        return f"{self.device}, a security key, is plugged in"

    def run(self, stage: "Stage") -> Iterable[str]:
        if stage.selectors:
            opened = open_key(stage.selectors.pop(0), world=stage.world)
            stage.note(f"played by {opened}")
        else:
            key = stage.world.security_key(self.profile, name=self.device)
            opened = OpenKey.of(connect(key), "virtual", self.device, key)
        stage.add(self.device, _key_device(stage, self.device, opened))
        return ()


def _key_device(stage: "Stage", name: str, opened: OpenKey) -> KeyDevice:
    record = DeviceRecord(name, "security key", opened.serial_number or "unknown")
    return KeyDevice(record, opened, stage.clock, stage.origin, stage.person)


class CloneKey(Step, frozen=True, kw_only=True):
    """Somebody copies a key's storage, counter and all, into a second one."""

    device: str
    clone: str

    def check(self, names: Names) -> None:
        names.use("device", self.device, "key")
        names.make("clone", "key", self.clone)
        names.need_owner("device", self.device, "register")
        names.enrol(self.clone)

    def text(self) -> str:
        return f"somebody copies the storage of {self.device} into {self.clone}"

    def run(self, stage: "Stage") -> Iterable[str]:
        original = stage.key_device(self.device)
        if original.virtual is None:
            raise SkippedError("a physical key's storage cannot be copied")
        flash = original.virtual.flash
        copy = stage.world.security_key(
            original.virtual.profile, name=self.clone, flash=MemoryFlash(without_identity(flash))
        )
        clone = _key_device(
            stage, self.clone, OpenKey.of(connect(copy), "virtual", self.clone, copy)
        )
        clone.owner = original.owner
        stage.add(self.clone, clone)
        return ()


class _OnKey(Step, frozen=True, kw_only=True):
    device: str

    def check(self, names: Names) -> None:
        names.use("device", self.device, "key")


class Unplug(_OnKey, frozen=True, kw_only=True):
    """Pull the plug."""

    def text(self) -> str:
        return f"{self.device} is pulled out"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.key_device(self.device).unplug()
        return ()


class PlugIn(_OnKey, frozen=True, kw_only=True):
    """Plug a key in again."""

    def text(self) -> str:
        return f"{self.device} is plugged in"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.key_device(self.device).plug_in()
        return ()


class PowerCycle(_OnKey, frozen=True, kw_only=True):
    """Pull a key out and plug it in again."""

    def text(self) -> str:
        return f"{self.device} is pulled out and plugged in again"

    def run(self, stage: "Stage") -> Iterable[str]:
        stage.key_device(self.device).unplug()
        stage.key_device(self.device).plug_in()
        return ()
