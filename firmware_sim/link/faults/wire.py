"""Faults on a wire, by a plan: what is due is decided here, and done to reports and APDUs alike."""

import logging
import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import Protocol

from firmware_sim.link.faults.plan import (
    ON_CHANNELS,
    Corrupt,
    Delay,
    Direction,
    Drop,
    Duplicate,
    Fault,
    FaultPlan,
    KeepAlives,
    PowerCut,
    Reorder,
    Stall,
    Truncate,
    UnitFault,
    Unplug,
    WrongChannel,
)
from firmware_sim.world.clock import Clock
from firmware_sim.world.entropy import Entropy, SeededEntropy
from firmware_sim.world.flash import PowerCutError

log = logging.getLogger(__name__)

# how long a unit waits for the one that is to overtake it
REORDER_S = 0.1
# what waits at most in one direction: the oldest is lost, as in a full endpoint
_MAX_PARCELS = 4096


class _Trigger:
    """One fault of a plan: how often it could have happened, and how often it did."""

    def __init__(self, fault: Fault, entropy: Entropy) -> None:
        self.fault = fault
        self.entropy = entropy
        self._seen = 0
        self._fired = 0

    def fires(self) -> bool:
        fault = self.fault
        self._seen += 1
        if fault.at is not None:
            due = self._seen == fault.at
        elif fault.every is not None:
            due = self._seen % fault.every == 0
        elif fault.probability is not None:
            # drawn each time, so that how often it may happen changes nothing about when
            due = int.from_bytes(self.entropy.bytes(8), "big") < fault.probability * 2**64
        else:
            due = True
        if not due or (fault.count is not None and self._fired >= fault.count):
            return False
        self._fired += 1
        return True


