"""U2F raw messages (FIDO U2F Raw Message Formats 1.2), and status words of any card."""

import struct
from typing import Any

from tokenkit.keys.trace.marks import Marked, mark
from tokenkit.keys.trace.messages import Apdu

REGISTER, AUTHENTICATE, VERSION = 1, 2, 3
U2F_COMMANDS = {REGISTER: "U2F_REGISTER", AUTHENTICATE: "U2F_AUTHENTICATE", VERSION: "U2F_VERSION"}
_CONTROL = {0x03: "enforce-user-presence", 0x07: "check-only", 0x08: "dont-enforce-user-presence"}
_STATUS = {
    0x9000: "NO_ERROR",
    0x6700: "WRONG_LENGTH",
    0x6982: "SECURITY_STATUS_NOT_SATISFIED",
    0x6984: "DATA_INVALID",
    0x6985: "CONDITIONS_NOT_SATISFIED",
    0x6A80: "WRONG_DATA",
    0x6A82: "FILE_NOT_FOUND",
    0x6D00: "INS_NOT_SUPPORTED",
    0x6E00: "CLA_NOT_SUPPORTED",
}


def apdu_command(apdu: Apdu) -> tuple[str, Any]:
    """Name and content of a U2F command."""
    name, data = U2F_COMMANDS[apdu.ins], apdu.data
    if apdu.ins == REGISTER and len(data) == 64:
        return name, {"challenge": mark("challenge", data[:32]), "application": data[32:]}
    if apdu.ins == AUTHENTICATE and len(data) >= 65 and len(data) == 65 + data[64]:
        return name, {
            "control": _CONTROL.get(apdu.p1, apdu.p1),
            "challenge": mark("challenge", data[:32]),
            "application": data[32:64],
            "keyHandle": mark("keyHandle", data[65:]),
        }
    return name, data or None


def apdu_answer(data: bytes, asked: int | None) -> tuple[str | None, Any]:
    """Status and content of an answer; ``asked`` is the U2F command, None for any other."""
    if len(data) < 2:
        return None, data or None
    status, body = int.from_bytes(data[-2:], "big"), data[:-2]
    name = _STATUS.get(status, f"0x{status:04x}")
    if not body:
        return name, None
    if asked == REGISTER:
        return name, _registration(body)
    if asked == AUTHENTICATE and len(body) > 5:
        presence, count = struct.unpack_from(">BI", body)
        return name, {
            "userPresence": presence,
            "counter": mark("signCount", count),
            "signature": mark("signature", body[5:]),
        }
    if asked == VERSION or body in (b"U2F_V2", b"FIDO_2_0"):
        return name, body.decode("ascii", "backslashreplace")
    return name, Marked(body, secret=True)


def _registration(body: bytes) -> Any:
    if len(body) < 67 or body[0] != 5:
        return body
    end = 67 + body[66]
    certificate = end + _der_length(body[end:])
    return {
        "publicKey": mark("publicKey", body[1:66]),
        "keyHandle": mark("keyHandle", body[67:end]),
        "certificate": mark("certificate", body[end:certificate]),
        "signature": mark("signature", body[certificate:]),
    }


def _der_length(data: bytes) -> int:
    """How long the DER element at the start of ``data`` is, all of it if that is not to be told."""
    if len(data) < 2:
        return len(data)
    if data[1] < 0x80:
        return 2 + data[1]
    size = data[1] & 0x7F
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big")
