"""Keys named with ``--key``: asked about before a scenario touches them."""

from collections.abc import Sequence

from tokenkit.errors import TokenkitError
from tokenkit.keys import OpenKey, confirm_destructive, open_key
from tokenkit.scenario.check import Loaded
from tokenkit.scenario.steps.key import SetPin
from tokenkit.scenario.steps.plug import MakeKey


def confirm_keys(
    selectors: Sequence[str], scenarios: Sequence[Loaded], yes: bool, serials: Sequence[str]
) -> None:
    """Return if ``scenarios`` may be played on these keys, else raise a TokenkitError.

    See :func:`tokenkit.keys.confirm_destructive`. A key that has a PIN already is refused where a
    scenario would set one: its wrong guesses would be held against the owner's.
    """
    if not selectors:
        return
    cast = [_keys(loaded) for loaded in scenarios]
    if not any(cast):
        raise TokenkitError("--key: no security key appears in these scenarios")
    for number, selector in enumerate(selectors):
        parts = [names[number] for names in cast if number < len(names)]
        if not parts:
            raise TokenkitError(f"--key {selector}: the scenarios have only {number} keys")
        with open_key(selector) as key:
            if key.is_virtual:
                continue
            _check_pin(key, scenarios, parts)
            chosen = key.serial_number if key.serial_number in serials else None
            serial = chosen or next(iter(serials), None)
            confirm_destructive(key, "register credentials and enter PINs", yes, serial)


def _keys(loaded: Loaded) -> list[str]:
    return [step.device for step in loaded.scenario.step if isinstance(step, MakeKey)]


def _check_pin(key: OpenKey, scenarios: Sequence[Loaded], names: Sequence[str]) -> None:
    sets_pin = any(
        isinstance(step, SetPin) and step.device in names
        for loaded in scenarios
        for step in loaded.scenario.step
    )
    if sets_pin and key.ctap2().info.options.get("clientPin"):
        raise TokenkitError(
            f"{key}: it has a PIN, and the scenario sets its own; use a key without one"
        )
