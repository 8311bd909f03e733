"""What a verifier saw: which code of which token arrived when, and whether it was accepted."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from tokenkit.drift.log_rows import TIMES, log_rows
from tokenkit.drift.server_time import server_time_s
from tokenkit.errors import TokenkitError
from tokenkit.tables import SPREADSHEET_NUMBER, TableError, listed, text_of
from tokenkit.verifier.chain import LogLine
from tokenkit.verifier.seed_file import Seed
from tokenkit.verifier.totp import CodeGenerator, step

_MOST_BYTES = 2**30
_YES = {"accepted", "yes", "true", "1", "ok", "success", "succeeded", "pass", "passed", "valid"}
_NO = {"rejected", "refused", "no", "false", "0", "fail", "failed", "failure", "denied", "invalid"}
_UNSAID = {"", "unknown", "null", "none", "-"}


class ObservationsError(TokenkitError):
    """A file of observations that cannot be read; nothing of it was."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A code that arrived at the verifier when its clock showed ``server_s``.

    ``accepted`` is None where the log does not say. ``line`` is that of the file, from 1.
    """

    line: int
    serial_number: str
    code: str
    server_s: float
    accepted: bool | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is no observation; the serial number as far as there is one."""

    line: int
    serial_number: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.serial_number}" if self.serial_number else "")
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class Reading:
    """All of a file: its observations in their order, and the lines that are none."""

    observations: list[Observation]
    faults: list[Fault]

    def usable(self, name: str, skip_faulty: bool = False) -> list[Observation]:
        """The observations of the file, which messages call ``name``.

        ObservationsError, with its faults, if there are any; with ``skip_faulty`` only if
        there is nothing else.
        """
        if self.faults and not (skip_faulty and self.observations):
            raise ObservationsError(listed(name, self.faults, "nothing was read"))
        if not self.observations:
            raise ObservationsError(f"{name}: no observation in it")
        return self.observations


def read_observations(
    path: str | Path,
    *,
    seeds: Iterable[Seed] = (),
    zone: ZoneInfo | None = None,
    skip_faulty: bool = False,
) -> list[Observation]:
    """All observations of a file, in its order: see :func:`open_observations`.

    ObservationsError if a line is none, unless ``skip_faulty`` leaves those out; and if there is no
    other.
    """
    return open_observations(path, seeds=seeds, zone=zone).usable(str(path), skip_faulty)


def open_observations(
    path: str | Path, *, seeds: Iterable[Seed] = (), zone: ZoneInfo | None = None
) -> Reading:
    """What is in CSV, JSON Lines, or the log that ``tokenkit audit export`` writes.

    An observation has a serial number, a code, a time and mostly whether it was accepted, by the
    names in docs/observations.md. Times without an offset are local times of ``zone``. With
    ``seeds``, codes have as many digits as their token shows. The log has no codes: those of the
    sign-ins that it says were accepted follow from ``seeds`` and the steps by which the token was
    off.

    ObservationsError for a file of which no line can be understood.
    """
    by_serial = {seed.serial_number: seed for seed in seeds}
    try:
        with open(path, "rb") as file:
            contents = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ObservationsError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no name that a file can have
        raise ObservationsError(f"{str(path)!r}: {error}") from None
    observations: list[Observation] = []
    faults: list[Fault] = []
    try:
        if len(contents) > _MOST_BYTES:
            raise TableError(f"over {_MOST_BYTES // 2**20} MiB: split it")
        for found in _found(text_of(contents), by_serial, zone):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                observations.append(found)
    except TableError as error:
        raise ObservationsError(f"{path}: {error}") from None
    return Reading(observations, faults)


_Found = Iterator[Observation | Fault]


def _found(text: str, seeds: Mapping[str, Seed], zone: ZoneInfo | None) -> _Found:
    for line, row in log_rows(text):
        serial_number = ""
        try:
            if isinstance(row, str):
                raise ValueError(row)
            if isinstance(row, LogLine):
                if not seeds:
                    raise TableError("the verifier's log holds no codes: give the seeds, too")
                serial_number = row.serial_number or ""
                if row.event == "sign-in" and serial_number in seeds:
                    yield _from_log(line, row, seeds[serial_number])
                continue
            serial_number = _serial_number(row["serial"])
            seed = seeds.get(serial_number)
            yield Observation(
                line,
                serial_number,
                _code(row["code"], None if seed is None else seed.digits),
                _server_s(row, zone),
                _accepted(row.get("accepted", "")),
            )
        except ValueError as error:
            yield Fault(line, serial_number, str(error))


def _serial_number(text: str) -> str:
    if SPREADSHEET_NUMBER.fullmatch(text):
        raise ValueError(
            f"serial number {text!r} lost digits in a spreadsheet: format the column as text"
        )
    if not (0 < len(text) <= 256 and text.isprintable()):
        raise ValueError(f"serial number {text[:300]!r}: 1 to 256 printable characters")
    return text


def _code(text: str, digits: int | None) -> str:
    """``digits`` are those of its token, if that is known."""
    if not re.fullmatch(r"[0-9]+([\s-][0-9]+)*", text):  # apps show 123 456
        raise ValueError(f"code {text[:40]!r} is not 6 to 8 digits")
    code = re.sub(r"[\s-]", "", text)
    wanted = "6 to 8" if digits is None else str(digits)
    if len(code) < (digits or 6):
        raise ValueError(
            f"code {code!r} has {len(code)} digits, not {wanted}: did a spreadsheet drop zeros at"
            " the front? Format the column as text"
        )
    if len(code) > (digits or 8):
        raise ValueError(f"code {code[:40]!r} has {len(code)} digits, not {wanted}")
    return code


def _server_s(row: Mapping[str, str], zone: ZoneInfo | None) -> float:
    [(name, unit)] = ((name, unit) for name, unit in TIMES.items() if name in row)
    return server_time_s(row[name], unit, zone)


def _accepted(text: str) -> bool | None:
    word = text.casefold()
    if word in _UNSAID:
        return None
    if word not in _YES | _NO:
        raise ValueError(f"{text[:40]!r} does not say whether it was accepted: write yes or no")
    return word in _YES


def _from_log(line: int, row: LogLine, seed: Seed) -> Observation:
    """The accepted code, of which the log says only by how many steps the device was off."""
    off = row.detail.get("offset_steps")
    if not (isinstance(off, int) and abs(off) < 2**40 and 0 <= row.at_s < 2**40):
        raise ValueError("no line that tokenkit audit export wrote")
    counter = step(row.at_s, seed.period_s) + off
    [code] = CodeGenerator(seed.secret, seed.algorithm, seed.digits).codes([counter])
    return Observation(line, seed.serial_number, code.decode(), row.at_s, True)
