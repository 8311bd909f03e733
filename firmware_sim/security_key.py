"""A whole security key: a profile, its storage, and an interface while it has power."""

from firmware_sim.card.applications import make_card
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.u2f import VERSION, U2f
from firmware_sim.identity import Identity, read_identity
from firmware_sim.link.ctaphid import CtapHid, HidLink
from firmware_sim.link.faults.card import CardLink, FaultyCard
from firmware_sim.link.faults.flash import FaultyFlash
from firmware_sim.link.faults.hid import FaultyLink
from firmware_sim.link.faults.plan import FaultPlan
from firmware_sim.link.faults.wire import Faults, FaultyWire
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

    ``winks`` counts CTAPHID_WINK since it was made. By ``faults`` things go wrong on its wire and
    in its flash, at every port.
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
        faults: FaultPlan | None = None,
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.entropy = entropy
        self.flash: Flash = flash if flash is not None else MemoryFlash()
        self.serial_number = self._identify(Identity(profile.name, serial_number)).serial_number
        self._finger = finger if finger is not None else touch_at_once()
        self._faults = None if faults is None else Faults(faults)
        self._flash: FaultyFlash | None = None
        self._link: HidLink | None = None
        self._card: CardLink | None = None
        self._authenticator: Authenticator | None = None
        self.u2f: U2f | None = None
        self.winks = 0
        self._as_card = False
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
    def faults(self) -> Faults | None:
        """What goes wrong between this key and its host, and how often it did.

        Set it to a plan, which starts anew, or to None; what the last one held back goes on its
        way at the next :meth:`poll`. A plan goes on over power cycles.
        """
        return self._faults

    @faults.setter
    def faults(self, plan: FaultPlan | None) -> None:
        self._faults = None if plan is None else Faults(plan)
        self._place_faults()

    @property
    def powered(self) -> bool:
        return self._authenticator is not None

    @property
    def on_reader(self) -> bool:
        """Whether it has power, and from a card reader."""
        return self._card is not None

    @property
    def link(self) -> HidLink:
        """The HID interface; :class:`UnpluggedError` without power over USB."""
        if self._link is None:
            raise self._unplugged
        return self._link

    @property
    def card(self) -> CardLink:
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
        self._as_card = as_card
        self.power_off()  # there is one chip, with one supply
        profile = self.profile
        self._flash = FaultyFlash(self.flash)
        self._authenticator = Authenticator(
            profile,
            self.clock,
            self.entropy,
            self._flash,
            self._finger,
            transport="nfc" if as_card and "nfc" in profile.transports else "usb",
            serial_number=self.serial_number,
        )
        if VERSION in profile.versions:
            self.u2f = U2f(self._authenticator)
        if as_card:
            self._card = make_card(self._authenticator, self.u2f, self.serial_number)
            self._place_faults()
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
        self._place_faults()

    def power_off(self) -> None:
        """Pull out: the command under way and every channel are gone, flash stays."""
        if self._link is not None:
            self._link.power_off()
        if self._card is not None:
            self._card.power_off()
        self._link = self._card = self._flash = self._authenticator = self.u2f = None

    def power_cycle(self) -> None:
        """Take the power away and give it again, in the same way."""
        self.power_off()
        self.power_again()

    def power_again(self) -> None:
        """Give it the power that it had last: over USB, or from a card reader."""
        self.power_on(as_card=self._as_card)

    def write(self, report: bytes) -> None:
        """An OUT report; a planned power cut leaves the key unplugged (UnpluggedError)."""
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

    def _place_faults(self) -> None:
        """Put them where they happen; a key that never had any has nothing in between."""
        if self._flash is not None:
            self._flash.faults = self._faults
        wire = self._card or self._link
        if isinstance(wire, FaultyWire):
            wire.change(self._faults)
        elif self._faults is not None:
            if self._link is not None:
                self._link = FaultyLink(self._link, self.clock, self._faults)
            if self._card is not None:
                self._card = FaultyCard(self._card, self.clock, self._faults)

    def _cut(self) -> None:
        self.power_off()
        raise self._unplugged  # the host sees the device vanish

    def _wink(self) -> None:
        self.winks += 1
