"""The one door to the device side: make virtual devices, and plug them in.

>>> world = World(seed=1)
>>> device = connect(world.security_key())  # python-fido2's own CtapHidDevice
>>> token = world.token()
>>> len(token.code())
6
"""

import hashlib
import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fido2.hid
from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

from firmware_sim.fido import cbor
from firmware_sim.fido.ca import root_certificate, root_certificate_pem
from firmware_sim.fido.metadata import metadata_blob
from firmware_sim.identity import Identity, new_serial_number, read_identity, without_identity
from firmware_sim.link.faults.plan import FaultPlan, FaultPlanError, load_plan, parse_plan
from firmware_sim.link.faults.wire import Faults
from firmware_sim.link.hid_report import REPORT_DESCRIPTOR
from firmware_sim.otp.batch_file import read_batch, ship_batch
from firmware_sim.otp.battery import Battery
from firmware_sim.otp.display import Display
from firmware_sim.otp.factory import Batch, Factory
from firmware_sim.otp.grade import GRADES, Grade, grade, read_grade
from firmware_sim.otp.private_file import write_private_files
from firmware_sim.otp.seed_file import csv_file, write_csv, write_pskc
from firmware_sim.otp.token import EmptyBatteryError, HardwareToken, TokenKind, TokenSpec
from firmware_sim.port import PORTS, PortError, make_port, packet_port
from firmware_sim.port.in_process import InProcessConnection, hid_descriptor
from firmware_sim.profiles import Profile, load_profile, profile_names
from firmware_sim.security_key import SecurityKey, UnpluggedError
from firmware_sim.state_file import (
    KeyState,
    clone_state,
    inspect_state,
    restore_state,
    snapshot_flash,
    snapshot_state,
)
from firmware_sim.world.clock import START_S, AdvancedClock, Clock, SimulatedClock, SystemClock
from firmware_sim.world.entropy import Entropy, OsEntropy, SeededEntropy
from firmware_sim.world.environment import (
    PLACES,
    Constant,
    DailyCycle,
    Environment,
    Schedule,
    daily_angle,
    daily_moments,
    place,
)
from firmware_sim.world.finger import (
    Finger,
    Placement,
    Press,
    RemoteFinger,
    ScriptedFinger,
    TerminalFinger,
    Touch,
    TouchAfter,
    never_touch,
    touch_at_once,
)
from firmware_sim.world.flash import Flash, FlashError, MemoryFlash, PowerCutError, SqliteFlash
from firmware_sim.world.noise import (
    LEAF_S,
    LEVELS,
    SPAN_S,
    midpoint,
    midpoint_law,
    noise_key,
    span_end,
)
from firmware_sim.world.oscillator import (
    LIFE_S,
    YEAR_S,
    Crystal,
    Oscillator,
    ageing_ppm,
    noise_variances,
    steady_error_s,
)
from firmware_sim.world.philox import KEY_STEP as PHILOX_KEY_STEP
from firmware_sim.world.philox import MULTIPLIER as PHILOX_MULTIPLIER
from firmware_sim.world.philox import ROUNDS as PHILOX_ROUNDS
from firmware_sim.world.token_clock import (
    BatteryChange,
    ClockEvent,
    RateChange,
    Step,
    Stuck,
    TokenClock,
)

if TYPE_CHECKING:  # asyncio is for those who serve
    from firmware_sim.port.wire import Plug, Port, Tap

__all__ = [
    "GRADES",
    "LEAF_S",
    "LEVELS",
    "LIFE_S",
    "PHILOX_KEY_STEP",
    "PHILOX_MULTIPLIER",
    "PHILOX_ROUNDS",
    "PLACES",
    "PORTS",
    "REPORT_DESCRIPTOR",
    "SPAN_S",
    "START_S",
    "YEAR_S",
    "AdvancedClock",
    "Batch",
    "Battery",
    "BatteryChange",
    "Clock",
    "ClockEvent",
    "Constant",
    "Crystal",
    "DailyCycle",
    "Display",
    "EmptyBatteryError",
    "Entropy",
    "Environment",
    "Factory",
    "FaultPlan",
    "FaultPlanError",
    "Faults",
    "Finger",
    "Flash",
    "FlashError",
    "Grade",
    "HardwareToken",
    "Identity",
    "InProcessConnection",
    "KeyState",
    "MemoryFlash",
    "OsEntropy",
    "Oscillator",
    "Placement",
    "Plug",
    "Port",
    "PortError",
    "PowerCutError",
    "Press",
    "Profile",
    "RateChange",
    "RemoteFinger",
    "Schedule",
    "ScriptedFinger",
    "SecurityKey",
    "SeededEntropy",
    "SimulatedClock",
    "SqliteFlash",
    "Step",
    "Stuck",
    "SystemClock",
    "Tap",
    "TerminalFinger",
    "TokenClock",
    "TokenKind",
    "TokenSpec",
    "Touch",
    "TouchAfter",
    "UnpluggedError",
    "World",
    "ageing_ppm",
    "clone_state",
    "connect",
    "csv_file",
    "daily_angle",
    "daily_moments",
    "grade",
    "inspect_state",
    "load_plan",
    "load_profile",
    "make_port",
    "metadata_blob",
    "midpoint",
    "midpoint_law",
    "never_touch",
    "noise_key",
    "noise_variances",
    "packet_port",
    "parse_plan",
    "place",
    "plugged",
    "plugged_key",
    "profile_names",
    "read_batch",
    "read_grade",
    "read_identity",
    "restore_state",
    "root_certificate",
    "root_certificate_pem",
    "ship_batch",
    "snapshot_flash",
    "snapshot_state",
    "span_end",
    "steady_error_s",
    "touch_at_once",
    "without_identity",
    "write_csv",
    "write_private_files",
    "write_pskc",
]


