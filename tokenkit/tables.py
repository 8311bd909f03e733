"""Tables as people, programs and spreadsheets write them: CSV with a header line.

Separated by commas, semicolons or tabs; columns in any order, by any of their names.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokenkit.errors import TokenkitError

# such as 2.30824E+12, of which the other digits are gone
SPREADSHEET_NUMBER = re.compile(r"\d([.,]\d+)?E\+\d+", re.ASCII | re.IGNORECASE)
_SEPARATORS = ",;\t"
_SHOWN = 20  # faults
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ZIP, _XLS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an .xlsx is a ZIP archive
_LONGEST_COLUMN = 24  # of a name that is shown: what is longer may be no name, but a key


class TableError(TokenkitError):
    """A file that is no such table; no line of it can be used."""


@dataclass(frozen=True)
class Table:
    """``columns`` says of each of our names what the header calls it; ``header`` is all of it."""

    columns: Mapping[str, str]
    header: Sequence[str]
    _reader: "csv.DictReader[str]"

    def rows(self) -> Iterator[tuple[int, dict[str, str] | str]]:
        """Of each row its last line, and its fields by our names, or what is wrong with it.

        Fields are without spaces around them. Where quotes never end, nothing comes after.
        """
        try:
            for fields in self._reader:
                found: dict[str, str] | str = "not as many fields as the first line names"
                if None not in fields and None not in fields.values():
                    found = {name: fields[column].strip() for name, column in self.columns.items()}
                yield self._reader.line_num, found
        except csv.Error as error:  # there is no telling where the next line begins
            yield self._reader.reader.line_num, str(error)


def text_of(contents: bytes) -> str:
    """UTF-8, with a byte order mark or without. TableError says what it may be instead."""
    if contents.startswith(_UTF_16):
        raise TableError("UTF-16, as Excel's 'Unicode text' is: save it as 'CSV UTF-8'")
    if contents.startswith(_XLS) or (contents.startswith(_ZIP) and b"xl/workbook" in contents):
        raise TableError("this is an Excel workbook: save it as 'CSV UTF-8'")
    if contents.startswith(_ZIP):
        raise TableError("this is a ZIP archive, or a spreadsheet's own: save it as 'CSV UTF-8'")
    try:
        return contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = contents.count(b"\n", 0, error.start) + 1
        raise TableError(f"line {line}: not UTF-8 text: save it as 'CSV UTF-8'") from None


def open_table(text: str, names: Mapping[str, Collection[str]]) -> Table:
    """``names`` says of each column, by our name for it, what else it is called.

    Letters and digits alone count, in either case. The separator is that under which most columns
    are known; columns that are not are left out. TableError if two mean the same.
    """
    meanings = {plain(alias): name for name, aliases in names.items() for alias in aliases}
    readers = [
        csv.DictReader(
            io.StringIO(text, newline=""), delimiter=each, skipinitialspace=True, strict=True
        )
        for each in _SEPARATORS
    ]
    headers = [_header(reader, meanings) for reader in readers]
    known = [sum(name is not None for _, name in header) for header in headers]
    best = known.index(max(known))
    columns: dict[str, str] = {}
    for column, name in headers[best]:
        if name is None:
            continue
        if name in columns:
            earlier = columns[name].strip()
            if earlier == column.strip():
                raise TableError(f"column {earlier!r} is there twice")
            raise TableError(f"columns {earlier!r} and {column.strip()!r} mean the same: keep one")
        columns[name] = column
    return Table(columns, [column for column, _ in headers[best]], readers[best])


def _header(
    reader: "csv.DictReader[str]", meanings: Mapping[str, str]
) -> list[tuple[str, str | None]]:
    """Each column, and our name for it; none if they are not separated like this."""
    try:
        return [(column, meanings.get(plain(column))) for column in reader.fieldnames or ()]
    except csv.Error:
        return []


def plain(name: str) -> str:
    """The letters and digits of a column's name, in lower case."""
    return re.sub(r"[\W_]+", "", name.casefold())


def named(names: Collection[str]) -> str:
    """The columns or members that were found, for who misses one."""
    shown = [
        repr(name if len(name) <= _LONGEST_COLUMN else f"{name[: _LONGEST_COLUMN // 2]}…")
        for name in map(str.strip, list(names)[:_SHOWN])
    ]
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join(shown + more) or "none"


def listed(name: str, faults: Collection[object], unread: str) -> str:
    """A message about all ``faults`` of file ``name``.

    If there are more than 20, those that differ in names and numbers alone are counted, and the
    first of them is told. ``unread`` says what therefore was not done.
    """
    if len(faults) == 1:
        return "".join(f"{name}: {fault}" for fault in faults)
    if len(faults) <= _SHOWN:
        shown = [f"  {fault}" for fault in faults]
    else:
        alike: dict[str, list[str]] = {}
        for fault in map(str, faults):
            alike.setdefault(_kind(fault), []).append(fault)
        kinds = list(alike.values())
        shown = [
            f"  {len(kind)} times, first {kind[0]}" if len(kind) > 1 else f"  {kind[0]}"
            for kind in kinds[:_SHOWN]
        ]
        if more := sum(map(len, kinds[_SHOWN:])):
            shown.append(f"  and {more} more")
    return "\n".join([f"{name}: {len(faults)} faults, {unread}:", *shown])


def _kind(fault: str) -> str:
    """A fault without its place, and without what it quotes and counts."""
    _, _, message = fault.partition(": ")
    return re.sub(r"""'[^']*'|"[^"]*"|\b\w*\d\w*""", "", message or fault)
