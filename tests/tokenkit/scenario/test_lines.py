"""Where a key of a TOML text stands."""

import tomllib

from hypothesis import example, given
from hypothesis import strategies as st

from tokenkit.scenario.lines import Lines

BARE = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
KEYS = BARE | st.sampled_from(['"a b"', "'x.y'", '"#"', '"]"', '"q\\"="'])
SCALARS = st.sampled_from(
    [
        "1",
        "true",
        "-3.5e2",
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00",
        '"text # = [ ] { } \\" end"',
        "'raw \\ # ]'",
        '"""\ntwo\nlines \\""" " ""\n"""',
        "'''\nraw\n'''''",
        '"""a""""',
    ]
)


def _arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    plain = st.lists(values, max_size=3).map(lambda each: f"[{', '.join(each)}]")
    broken = st.lists(values, max_size=3).map(
        lambda each: "[ # note ]\n" + "".join(f"  {value}, # [\n" for value in each) + "]"
    )
    return plain | broken


def _tables(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.dictionaries(KEYS, values, max_size=3)
    return pairs.map(lambda each: "{ " + ", ".join(f"{k} = {v}" for k, v in each.items()) + " }")


VALUES = st.recursive(SCALARS, lambda values: _arrays(values) | _tables(values), max_leaves=6)
HEADERS = st.sampled_from(["[[step]]", "[[ step ]]  # note", "[[step]]\n[step.inner]", "[ other ]"])
FILLERS = st.sampled_from(["", "\n\n", "# [[step]]\n", "   \t# x = 1\n"])
PAIRS = st.lists(st.tuples(KEYS, VALUES, FILLERS), max_size=4, unique_by=lambda pair: pair[0])
TABLES = st.lists(st.tuples(HEADERS, PAIRS), max_size=4)


def _write(tables: list[tuple[str, list[tuple[str, str, str]]]]) -> str:
    parts, seen = [], set()
    for header, pairs in tables:
        if header.startswith("[ ") and header in seen:
            continue
        seen.add(header)
        parts.append(f"{header}\n")
        parts += [f"{key} = {value} # end\n{filler}" for key, value, filler in pairs]
    return "".join(parts)


def _valid(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False  # a key twice, or inner said twice
    return True


@given(TABLES, st.data())
def test_an_unknown_key_anywhere_is_found_on_its_line(
    tables: list[tuple[str, list[tuple[str, str, str]]]], data: st.DataObject
) -> None:
    text = _write([*tables, ("[[step]]", [("do", '"wait"', ""), ("last", "1", "")])])
    if not _valid(text):
        return
    # after a line that opens a table of steps: there is where a key may stand
    lines = text.split("\n")
    places = [
        number
        for number in range(1, len(lines) + 1)
        if _valid("\n".join([*lines[:number], "intruder = 1", *lines[number:]]))
    ]
    number = data.draw(st.sampled_from(places))
    changed = "\n".join([*lines[:number], "intruder = 1", *lines[number:]])
    paths = list(_paths_of("intruder", tomllib.loads(changed)))
    found = Lines(changed)
    assert [found[path] for path in paths] == ([number + 1] if paths else [])


def _paths_of(name: str, value: object, path: tuple[str | int, ...] = ()):  # type: ignore[no-untyped-def]  # a recursive generator
    if isinstance(value, dict):
        for key, each in value.items():
            if key == name:
                yield (*path, key)
            yield from _paths_of(name, each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _paths_of(name, each, (*path, index))


@given(TABLES)
@example([("[[step]]", [("a", "[1, {b = 2}]", "")])])
def test_every_key_has_a_line_on_which_its_name_stands(
    tables: list[tuple[str, list[tuple[str, str, str]]]],
) -> None:
    text = _write(tables)
    if not _valid(text):
        return
    found, lines = Lines(text), text.split("\n")
    for path in _all_paths(tomllib.loads(text)):
        line = lines[found[path] - 1]
        if isinstance(path[-1], str):
            assert path[-1].replace('"', '\\"') in line


def _all_paths(value: object, path: tuple[str | int, ...] = ()):  # type: ignore[no-untyped-def]  # a recursive generator
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key)
            yield from _all_paths(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _all_paths(each, (*path, index))


def test_what_is_not_there_is_where_its_table_is() -> None:
    found = Lines('title = "x"\n\n[[step]]\ndo = "wait"\n\n[[step]]\na.b = 1\n[step.c]\n')
    assert found["nothing",] == 1
    assert found["step", 0, "for"] == 3
    assert found["step", 1, "a", "b"] == 7
    assert found["step", 1, "c", "d"] == 8


def test_each_of_many_steps_has_its_line() -> None:
    found = Lines('[[step]]\ndo = "wait"\nfor = "1 s"\n\n' * 5000)
    assert [found["step", number, "for"] for number in range(5000)] == list(range(3, 20_000, 4))
