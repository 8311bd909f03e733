"""A whole security key: a profile, its storage, and an interface while it has power."""

from firmware_sim.card.applications import make_card
from firmware_sim.card.card import SmartCard
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.u2f import VERSION, U2f
from firmware_sim.identity import Identity, read_identity
from firmware_sim.link.ctaphid import CtapHid
from firmware_sim.profiles import Profile, ProfileError
from firmware_sim.vendor_commands import vendor_commands
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy
from firmware_sim.world.finger import Finger, touch_at_once
from firmware_sim.world.flash import Flash, MemoryFlash, PowerCutError


class UnpluggedError(OSError):
    """The key has no power: there is nothing to read from or write to."""


class SecurityKey:
    """Plugged in when made; ``flash`` keeps its state, ``finger`` is its user's.

    It has power over USB, and then :attr:`link`, or on a card reader, and then :attr:`card`.

    New flash records the profile and ``serial_number``. Flash of a key that there was before
    gives its serial number, and must be of the same profile (ProfileError).

    ``winks`` counts CTAPHID_WINK since it was made.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        clock: Clock,
        entropy: Entropy,
        flash: Flash | None = None,
        finger: Finger | None = None,
        serial_number: str = "VIRTUAL-0001",
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.entropy = entropy
        self.flash: Flash = flash if flash is not None else MemoryFlash()
        self.serial_number = self._identify(Identity(profile.name, serial_number)).serial_number
        self._finger = finger if finger is not None else touch_at_once()
        self._link: CtapHid | None = None
        self._card: SmartCard | None = None
        self._authenticator: Authenticator | None = None
        self.u2f: U2f | None = None
        self.winks = 0
        self.power_on()

    @property
    def finger(self) -> Finger:
        return self._finger

    @finger.setter
    def finger(self, finger: Finger) -> None:
        self._finger = finger
        if self._authenticator is not None:
            self._authenticator.finger = finger

    @property
    def powered(self) -> bool:
        return self._authenticator is not None

    @property
    def on_reader(self) -> bool:
        """Whether it has power, and from a card reader."""
        return self._card is not None

    @property
    def link(self) -> CtapHid:
        """The HID interface; :class:`UnpluggedError` without power over USB."""
        if self._link is None:
            raise self._unplugged
        return self._link

    @property
    def card(self) -> SmartCard:
        """The card; :class:`UnpluggedError` without power from a reader."""
        if self._card is None:
            raise self._unplugged
        return self._card

    @property
    def _unplugged(self) -> UnpluggedError:
        return UnpluggedError(f"{self.profile.product_name} {self.serial_number} is unplugged")

    def _identify(self, new: Identity) -> Identity:
        recorded = read_identity(self.flash)
        if recorded is None:
            self.flash.write(new.changes)
            return new
        if recorded.profile != new.profile:
            raise ProfileError(f"it holds a key of profile {recorded.profile}, not {new.profile}")
        return recorded

    def power_on(self, *, as_card: bool = False) -> None:
        """Plug in, or lay on a card reader; a key that has this power already stays as it is.

        ValueError for a card if the model is none.
        """
        if as_card and not self.profile.card_applications:
            raise ValueError(f"{self.profile.name} is a model without NFC or CCID")
        if (self._card if as_card else self._link) is not None:
            return
        self.power_off()  # there is one chip, with one supply
        profile = self.profile
        self._authenticator = Authenticator(
            profile,
            self.clock,
            self.entropy,
            self.flash,
            self._finger,
            transport="nfc" if as_card and "nfc" in profile.transports else "usb",
            serial_number=self.serial_number,
        )
        if VERSION in profile.versions:
            self.u2f = U2f(self._authenticator)
        if as_card:
            self._card = make_card(self._authenticator, self.u2f, self.serial_number)
            return
        self._link = CtapHid(
            None if profile.versions == (VERSION,) else self._authenticator,
            self.clock,
            self.entropy,
            profile.device_version,
            self._wink if profile.wink else None,
            None if self.u2f is None else self.u2f.answer,
            lock=profile.ctaphid_lock,
            vendor=vendor_commands(profile, self.serial_number, self.entropy),
        )

    def power_off(self) -> None:
        """Pull out: the command under way and every channel are gone, flash stays."""
        if self._link is not None:
            self._link.power_off()
        if self._card is not None:
            self._card.power_off()
        self._link = self._card = self._authenticator = self.u2f = None

    def power_cycle(self) -> None:
        """Take the power away and give it again, in the same way."""
        as_card = self.on_reader
        self.power_off()
        self.power_on(as_card=as_card)

    def write(self, report: bytes) -> None:
        """An OUT report; a power cut planned in ``flash`` leaves the key unplugged."""
        try:
            self.link.write(report)
        except PowerCutError:
            self._cut()

    def transmit(self, command: bytes) -> None:
        """A command APDU for the card; a power cut as with :meth:`write`."""
        try:
            self.card.write(command)
        except PowerCutError:
            self._cut()

    def poll(self) -> None:
        """Let time pass for the key, see :meth:`CtapHid.poll` and :meth:`SmartCard.poll`."""
        try:
            (self._card or self.link).poll()
        except PowerCutError:
            self._cut()

    def _cut(self) -> None:
        self.power_off()
        raise self._unplugged  # the host sees the device vanish

    def _wink(self) -> None:
        self.winks += 1
