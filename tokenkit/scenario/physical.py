"""Keys named with ``--key``: asked about before a scenario touches them."""

from collections.abc import Sequence

from tokenkit.errors import TokenkitError
from tokenkit.keys import OpenKey, confirm_destructive, open_key
from tokenkit.scenario.check import Loaded
from tokenkit.scenario.steps.plug import MakeKey


def confirm_keys(
    selectors: Sequence[str], scenarios: Sequence[Loaded], yes: bool, serials: Sequence[str]
) -> None:
    """Return if ``scenarios`` may be played on these keys, else raise a TokenkitError.

    See :func:`tokenkit.keys.confirm_destructive`. A key that has a PIN already is refused where a
    scenario would enter one: each that is not the owner's costs the owner a try.
    """
    if not selectors:
        return
    cast = [_keys(loaded) for loaded in scenarios]
    most = max(map(len, cast))
    if not most:
        raise TokenkitError("--key: no security key appears in these scenarios")
    if len(selectors) > most:
        raise TokenkitError(f"--key {selectors[most]}: the scenarios have only {most} keys")
    _demand_different(selectors)
    for number, selector in enumerate(selectors):
        parts = [
            (loaded, names[number])
            for loaded, names in zip(scenarios, cast, strict=True)
            if number < len(names)
        ]
        with open_key(selector) as key:
            if key.is_virtual:
                continue
            _check_pin(key, parts)
            chosen = key.serial_number if key.serial_number in serials else None
            serial = chosen or next(iter(serials), None)
            confirm_destructive(key, "register credentials and enter PINs", yes, serial)


def _keys(loaded: Loaded) -> list[str]:
    return [step.device for step in loaded.scenario.step if isinstance(step, MakeKey)]


def _demand_different(selectors: Sequence[str]) -> None:
    taken: dict[str, str] = {}
    for selector in selectors:
        if selector in taken.values():
            raise TokenkitError(f"--key {selector} is there twice: name another key for each")
        with open_key(selector) as key:
            # a virtual key's secrets follow from its seed, as its serial number does
            identity = key.security_key.serial_number if key.security_key else key.selector
            if identity in taken:
                raise TokenkitError(
                    f"--key {taken[identity]} and --key {selector} are one key ({key}):"
                    " name another for each"
                )
        taken[identity] = selector


def _check_pin(key: OpenKey, parts: Sequence[tuple[Loaded, str]]) -> None:
    entered = [loaded.name for loaded, name in parts if _enters_pin(loaded, name)]
    if entered and key.ctap2().info.options.get("clientPin"):
        raise TokenkitError(
            f"{key}: it has a PIN, and {entered[0]} would enter others, which use up its tries;"
            " use a key without one, or leave out --key"
        )


def _enters_pin(loaded: Loaded, name: str) -> bool:
    """Whether any step, of whatever kind, has a PIN for the key called ``name``."""
    return any(
        getattr(step, "pin", None) is not None and getattr(step, "device", None) == name
        for step in loaded.scenario.step
    )
