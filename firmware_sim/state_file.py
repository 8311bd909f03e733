"""The file in which a security key lives: copied, put back, cloned and looked into.

All work on a key without power: a file in use is a FlashError, as is one that holds no key.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.fido.credential import Credential
from firmware_sim.identity import Identity, new_serial_number, read_identity, without_identity
from firmware_sim.otp.private_file import write_private_files
from firmware_sim.profiles import load_profile
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import Entropy, SeededEntropy
from firmware_sim.world.finger import never_touch
from firmware_sim.world.flash import (
    Flash,
    FlashError,
    MemoryFlash,
    SqliteFlash,
    flash_image,
    read_flash,
)


@dataclass(frozen=True)
class KeyState:
    """What a key knows; ``credentials`` are the discoverable ones, the oldest first.

    ``counters`` are their signature counters by credential id; ``signature_counter`` is the one
    that all share, None in a model that has no such. ``fingerprints`` are the names of the
    enrolled fingers, their ids where they have none. ``contents`` is all of the flash, secrets
    and all, as every credential's ``key.secret`` is.
    """

    identity: Identity
    pin_is_set: bool
    pin_must_change: bool
    pin_retries: int
    uv_retries: int
    fingerprints: list[str]
    always_uv: bool
    enterprise_attestation: bool
    long_touch_for_reset: bool
    pin_complexity: bool
    min_pin_length: int
    min_pin_rp_ids: list[str]
    signature_counter: int | None
    counters: dict[bytes, int]
    credentials: list[Credential] = field(repr=False)
    contents: dict[str, bytes] = field(repr=False)


def inspect_state(state: Path) -> KeyState:
    """What the key in ``state`` knows, without changing the file."""
    identity, contents = _read(state)
    try:
        profile = load_profile(identity.profile)
        # a key of its own, so that what powering up writes is not the file's
        flash = MemoryFlash(contents)
        key = Authenticator(profile, SimulatedClock(), SeededEntropy(0), flash, never_touch())
        store, settings = key.credentials, key.settings
        stored = [each for rp_id in store.rp_ids() for each in store.discoverable(rp_id)]
        has_global = profile.signature_counter == "global"
        return KeyState(
            identity=identity,
            pin_is_set=key.pin.is_set,
            pin_must_change=key.pin.must_change,
            pin_retries=key.pin.retries,
            uv_retries=key.fingerprints.retries,
            fingerprints=[
                each.name or each.template_id.hex() for each in key.fingerprints.templates
            ],
            always_uv=settings.always_uv,
            enterprise_attestation=settings.enterprise_attestation,
            long_touch_for_reset=settings.long_touch_for_reset,
            pin_complexity=settings.pin_complexity,
            min_pin_length=settings.min_pin_length,
            min_pin_rp_ids=settings.min_pin_rp_ids,
            signature_counter=key.counter.last(b"") if has_global else None,
            counters={each.credential_id: key.counter.last(each.credential_id) for each in stored},
            credentials=sorted(stored, key=lambda credential: credential.created),
            contents=contents,
        )
    except (LookupError, TypeError, ValueError) as error:  # damaged, or a profile of its own
        reason = f"{type(error).__name__}: {error}"
        raise FlashError(f"{state}: its key cannot be powered up: {reason}") from error


def snapshot_state(state: Path, snapshot: Path, *, overwrite: bool = False) -> Identity:
    """Copy the key in ``state`` to ``snapshot``, a state file, too; whole or not at all.

    FileExistsError if that is there, unless ``overwrite`` is set, which replaces a state file and
    nothing else; OSError as the operating system gives it.
    """
    _, contents = _read(state)
    _demand_two(state, snapshot)
    return snapshot_flash(MemoryFlash(contents), snapshot, overwrite=overwrite)


def snapshot_flash(flash: Flash, snapshot: Path, *, overwrite: bool = False) -> Identity:
    """As :func:`snapshot_state`, of a key that is in use: the one in ``flash``."""
    identity = _identity(snapshot, flash)
    if overwrite and snapshot.exists():
        read_flash(snapshot)  # another program's file, or a key in use, is no snapshot
    write_private_files({snapshot: flash_image(dict(flash.items()))}, overwrite)
    return identity


def restore_state(snapshot: Path, state: Path) -> Identity:
    """Make the key in ``state`` as it is in ``snapshot``, in one transaction.

    In place, so that another process cannot have the key open meanwhile.
    """
    identity, contents = _read(snapshot)
    _demand_two(snapshot, state)
    with closing(SqliteFlash(state)) as flash:
        held = dict(flash.items())
        if held:
            _identity(state, flash)  # another device's state is not to be lost
        flash.write({**dict.fromkeys(held), **contents})
    return identity


def clone_state(state: Path, clone: Path, entropy: Entropy) -> Identity:
    """Make a second key with all that the one in ``state`` knows; returns who the clone is.

    Its serial number is drawn from ``entropy``. FileExistsError if ``clone`` is there.
    """
    identity, contents = _read(state)
    _demand_two(state, clone)
    twin = Identity(identity.profile, new_serial_number(entropy))
    known: Mapping[str, bytes] = without_identity(MemoryFlash(contents))
    write_private_files({clone: flash_image({**known, **twin.changes})})
    return twin


def _read(state: Path) -> tuple[Identity, dict[str, bytes]]:
    contents = read_flash(state)
    return _identity(state, MemoryFlash(contents)), contents


def _identity(state: Path, flash: Flash) -> Identity:
    try:
        identity = read_identity(flash)
    except UnicodeDecodeError:
        identity = None
    if identity is None:
        raise FlashError(f"{state}: it holds no security key")
    return identity


def _demand_two(source: Path, target: Path) -> None:
    if target.exists() and source.samefile(target):
        raise FlashError(f"{target}: it is the same file as {source}")