class World:
    """One clock and one source of randomness, shared by all devices made here.

    The clock is simulated unless one is given, and then starts at ``start_s`` (seconds since the
    Unix epoch, UTC). With a ``seed`` each device depends on the seed and its own name alone, so
    that making one more changes no other; without one the operating system's randomness is used.
    """

    def __init__(
        self,
        seed: int | str | None = None,
        start_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(seed, int | str | None):
            raise TypeError(f"a seed is an int or text, not {seed!r} ({type(seed).__name__})")
        if clock is not None and start_s is not None:
            raise ValueError("give a clock or the time at which a simulated one starts, not both")
        if clock is None:
            clock = SimulatedClock() if start_s is None else SimulatedClock(start_s)
        self.clock = clock
        self.entropy = OsEntropy() if seed is None else SeededEntropy(seed)
        self._made: Counter[str] = Counter()

    def child_entropy(self, label: str) -> Entropy:
        """A stream of its own for ``label``: always the same one for a seed."""
        if isinstance(self.entropy, SeededEntropy):
            return self.entropy.child(label)
        return self.entropy

    def make_batch(
        self, prefix: str, count: int = 1, *, first: int | None = None, **options: Any
    ) -> Batch:
        """Make ``count`` hardware tokens now; ``options`` are those of ``Factory.make_batch``.

        Serial numbers are ``prefix`` and a number from ``first`` on, by default the one after
        the last made here with that prefix.
        """
        if first is None:
            first = self._made[prefix] + 1
        factory = Factory(self.child_entropy("factory"), self.clock.now())
        batch = factory.make_batch(prefix, count, first, **options)
        self._made[prefix] = max(self._made[prefix], first + count - 1)
        return batch

    def token(
        self,
        spec: TokenSpec | None = None,
        *,
        place: "str | Environment" = "desk",
        flash: Flash | None = None,
        battery: Battery | None = None,
        prefix: str = "TKTEST",
        **options: Any,
    ) -> HardwareToken:
        """A hardware token lying at ``place``: that of ``spec``, or a new one made here."""
        if spec is None:
            spec = self.make_batch(prefix, **options).tokens[0]
        elif options:
            raise ValueError(f"a finished token takes no options: {', '.join(sorted(options))}")
        environment = _place(place) if isinstance(place, str) else place
        return HardwareToken(spec, self.clock, Schedule(environment), flash, battery)

    def security_key(
        self,
        profile: str | Profile | None = None,
        *,
        name: str | None = None,
        flash: Flash | None = None,
        finger: Finger | None = None,
        faults: FaultPlan | None = None,
    ) -> SecurityKey:
        """A security key; its secrets and serial number follow from the seed and ``name``.

        Without a name the keys are ``key``, ``key-2``, ``key-3`` and so on. Where ``flash`` is
        that of an earlier key, this is that key, and the seed is for what it draws from now on.
        The profile is the earlier key's by default, else ``reference``. The finger touches at
        once by default; nothing goes wrong without ``faults``. ValueError if there is no such
        profile, or ``flash`` is of another.
        """
        recorded = None if flash is None else read_identity(flash)
        if profile is None:
            profile = "reference" if recorded is None else recorded.profile
        if isinstance(profile, str):
            profile = load_profile(profile)
        if name is None:
            self._made["security key"] += 1
            number = self._made["security key"]
            name = "key" if number == 1 else f"key-{number}"
        stream = f"security key {name}"
        if flash is not None and recorded is not None:
            # drawn from its beginning again, the stream would give the same credentials again
            stream += f" from {hashlib.sha256(cbor.encode(dict(flash.items()))).hexdigest()}"
        return SecurityKey(
            profile,
            clock=self.clock,
            entropy=self.child_entropy(stream),
            flash=flash,
            finger=finger,
            serial_number=new_serial_number(self.child_entropy(f"serial number {name}")),
            faults=faults,
        )


_place = place  # the parameter of World.token hides the function


Wrap = Callable[[HidDescriptor, CtapHidConnection], CtapHidConnection]
"""Puts something around a connection, such as what records it."""


def connect(key: SecurityKey, wrap: Wrap | None = None) -> CtapHidDevice:
    """Open ``key``, plugging it in if need be: python-fido2's device over 64-byte reports."""
    key.power_on()
    descriptor = hid_descriptor(key, f"virtual/{key.profile.name}-{key.serial_number}")
    connection: CtapHidConnection = InProcessConnection(key)
    return CtapHidDevice(descriptor, wrap(descriptor, connection) if wrap else connection)


@dataclass
class _Slot:
    """A virtual USB port with a key in it; ``uses`` counts the contexts that hold it there."""

    key: SecurityKey
    descriptor: HidDescriptor
    uses: int = 0


_slots: dict[str, _Slot] = {}
_lock = threading.RLock()
# what python-fido2 had before the first key was plugged in
_originals: dict[str, Any] = {}


@contextmanager
def plugged(*keys: SecurityKey) -> Iterator[list[str]]:
    """Plug ``keys`` in for every python-fido2 program in this process; yields their paths.

    ``CtapHidDevice.list_devices()``, ``fido2.hid.open_device`` and what they rest on see these
    keys beside the real ones. On leaving the keys are pulled out and lose power: they vanish, and
    open devices raise OSError. May be nested; a key plugged in twice stays until the last leaves.
    """
    with ExitStack() as stack:
        paths = []
        for key in keys:
            paths.append(_plug_in(key))
            stack.callback(_pull_out, key)
        yield paths


def plugged_key(path: str) -> SecurityKey | None:
    """The virtual key that is plugged in at ``path`` of its HID descriptor, if any."""
    slot = _slots.get(path)
    return None if slot is None else slot.key


def _plug_in(key: SecurityKey) -> str:
    with _lock:
        path = next((path for path, slot in _slots.items() if slot.key is key), None)
        if path is None:
            key.power_on()
            paths = (f"virtual/{key.profile.name}-{number}" for number in itertools.count(1))
            path = next(path for path in paths if path not in _slots)
            if not _slots:
                _patch()
            _slots[path] = _Slot(key, hid_descriptor(key, path))
        _slots[path].uses += 1
        return path


def _pull_out(key: SecurityKey) -> None:
    with _lock:
        path, slot = next(each for each in _slots.items() if each[1].key is key)
        slot.uses -= 1
        if slot.uses:
            return
        del _slots[path]
        if not _slots:
            _restore()
        key.power_off()


def _patch() -> None:
    """Replace the functions that ``fido2.hid`` looks up by name at each call."""
    for replacement in (list_descriptors, get_descriptor, open_connection):
        name = replacement.__name__
        _originals[name] = getattr(fido2.hid, name)
        setattr(fido2.hid, name, replacement)


def _restore() -> None:
    while _originals:
        setattr(fido2.hid, *_originals.popitem())


def _slot_at(path: str | bytes) -> _Slot | None:
    return _slots.get(os.fsdecode(path))


def _original(name: str) -> Any:
    """python-fido2's own function, also for a caller that outlived the last virtual key."""
    return _originals.get(name) or getattr(fido2.hid, name)


def list_descriptors() -> list[HidDescriptor]:
    """In the place of ``fido2.hid.list_descriptors`` while a key is plugged in."""
    with _lock:
        virtual = [slot.descriptor for slot in _slots.values()]
        real = _original("list_descriptors")
    return [*real(), *virtual]


def get_descriptor(path: str | bytes) -> HidDescriptor:
    """In the place of ``fido2.hid.get_descriptor``."""
    with _lock:
        slot, real = _slot_at(path), _original("get_descriptor")
    descriptor: HidDescriptor = slot.descriptor if slot else real(path)
    return descriptor


def open_connection(descriptor: HidDescriptor) -> CtapHidConnection:
    """In the place of ``fido2.hid.open_connection``."""
    with _lock:
        slot, real = _slot_at(descriptor.path), _original("open_connection")
    connection: CtapHidConnection = InProcessConnection(slot.key) if slot else real(descriptor)
    return connection
