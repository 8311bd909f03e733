"""What messages say: commands by name, parameters by name, secrets marked as such."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fido2.ctap import CtapError

from tokenkit.keys.serial_number import READ_CONFIG, SERIAL_TAG
from tokenkit.keys.trace import canonical
from tokenkit.keys.trace.marks import Marked, Unreadable, hide
from tokenkit.keys.trace.members import answer_members, request_members
from tokenkit.keys.trace.messages import BROADCAST, Command, Message, parse_apdu
from tokenkit.keys.trace.names import COMMANDS, CborCommand
from tokenkit.keys.trace.u2f import U2F_COMMANDS, apdu_answer, apdu_command

FIDO_APPLET = bytes.fromhex("a0000006472f0001")
_ERRORS = {
    0x01: "INVALID_CMD",
    0x02: "INVALID_PAR",
    0x03: "INVALID_LEN",
    0x04: "INVALID_SEQ",
    0x05: "MSG_TIMEOUT",
    0x06: "CHANNEL_BUSY",
    0x0A: "LOCK_REQUIRED",
    0x0B: "INVALID_CHANNEL",
    0x7F: "OTHER",
}
_KEEPALIVES = {1: "PROCESSING", 2: "UPNEEDED"}
# a nonce, and all that comes after it in the answer
_INIT_ANSWER = struct.Struct(">8sIB3sB")


@dataclass(frozen=True)
class Decoded:
    """A message in words: ``command`` of CTAPHID, ``name`` of what is asked, or of a status.

    ``content`` is a tree of values for :mod:`tokenkit.keys.trace.notation`, None if there is none.
    """

    message: Message
    command: str
    name: str | None = None
    content: Any = None


@dataclass
class _Asked:
    """What the last request on a channel was, which its answer does not repeat."""

    cbor: CborCommand | None = None
    apdu: int | None = None
    foreign: bool = False  # another applet of the card than FIDO's


class Decoder:
    """Takes the messages of a trace in order; never raises, whatever they hold."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int | None], _Asked] = {}

    def decode(self, message: Message) -> Decoded:
        asked = self._asked.setdefault((message.key, message.channel), _Asked())
        command = _command_name(message)
        if message.problem is not None:
            return Decoded(message, command, None, hide(message.payload))
        decode = _DECODERS.get(message.command)
        if decode is None:
            content = hide(message.payload) if message.payload else None
            return Decoded(message, command, None, content)
        name, content = decode(message, asked)
        return Decoded(message, command, name, content)


def _command_name(message: Message) -> str:
    if message.command == Command.MSG and message.channel is None:
        return "APDU"
    try:
        return Command(message.command).name
    except ValueError:
        if message.command == 0:
            return "?"
        return f"{'VENDOR' if message.command >= 0x40 else 'UNKNOWN'} 0x{message.command:02x}"


_Said = tuple[str | None, Any]


def _init(message: Message, asked: _Asked) -> _Said:
    data = message.payload
    if message.from_host:
        return None, {"nonce": Marked(data, varies=True)}
    if len(data) < _INIT_ANSWER.size:
        return None, data
    nonce, channel, protocol, version, capabilities = _INIT_ANSWER.unpack_from(data)
    return None, {
        "nonce": Marked(nonce, varies=True),
        "channel": Marked(f"{channel:08x}", varies=True),
        "protocol": protocol,
        "version": ".".join(map(str, version)),
        "capabilities": [
            name
            for bit, name in ((1, "WINK"), (2, "LOCK"), (4, "CBOR"), (8, "NMSG"))
            if capabilities & bit
        ],
    }


def _plain(message: Message, asked: _Asked) -> _Said:
    return None, message.payload or None


def _error(message: Message, asked: _Asked) -> _Said:
    return _one_byte(message.payload, _ERRORS)


def _keepalive(message: Message, asked: _Asked) -> _Said:
    return _one_byte(message.payload, _KEEPALIVES)


def _one_byte(data: bytes, names: dict[int, str]) -> _Said:
    if len(data) != 1:
        return None, data
    return names.get(data[0], f"0x{data[0]:02x}"), None


