"""Trees of values as text, for programs, and for comparison.

Text is CBOR's diagnostic notation (RFC 8949 §8) with members by their name; comments (RFC 8610
§G.6) stand where a value is not shown. Our own, as no package writes names and leaves secrets out.
"""

import json
from collections.abc import Mapping
from typing import Any

from tokenkit.keys.trace.marks import Marked


def diagnostic(value: Any, secrets: bool = False) -> str:
    """``value`` on one line; what is secret only if ``secrets``."""
    if isinstance(value, Marked):
        if value.secret and not secrets:
            return _redacted(value.value)
        return diagnostic(value.value, secrets)
    if isinstance(value, Mapping):
        members = (
            f"{name if type(name) is str else diagnostic(name)}: {diagnostic(each, secrets)}"
            for name, each in value.items()
        )
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(diagnostic(each, secrets) for each in value) + "]"
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)


def jsonable(value: Any, secrets: bool = False) -> Any:
    """``value`` ready for JSON: bytes in hexadecimal, null for what is secret."""
    if isinstance(value, Marked):
        return None if value.secret and not secrets else jsonable(value.value, secrets)
    if isinstance(value, Mapping):
        return {
            name if isinstance(name, str) else diagnostic(name): jsonable(each, secrets)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [jsonable(each, secrets) for each in value]
    return value.hex() if isinstance(value, bytes) else value


def comparable(value: Any, exact: bool = False) -> Any:
    """``value`` without marks, and without what varies by its nature unless ``exact``."""
    if isinstance(value, Marked):
        return None if value.varies and not exact else comparable(value.value, exact)
    if isinstance(value, Mapping):
        return {name: comparable(each, exact) for name, each in value.items()}
    if isinstance(value, list):
        return [comparable(each, exact) for each in value]
    return value


def _redacted(value: Any) -> str:
    if isinstance(value, bytes):
        return f"/ {len(value)} bytes not shown /"
    if isinstance(value, Mapping) and "not canonical CBOR" in value:
        return "/ not canonical CBOR, not shown /"
    return "/ not shown /"


def _quoted(text: str) -> str:
    """In double quotes; nothing in it can drive a terminal."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else _escaped(each) for each in quoted)


def _escaped(character: str) -> str:
    return json.dumps(character, ensure_ascii=True)[1:-1]
