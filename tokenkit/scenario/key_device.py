"""A security key in a run: python-fido2's client classes on top of the driver layer."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from fido2.client import (
    ClientError,
    DefaultClientDataCollector,
    Fido2Client,
    PinRequiredError,
    UserInteraction,
)
from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2.base import Ctap2
from fido2.ctap2.pin import ClientPin
from fido2.hid import ConnectionFailure

from tokenkit.keys import OpenKey, open_key
from tokenkit.keys.errors import device_errors, gone_errors
from tokenkit.scenario.outcomes import SkippedError
from tokenkit.scenario.person import Person
from tokenkit.scenario.record import DeviceRecord
from tokenkit.scenario.touching import Touching
from tokenkit.virtual import ScriptedFinger, SecurityKey, SimulatedClock, Touch, TouchAfter, connect

Result = TypeVar("Result")

_ERR = CtapError.ERR
_OUTCOMES = {
    _ERR.PIN_INVALID: "wrong-pin",
    _ERR.PIN_AUTH_BLOCKED: "pin-auth-blocked",
    _ERR.PIN_BLOCKED: "pin-blocked",
    _ERR.PIN_POLICY_VIOLATION: "pin-policy",
    _ERR.PIN_NOT_SET: "pin-not-set",
    _ERR.PIN_AUTH_INVALID: "pin-already-set",  # to setPIN: CTAP 2.1 section 6.5.5.5
    _ERR.CREDENTIAL_EXCLUDED: "already-registered",
    _ERR.NO_CREDENTIALS: "not-registered",
    _ERR.OPERATION_DENIED: "touch-refused",
    _ERR.USER_ACTION_TIMEOUT: "timeout",
    _ERR.ACTION_TIMEOUT: "timeout",
    _ERR.KEY_STORE_FULL: "key-full",
}


class KeyRefusal(Exception):
    """The key, not the verifier, said no; ``outcome`` is why."""

    def __init__(self, outcome: str, note: str) -> None:
        super().__init__(note)
        self.outcome = outcome


class _User(UserInteraction):
    def __init__(self, pin: str | None, tell: Callable[[str], None], blinks: str) -> None:
        self._pin = pin
        self._tell = tell
        self._blinks = blinks

    def prompt_up(self) -> None:
        self._tell(self._blinks)

    def request_pin(self, permissions: Any, rp_id: str | None) -> str | None:
        return self._pin


class _PullsPlug:
    """A finger that pulls the key out one second after it begins to blink."""

    def __init__(self, clock: SimulatedClock, key: SecurityKey) -> None:
        self._clock, self._key = clock, key

    def requested(self, reason: str, now_s: float) -> Touch:
        self._clock.call_at(now_s + 1, self._key.power_off)
        return Touch()


class KeyDevice:
    """A security key, virtual or physical; ``open`` is None while it is unplugged."""

    def __init__(
        self, record: DeviceRecord, key: OpenKey, clock: SimulatedClock, origin: str, person: Person
    ) -> None:
        self.record = record
        self.owner = ""
        self._serial_numbers: dict[str, str] = {}  # by user: a key is a device of each's own
        self.open: OpenKey | None = key
        self.virtual = key.security_key
        # it must outlive every unplugging, which closes the open key
        self._state, key.state = key.state, None
        self._selector = key.selector
        self._clock = clock
        self._origin = origin
        self._person = person
        self._client: Fido2Client | None = None
        self._client_for: tuple[str | None, Touching] | None = None

    def registered(self, user: str, serial_number: str) -> None:
        """The verifier knows the key as ``serial_number`` of ``user``."""
        self.owner = user
        self._serial_numbers[user] = serial_number
        self.record.serial_number = serial_number

    def serial_number_of(self, user: str) -> str:
        """As the verifier knows it for ``user``; before registration, as the key says."""
        return self._serial_numbers.get(user, self.record.serial_number)

    def has_serial_number(self, serial_number: str) -> bool:
        return serial_number in (self.record.serial_number, *self._serial_numbers.values())

    def client(self, pin: str | None, touch: Touching) -> Fido2Client:
        """python-fido2's client for one ceremony; :class:`KeyRefusal` if there is no key.

        The one before serves again if nothing has changed: making one costs a getInfo.
        """
        device = self._plugged().device
        self._prepare(touch)
        if self._client is None or self._client_for != (pin, touch):
            self._client = self.ask(lambda: self._new_client(device, pin, touch))
            self._client_for = pin, touch
        return self._client

    def _new_client(self, device: CtapDevice, pin: str | None, touch: Touching) -> Fido2Client:
        blinks = "" if self.virtual else f"{self.record.name} blinks: {_instruction(touch)}"
        return Fido2Client(
            device,
            client_data_collector=DefaultClientDataCollector(self._origin),
            user_interaction=_User(pin, self._person.tell, blinks),
        )

    def ask(self, request: Callable[[], Result]) -> Result:
        """Make a ``request`` of the key; :class:`KeyRefusal` if it does not do it."""
        try:
            return request()
        except PinRequiredError:
            raise KeyRefusal("pin-required", "the key demands its PIN") from None
        except (ClientError, CtapError) as error:
            self._client = None  # where getInfo fails, a client takes the key for a U2F one
            cause = error.cause if isinstance(error, ClientError) else error
            outcome = _OUTCOMES.get(cause.code) if isinstance(cause, CtapError) else None
            raise KeyRefusal(outcome or _by_client(error), str(cause or error)) from None
        except ConnectionFailure as error:  # such as when another program speaks to the key, too
            raise KeyRefusal("key-error", str(error) or "the wire gave no sense") from None
        except gone_errors() as error:
            self._lost()
            raise KeyRefusal("unplugged", str(error)) from None

    def set_pin(self, pin: str) -> None:
        """Give the key its first PIN; :class:`KeyRefusal` if it has one."""
        device = self._plugged().device
        self._client = None
        try:
            self.ask(lambda: ClientPin(Ctap2(device)).set_pin(pin))
        except ValueError as error:  # python-fido2 does not even send one that is too short
            raise KeyRefusal("pin-policy", str(error)) from None

    def unplug(self) -> None:
        """Cut the power; a person is asked to if the key is physical."""
        if self.open is None:
            return
        if self.virtual is None:
            self._person.ask(f"Pull {self.record.name} out, then press Enter")
        self._lost()

    def close(self) -> None:
        """Let go of the key, which keeps its power, and of its state file."""
        self._let_go()
        if self._state is not None:
            self._state.close()

    def _let_go(self) -> None:
        if self.open is not None:
            with suppress(*device_errors()):  # it may be gone
                self.open.close()
            self.open = self._client = None

    def plug_in(self) -> None:
        """Give it power and open it again."""
        if self.open is not None:
            return
        if self.virtual is not None:
            self.open = OpenKey.of(
                connect(self.virtual), self._selector, self.record.name, self.virtual
            )
            return
        self._person.ask(f"Plug {self.record.name} in again, then press Enter")
        self.open = open_key(self._selector)

    def _lost(self) -> None:
        """It is out: nobody need pull it."""
        if self.virtual is not None:
            self.virtual.power_off()
        self._let_go()

    def _plugged(self) -> OpenKey:
        if self.open is None:
            raise KeyRefusal("unplugged", "the key is not plugged in")
        return self.open

    def _prepare(self, touch: Touching) -> None:
        key = self.virtual
        if key is None:
            if touch == "refuse":
                raise SkippedError("a physical key cannot be told no, only be left untouched")
        elif touch == "unplug":
            key.finger = _PullsPlug(self._clock, key)
        elif touch == "refuse":
            key.finger = ScriptedFinger([None])
        else:
            key.finger = TouchAfter(float("inf") if touch == "never" else touch.delay_s)


def _by_client(error: ClientError | CtapError) -> str:
    """python-fido2's own codes, which hide some of CTAP's."""
    if isinstance(error, ClientError):
        if error.code == ClientError.ERR.TIMEOUT:
            return "timeout"
        if error.code == ClientError.ERR.DEVICE_INELIGIBLE:
            return "not-registered"
        if error.code == ClientError.ERR.CONFIGURATION_UNSUPPORTED:
            return "unsupported"
    return "key-error"


def _instruction(touch: Touching) -> str:
    if touch == "never":
        return "do not touch it"
    if touch == "unplug":
        return "pull it out"
    return f"touch it after {touch}" if touch.delay_s else "touch it"