class Faults:
    """A plan under way. It goes on over power cycles: what is to happen once happens once.

    ``counts`` is how many faults of each kind there were. What a fault draws depends on the seed
    and its place in the plan alone, so the same traffic meets the same faults.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        entropy = SeededEntropy(plan.seed)
        triggers = [
            _Trigger(fault, entropy.child(f"fault {number}"))
            for number, fault in enumerate(plan.fault, 1)
        ]
        self._at_units = [each for each in triggers if isinstance(each.fault, UnitFault)]
        self._at_writes = [each for each in triggers if isinstance(each.fault, PowerCut)]

    def at_unit(
        self, direction: Direction, command: str, packet: int, channels: bool
    ) -> list[tuple[Fault, Entropy]]:
        """What happens to the next unit, in the plan's order, and what to draw it from.

        A wire without ``channels`` has none of the faults that need one.
        """
        return [
            (each.fault, each.entropy)
            for each in self._at_units
            if isinstance(each.fault, UnitFault)
            and (channels or not isinstance(each.fault, ON_CHANNELS))
            and each.fault.concerns(direction, command, packet)
            and self._fires(each, f"{direction}, packet {packet} of {command or 'no message'}")
        ]

    def at_write(self) -> PowerCut | None:
        """The power cut at the next flash write, if there is one."""
        cuts = [each.fault for each in self._at_writes if self._fires(each, "flash write")]
        return next((cut for cut in cuts if isinstance(cut, PowerCut)), None)

    def _fires(self, trigger: _Trigger, where: str) -> bool:
        if not trigger.fires():
            return False
        self.counts[trigger.fault.kind] += 1
        log.info("fault: %s (%s)", trigger.fault.kind, where)
        return True


@dataclass
class _Parcel:
    """What is on its way: ``units`` that arrive together at ``due_s``."""

    units: list[bytes]
    due_s: float
    swap: bool = False  # the next one goes first
    last: bool = False  # nothing comes after it: the device is unplugged


class Device(Protocol):
    """What has a wire: a HID interface, or a card."""

    def write(self, unit: bytes, /) -> None:
        """Take one unit from the host."""

    def poll(self) -> None:
        """Do what time has made due."""

    def wake_s(self) -> float:
        """True time of the next thing that happens by itself, infinite if nothing will."""

    def power_off(self) -> None:
        """Drop all; nothing more comes out."""


class FaultyWire:
    """Units on their way between a host and a ``device``, where a plan lets things happen to them.

    For a port it is what the device is; what the device puts into its ``outbox`` arrives in
    :attr:`arrived`. Nothing sleeps: what comes later comes by :meth:`poll` at or after
    :meth:`wake_s`. A subclass knows what units are. PowerCutError once the device is unplugged.
    """

    channels = False
    """Whether units are on a channel; if not, faults that need one are ignored, and logged."""

    def __init__(
        self, device: Device, outbox: deque[bytes], clock: Clock, faults: Faults | None
    ) -> None:
        self.arrived = deque(outbox, maxlen=outbox.maxlen)
        outbox.clear()
        self._device = device
        self._outbox = outbox
        self._clock = clock
        self._faults = faults
        self._queues: dict[Direction, deque[_Parcel]] = {"out": deque(), "in": deque()}
        self._still_until_s = -math.inf
        self._unplugged = False
        self._moving = False
        self._warn()

    # -- what a subclass knows ------------------------------------------------------------------

    def locate(self, direction: Direction, unit: bytes) -> tuple[str, int]:
        """The command that a unit belongs to, and which packet of its message it is, from 1."""
        raise NotImplementedError

    def misdirected(self, unit: bytes, channel: int | None, entropy: Entropy) -> bytes:
        """The unit on another channel."""
        raise NotImplementedError

    def keep_alive(self, unit: bytes) -> bytes:
        """A keep-alive on the unit's channel."""
        raise NotImplementedError

    # -- what a port has ------------------------------------------------------------------------

    def write(self, unit: bytes) -> None:
        """Let a unit from the host go on its way; what is due arrives before this returns."""
        if self._unplugged:
            raise PowerCutError
        self._send("in", unit)

    def poll(self) -> None:
        """Let all arrive that is due."""
        if self._unplugged:
            raise PowerCutError
        self._move()
        if not self._standing_still:
            self._device.poll()
            self._collect()

    def wake_s(self) -> float:
        """True time of the next thing that happens by itself, infinite if nothing will."""
        if self._unplugged:
            return self._clock.now()
        due_s = [queue[0].due_s for queue in self._queues.values() if queue]
        return max(min(self._device.wake_s(), *due_s, math.inf), self._still_until_s)

    def power_off(self) -> None:
        """Drop all; nothing more comes out of this object."""
        self._device.power_off()
        self.arrived.clear()

    def change(self, faults: Faults | None) -> None:
        """Another plan from now on, or none; what the last one holds back moves on at once."""
        self._faults = faults
        self._still_until_s = -math.inf
        for queue in self._queues.values():
            for parcel in queue:
                parcel.due_s, parcel.swap = min(parcel.due_s, self._clock.now()), False
        self._warn()

    # -- units on their way ---------------------------------------------------------------------

    def _collect(self) -> None:
        while self._outbox:
            self._send("out", self._outbox.popleft())

    def _send(self, direction: Direction, unit: bytes) -> None:
        if self._unplugged:
            return
        command, packet = self.locate(direction, unit)
        parcel = _Parcel([unit], self._clock.now())
        if self._faults is not None:
            for fault, entropy in self._faults.at_unit(direction, command, packet, self.channels):
                self._apply(fault, entropy, parcel, unit)
        self._put(direction, parcel)
        self._move()

    def _move(self) -> None:
        """Let all arrive that is due."""
        if self._moving:  # an answer to what is just arriving: it follows
            return
        self._moving = True
        try:
            while not self._standing_still and not self._unplugged and self._arrive():
                pass
        finally:
            self._moving = False

    @property
    def _standing_still(self) -> bool:
        return self._clock.now() < self._still_until_s

    def _arrive(self) -> bool:
        """Let one parcel arrive; False if none is due."""
        now_s = self._clock.now()
        for direction, queue in self._queues.items():
            if queue and queue[0].due_s <= now_s:
                parcel = queue.popleft()
                # told at the next call, so that a port has fetched what came before
                self._unplugged = parcel.last
                if direction == "out":
                    self.arrived.extend(parcel.units)
                    return True
                for unit in parcel.units:
                    self._device.write(unit)
                    self._collect()
                return True
        return False

    def _put(self, direction: Direction, parcel: _Parcel) -> None:
        queue = self._queues[direction]
        if not parcel.units and not parcel.last:
            return
        overtaken = queue.pop() if queue and queue[-1].swap else None
        if queue:
            parcel.due_s = max(parcel.due_s, queue[-1].due_s)
        queue.append(parcel)
        if overtaken is not None:
            parcel.swap = overtaken.swap = False
            overtaken.due_s = parcel.due_s
            queue.append(overtaken)
        elif parcel.swap:
            parcel.due_s += REORDER_S
        while len(queue) > _MAX_PARCELS:
            queue.popleft()

    def _apply(self, fault: Fault, entropy: Entropy, parcel: _Parcel, unit: bytes) -> None:
        units = parcel.units
        match fault:
            case Drop():
                units.clear()
            case Corrupt():
                units[:] = [_corrupted(each, fault, entropy) for each in units]
            case Duplicate():
                units *= 1 + fault.copies
            case Reorder():
                parcel.swap = True
            case Delay():
                parcel.due_s += fault.delay_s
            case Stall():
                stall_s = math.inf if fault.stall_s is None else fault.stall_s
                self._still_until_s = max(self._still_until_s, self._clock.now() + stall_s)
            case Truncate():
                units[:] = [each[: _length(each, fault, entropy)] for each in units]
            case WrongChannel():
                units[:] = [self.misdirected(each, fault.channel, entropy) for each in units]
            case KeepAlives():
                keep_alives = [self.keep_alive(unit)] * fault.number
                self._put("out", _Parcel(keep_alives, self._clock.now()))
            case Unplug():
                parcel.last = True

    def _warn(self) -> None:
        if self._faults is not None and not self.channels:
            for fault in self._faults.plan.fault:
                if isinstance(fault, ON_CHANNELS):
                    log.warning("fault %s is ignored: there are no channels here", fault.kind)


def _corrupted(unit: bytes, fault: Corrupt, entropy: Entropy) -> bytes:
    """With as many bits flipped as the plan says, or as there are."""
    first, end = (0, len(unit)) if fault.byte is None else (fault.byte, fault.byte + 1)
    bits = list(range(8 * first, 8 * min(end, len(unit))))
    damaged = bytearray(unit)
    for _ in range(min(fault.bits, len(bits))):
        bit = bits.pop(_below(len(bits), entropy))
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def _length(unit: bytes, fault: Truncate, entropy: Entropy) -> int:
    if fault.length is not None:
        return fault.length
    return _below(len(unit), entropy) if unit else 0


def _below(limit: int, entropy: Entropy) -> int:
    """A whole number from 0 to below ``limit``, which is small: the bias is below 2^-40."""
    return int.from_bytes(entropy.bytes(8), "big") % limit
