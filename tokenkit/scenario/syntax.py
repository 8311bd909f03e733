"""What is no TOML at all, in the words of its writer and with suggestions."""

import re
from collections.abc import Collection

_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
# a beginning of what tomllib says, and what to say in its place
_MENDS = [
    ("Illegal character '\\n'", "a quote is not closed on this line"),
    ("Found invalid character '\\n'", "a quote is not closed on this line"),
    ("Unterminated string", "a quote is not closed"),
    ("Expected \"'", "a quote is not closed"),
    ("Invalid value", "no value; text stands in quotes"),
    ("Expected newline or end of document", "expected the end of the line; text stands in quotes"),
    ("Cannot overwrite a value", "this key or table is there already"),
]
# Python does not read decimal numbers of more than 4300 digits, nor write others as long
_ENDLESS_NUMBER = re.compile(r"[0-9A-Fa-f_]{3000}")
_ARRAY = re.compile(r"[ \t]*\[\[[ \t]*([\w.-]+)[ \t]*\]\]")
_TWICE = re.compile(r"Cannot declare \('(\w+)',\) twice")


def how_to_write(array: str) -> str:
    """How the tables of ``array`` are written."""
    return f"write each {array} as [[{array}]] and its keys on lines below; there is at least one"


def explain_syntax(error: Exception, text: str, arrays: Collection[str] = ()) -> tuple[int, str]:
    """The line on which ``text`` cannot be read, and what to tell the user.

    ``error`` is tomllib's or, of what nobody needs, a ValueError or RecursionError. ``arrays``
    are names of arrays of tables.
    """
    last = text.count("\n") + 1
    if isinstance(error, RecursionError):
        return last, "brackets are nested too deep"
    match = _PLACE.fullmatch(str(error))
    if match is None:
        number = _ENDLESS_NUMBER.search(text)
        line = text.count("\n", 0, number.start()) + 1 if number else last
        return line, "a number has too many digits"
    said, line_said, column = match.groups()
    if line_said and (single := _one_bracket(text, int(line_said))):
        return single
    said = next((mend for start, mend in _MENDS if said.startswith(start)), said)
    if (twice := _TWICE.match(said)) and twice[1] in arrays:
        said = how_to_write(twice[1])
    where = f"column {column}" if column else "at the end of the file"
    return int(line_said or last), f"{said[:1].lower()}{said[1:]} ({where})"


def _one_bracket(text: str, line: int) -> tuple[int, str] | None:
    """Where the array of tables on ``line`` is a mere table before, and how to write it."""
    array = _ARRAY.match(text.split("\n")[line - 1])
    if array is None:
        return None
    table = re.compile(rf"[ \t]*\[[ \t]*{re.escape(array[1])}[ \t]*\]")
    for number, before in enumerate(text.split("\n")[: line - 1], 1):
        if table.match(before):
            return number, how_to_write(array[1])
    return None
