"""The policies of a service, as a TOML file: [totp], [webauthn] and [account].

The keys are the members of TotpPolicy, WebAuthnPolicy and AccountPolicy. Those in seconds are
durations such as "1 day", under their names without ``_s``; bytes are names of files, beside this
one, certificates in PEM or DER.
"""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tokenkit.errors import TokenkitError
from tokenkit.scenario.durations import Duration
from tokenkit.scenario.explain import hint, located, wrong_value
from tokenkit.scenario.lines import Lines
from tokenkit.scenario.syntax import explain_syntax
from tokenkit.verifier import AccountPolicy, TotpPolicy, ValidationError, WebAuthnPolicy
from tokenkit.verifier.attested import AttestationRules

_LARGEST = 1_000_000  # bytes
_POLICIES: dict[str, type[Any]] = {
    "totp": TotpPolicy,
    "webauthn": WebAuthnPolicy,
    "account": AccountPolicy,
}


class PolicyFileError(TokenkitError):
    """A policy file that cannot be used; the message starts with file and line.

    All mistakes that show at once are in it, a line each.
    """


@dataclasses.dataclass(frozen=True)
class Policies:
    """What a service lets pass."""

    totp: TotpPolicy
    webauthn: WebAuthnPolicy
    account: AccountPolicy


def policies(path: Path | None, origin: str) -> Policies:
    """Those of the file at ``path``; of a service at ``origin`` where it says nothing.

    PolicyFileError.
    """
    said = _Said({}, "", Lines("")) if path is None else _read(path)
    defaults = {
        "totp": {"drift": "rate"},
        "webauthn": {"rp_id": "localhost", "origin": origin},
        "account": {},
    }
    made = {}
    for table, kind in _POLICIES.items():
        before = len(said.mistakes)
        members = said.members(table)
        if len(said.mistakes) > before:
            continue  # what is missing now would be found missing
        try:
            made[table] = kind(**defaults[table] | members)
            if table == "webauthn":  # certificates and metadata are read when they are used
                AttestationRules(made[table], lambda: 0.0)
        except ValidationError as error:
            said.refused(error)
    if said.mistakes:
        raise PolicyFileError("\n".join(message for _, message in sorted(said.mistakes)))
    return Policies(**made)


@dataclasses.dataclass
class _Said:
    """What a file says, and where; ``mistakes`` with their lines."""

    data: dict[str, Any]
    file: str
    lines: Lines
    mistakes: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    def wrong(self, path: tuple[str | int, ...], message: str) -> None:
        line = self.lines[path]
        self.mistakes.append((line, f"{self.file}:{line}: {message}"))

    def members(self, table: str) -> dict[str, Any]:
        """Arguments of the policy that ``table`` is of."""
        said = self.data.get(table, {})
        if not isinstance(said, dict):
            return {}  # which is told already
        hints = get_type_hints(_POLICIES[table])
        made = {}
        for name, kind in hints.items():
            key = _key(name, kind)
            if key in said:
                made[name] = self._member(said[key], kind, (table, key), key != name)
        return made

    def _member(self, value: Any, kind: Any, path: tuple[str | int, ...], is_duration: bool) -> Any:
        try:
            if kind is bytes:
                return self._contents(msgspec.convert(value, str), path)
            if kind == tuple[bytes, ...]:
                names = msgspec.convert(value, list[str])
                return tuple(self._contents(each, (*path, n)) for n, each in enumerate(names))
            wanted = Duration if is_duration else kind
            return msgspec.convert(value, wanted, dec_hook=lambda kind, value: kind.of(value))
        except msgspec.ValidationError as error:
            message, inner = located(str(error))
            found = value
            for index in inner:
                found = found[index]
            explained = wrong_value(message, path + inner, found, _words(kind))
            self.wrong(path + inner, explained)
        except ValueError as error:
            self.wrong(path, str(error))
        return None

    def _contents(self, name: str, path: tuple[str | int, ...]) -> bytes:
        """A file's; that of a certificate as DER, whichever it is in."""
        try:
            contents = (Path(self.file).parent / name).read_bytes()
        except OSError as error:
            self.wrong(path, f"{error.filename}: {error.strerror}")
            return b""
        if path[1] == "metadata":
            return contents
        is_pem = contents.lstrip().startswith(b"-----BEGIN")
        load = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
        try:
            return load(contents).public_bytes(Encoding.DER)
        except ValueError:
            self.wrong(path, f"{name}: no certificate in PEM or DER")
            return b""

    def refused(self, error: ValidationError) -> None:
        """The policy's own words begin with the member's name."""
        member, _, rule = str(error).partition(" ")
        for table, policy in _POLICIES.items():
            for name, kind in get_type_hints(policy).items():
                if name == member and (key := _key(name, kind)) in self.data.get(table, {}):
                    self.wrong((table, key), f"{key!r} {rule}")
                    return
        self.mistakes.append((0, f"{self.file}: {error}" if self.file else str(error)))


def _read(path: Path) -> _Said:
    """The file, of which tables and keys are known. PolicyFileError."""
    file = str(path)
    try:
        with path.open("rb") as opened:
            contents = opened.read(_LARGEST + 1)
        if len(contents) > _LARGEST:
            raise PolicyFileError(f"{file}: larger than {_LARGEST} bytes: this is no policy")
        text = contents.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PolicyFileError(f"{file}: not UTF-8 text at byte {error.start}") from None
    except OSError as error:
        raise PolicyFileError(f"{file}: {error.strerror}") from None
    try:
        data, lines = tomllib.loads(text), Lines(text)
    except (ValueError, RecursionError) as error:
        line, message = explain_syntax(error, text)
        raise PolicyFileError(f"{file}:{line}: {message}") from None
    said = _Said(data, file, lines)
    for table, members in data.items():
        if table not in _POLICIES:
            said.wrong((table,), f"unknown table {table!r}; {hint(table, [*_POLICIES])}")
            continue
        if not isinstance(members, dict):
            said.wrong((table,), f"{table!r} must be a table: write [{table}] on its own line")
            continue
        known = [_key(*each) for each in get_type_hints(_POLICIES[table]).items()]
        for key in members:
            if key not in known:
                said.wrong((table, key), f"unknown key {key!r}; {hint(key, known)}")
    return said


def _key(name: str, kind: Any) -> str:
    """How a member is called in a file."""
    return name.removesuffix("_s") if kind is float else name


def _words(kind: Any) -> list[Any]:
    """Those of the Literal that ``kind`` is, or is made of."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [word for part in get_args(kind) for word in _words(part)]
