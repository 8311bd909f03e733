"""Virtual keys whose state outlives the process, in a file."""

import shlex
from contextlib import ExitStack
from pathlib import Path

from tokenkit import virtual
from tokenkit.keys.errors import SelectorError, UnreadableKeyError


def key_in_file(
    file: str,
    profile: virtual.Profile | None,
    world: virtual.World,
    faults: virtual.FaultPlan | None = None,
) -> tuple[virtual.SecurityKey, virtual.SqliteFlash]:
    """The key that lives in ``file``, which is made if need be; close the flash after use.

    Without a ``profile`` it is that of the key which is there. SelectorError if there is none, or
    one of another profile; UnreadableKeyError if the file cannot be used.
    """
    try:
        path = Path(file).expanduser()
        if profile is None and not path.exists():
            raise SelectorError(f"{file}: it is not there yet, {_say_profile(file)}")
        with ExitStack() as undo:
            flash = virtual.SqliteFlash(path)
            undo.callback(flash.close)
            _check(file, flash, profile)
            key = world.security_key(profile, flash=flash, faults=faults)
            undo.pop_all()
            return key, flash
    except virtual.FlashError as error:
        raise UnreadableKeyError(str(error)) from error
    except (OSError, RuntimeError) as error:  # no way there, or no home directory for ~
        raise UnreadableKeyError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    except (LookupError, TypeError, ValueError) as error:  # damaged, or a profile of its own
        reason = f"{type(error).__name__}: {error}"
        raise UnreadableKeyError(f"{file}: its key cannot be powered up: {reason}") from error


def _check(file: str, flash: virtual.SqliteFlash, profile: virtual.Profile | None) -> None:
    recorded = virtual.read_identity(flash)
    if recorded is None:
        if any(flash.items()):
            raise UnreadableKeyError(f"{file}: it is the state of something else than a key")
        if profile is None:
            raise SelectorError(f"{file}: no key is in it yet, {_say_profile(file)}")
    elif profile is not None and profile.name != recorded.profile:
        raise SelectorError(
            f"{file}: its key has profile {recorded.profile}, not {profile.name}:"
            f" write virtual:{recorded.profile}?state={file}"
        )


def _say_profile(file: str) -> str:
    return f"so say the new key's profile: {shlex.quote(f'virtual:reference?state={file}')}"