def _cbor(message: Message, asked: _Asked) -> _Said:
    if not message.payload:
        return None, None
    code, body = message.payload[0], message.payload[1:]
    if message.from_host:
        return _cbor_request(code, body, asked)
    status = _status_name(code)
    if not body:
        return status, None
    tree = _decoded(body)
    if asked.cbor is None or isinstance(tree, Unreadable):
        return status, hide(tree)
    return status, answer_members(asked.cbor, tree)


def _cbor_request(code: int, body: bytes, asked: _Asked) -> _Said:
    asked.cbor = COMMANDS.get(code)
    if asked.cbor is None:
        return f"0x{code:02x}", hide(_decoded(body)) if body else None
    name = asked.cbor.name
    if not body:
        return name, None
    tree = _decoded(body)
    if isinstance(tree, dict):
        number = tree.get(asked.cbor.subcommand)
        if type(number) is int and number in asked.cbor.subcommands:
            name += f".{asked.cbor.subcommands[number]}"
    return name, tree if isinstance(tree, Unreadable) else request_members(asked.cbor, tree)


def _decoded(body: bytes) -> Any:
    """The CBOR in ``body``, or all of it as a secret: what cannot be read cannot be picked over."""
    try:
        return canonical.decode(body)
    except canonical.BAD_CBOR:
        return Unreadable(body)


def _status_name(code: int) -> str:
    try:
        return CtapError.ERR(code).name
    except ValueError:
        return f"0x{code:02x}"


def _msg(message: Message, asked: _Asked) -> _Said:
    if not message.from_host:
        name, content = apdu_answer(message.payload, asked.apdu)
        return name, hide(content) if asked.foreign else content
    asked.apdu = None
    apdu = parse_apdu(message.payload)
    if apdu is None:
        return None, hide(message.payload)
    selects = message.channel is None and apdu.ins == 0xA4 and apdu.p1 == 0x04
    if selects:
        asked.foreign = apdu.data != FIDO_APPLET
        return "SELECT" if asked.foreign else "SELECT FIDO", {"aid": apdu.data}
    if asked.foreign or apdu.ins not in U2F_COMMANDS or apdu.cla:
        head = {"cla": apdu.cla, "ins": apdu.ins, "p1": apdu.p1, "p2": apdu.p2}
        return None, head | ({"data": hide(apdu.data)} if apdu.data else {})
    asked.apdu = apdu.ins
    return apdu_command(apdu)


def _read_config(message: Message, asked: _Asked) -> _Said:
    """What a YubiKey is asked for its serial number; another vendor's 0x42 is hidden."""
    config = None if message.from_host else _config(message.payload)
    if config is None:
        return None, hide(message.payload)
    serial = config.pop(SERIAL_TAG, None)
    shown: dict[Any, Any] = {f"0x{tag:02x}": value for tag, value in config.items()}
    if serial is not None:
        shown["serialNumber"] = Marked(int.from_bytes(serial, "big"), varies=True)
    return "READ_CONFIG", shown


def _config(data: bytes) -> dict[int, bytes] | None:
    """A length byte, then tag, length, value; None if ``data`` is anything else."""
    if not data or data[0] != len(data) - 1:
        return None
    found, rest = {}, data[1:]
    while rest:
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            return None
        found[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return found


_DECODERS: dict[int, Callable[[Message, _Asked], _Said]] = {
    Command.PING: _plain,
    Command.MSG: _msg,
    Command.LOCK: _plain,
    Command.INIT: _init,
    Command.WINK: _plain,
    Command.CBOR: _cbor,
    Command.CANCEL: _plain,
    Command.KEEPALIVE: _keepalive,
    Command.ERROR: _error,
    Command.POLL: _plain,
    READ_CONFIG: _read_config,
}


def channel_name(channel: int | None) -> str:
    """Eight digits, or a word where there is no channel of one's own."""
    if channel is None:
        return "card"
    return "broadcast" if channel == BROADCAST else f"{channel:08x}"
