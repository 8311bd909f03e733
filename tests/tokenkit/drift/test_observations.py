"""Observations: the same rows in whatever form, and that hostile ones are told by line."""

import base64
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.cli import root
from tokenkit.drift.observations import (
    Observation,
    ObservationsError,
    open_observations,
    read_observations,
)
from tokenkit.drift.server_time import server_time_s, time_zone
from tokenkit.errors import TokenkitError
from tokenkit.verifier import InvalidAuthenticationCode, Verifier
from tokenkit.verifier.seed_file import Seed

SEED = Seed("TOKEN000001", bytes(range(20)), "SHA1", 6, 30)
NOON_S = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
ONE = [Observation(2, "TOKEN000001", "012345", NOON_S, True)]
BERLIN = time_zone("Europe/Berlin")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("observations") / "log"


def read(path: Path, contents: bytes | str, **options: Any) -> list[Observation]:
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return read_observations(path, **options)


def csv_row(code: str = "012345", time: str = "2026-01-31T12:00:00Z", accepted: str = "yes") -> str:
    return f"serial,code,time,accepted\nTOKEN000001,{code},{time},{accepted}\n"


class TestWaysToWriteTheSame:
    @pytest.mark.parametrize(
        "text",
        [
            csv_row(),
            csv_row(accepted="TRUE"),
            csv_row("012 345"),
            csv_row("012-345"),
            csv_row(" 012345 "),
            csv_row(time="2026-01-31 13:00:00.000+01:00"),
            csv_row(time="2026-01-31 12:00:00 UTC"),
            csv_row(time="20260131T120000Z"),
            csv_row(time=f"{NOON_S:.0f}"),
            csv_row(time=f"{NOON_S:.3f}"),
            csv_row(time=f"{1000 * NOON_S:.0f}"),
            "\ufeff" + csv_row(),
            csv_row().replace(",", ";"),
            csv_row().replace(",", "\t"),
            csv_row().replace("\n", "\r\n"),
            'Time (ms),OTP,"Serial Number",Result\n'
            f'"{1000 * NOON_S:.0f}","012345","TOKEN000001","Accepted"\n',
            "server_s,note,serialNo,code,success\n"
            f'{NOON_S:.0f},"one, two",TOKEN000001,012345,1\n\n',
        ],
    )
    def test_csv(self, path: Path, text: str) -> None:
        assert read(path, text) == ONE

    @pytest.mark.parametrize(
        "members",
        [
            {"serial_number": "TOKEN000001", "code": "012345", "time": "2026-01-31T12:00:00Z"},
            {"token": "TOKEN000001", "OTP": "012345", "timestamp": 1000 * NOON_S, "more": []},
            {"sn": "TOKEN000001", "passcode": "012345", "at_s": NOON_S},
        ],
    )
    def test_json_lines(self, path: Path, members: dict[str, Any]) -> None:
        assert read(path, "\n".join(["", json.dumps({**members, "result": True}), ""])) == ONE

    @pytest.mark.parametrize(
        ("said", "accepted"), [("Rejected", False), ("0", False), ("", None), ("unknown", None)]
    )
    def test_accepted_or_not_or_unsaid(self, path: Path, said: str, accepted: bool | None) -> None:
        [found] = read(path, csv_row(accepted=said))
        assert found.accepted is accepted
        [found] = read(path, f"serial,code,time\nTOKEN000001,012345,{NOON_S}\n")
        assert found.accepted is None

    def test_local_time(self, path: Path) -> None:
        text = csv_row(time="2026-01-31T13:00:00")
        assert read(path, text, zone=BERLIN) == ONE
        with pytest.raises(ObservationsError, match=r"add Z for UTC .*--time-zone Europe/Berlin"):
            read(path, text)

    @given(
        st.lists(
            st.tuples(
                st.from_regex(r"[A-Z]{3}[0-9]{6,9}", fullmatch=True),
                st.from_regex(r"[0-9]{6,8}", fullmatch=True),
                st.integers(10**8, 10**10),
                st.booleans(),
            ),
            min_size=1,
        )
    )
    def test_csv_and_json_lines_say_the_same(self, path: Path, rows: list[Any]) -> None:
        expected = [
            Observation(line, serial, code, float(at), accepted)
            for line, (serial, code, at, accepted) in enumerate(rows, 2)
        ]
        text = "time;accepted;code;serial\n" + "".join(
            f"{at};{accepted};{code};{serial}\n" for serial, code, at, accepted in rows
        )
        assert read(path, text) == expected
        lines = [
            json.dumps({"serial": serial, "code": code, "time": at, "accepted": accepted})
            for serial, code, at, accepted in rows
        ]
        assert read(path, "\n" + "\n".join(lines)) == expected


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "no serial number"),
            ("serial,code\nTOKEN000001,012345\n", "no time, such as 'time'"),
            ("serial,time\nTOKEN000001,1\n", "no code, such as 'code'"),
            ("serial,code,time,time ms\n", "more than one time"),
            ("serial,token,code,time\n", "'serial' and 'token' mean the same"),
            ("serial,serial,code,time\n", "'serial' is there twice"),
            ("serial,code,time\n", "no observation in it"),
            ('[{"serial": 1}]', "a JSON array: write one object a line"),
            ("<html>", "XML or HTML"),
            ('{"serial": "TOKEN000001"}\n', "line 1: no code"),
            ('{"serial": "TOKEN000001"\n', "line 1: no JSON object"),
            ('{"serial": ["TOKEN000001"], "code": 1, "time": 1}', "'serial' is neither text nor"),
            ('{"serial": 1, "sn": 1, "code": 1, "time": 1}', "says the serial once more"),
            (csv_row().replace("TOKEN000001", ""), "1 to 256 printable"),
            (csv_row().replace("TOKEN000001", "2.30824E+12"), "lost digits in a spreadsheet"),
            (csv_row("12345"), "line 2, TOKEN000001: code '12345' has 5 digits.* drop zeros"),
            (csv_row("123456789"), "has 9 digits, not 6 to 8"),
            (csv_row("12a456"), "is not 6 to 8 digits"),
            (csv_row("٠١٢٣٤٥"), "is not 6 to 8 digits"),
            (csv_row("-123456"), "is not 6 to 8 digits"),
            (csv_row(""), "is not 6 to 8 digits"),
            (csv_row(accepted="perhaps"), "'perhaps' does not say whether"),
            (csv_row() + "TOKEN000001,1\n", "line 3: not as many fields"),
            (csv_row() + '"TOKEN000001,1\n', "line 3: unexpected end"),
        ],
    )
    def test_what_is_refused(self, path: Path, text: str, message: str) -> None:
        with pytest.raises(ObservationsError, match=message):
            read(path, text)

    def test_other_encodings(self, path: Path) -> None:
        with pytest.raises(ObservationsError, match="Excel"):
            read(path, csv_row().encode("utf-16"))
        with pytest.raises(ObservationsError, match="line 2: not UTF-8"):
            read(path, csv_row("ü").encode("latin-1"))

    def test_codes_have_the_digits_of_their_token(self, path: Path) -> None:
        assert read(path, csv_row("0123456"))[0].code == "0123456"
        with pytest.raises(ObservationsError, match="'0123456' has 7 digits, not 6"):
            read(path, csv_row("0123456"), seeds=[SEED])

    def test_all_are_told_and_nothing_is_half_read(self, path: Path) -> None:
        text = csv_row() + "TOKEN000002,1,1,1\n" * 25
        with pytest.raises(ObservationsError) as refused:
            read(path, text)
        told = str(refused.value).splitlines()
        assert told[0] == f"{path}: 25 faults, nothing was read:"
        assert len(told) == 2
        assert told[1].startswith("  25 times, first line 3, TOKEN000002: code '1' has 1 digits")
        assert read(path, text, skip_faulty=True) == ONE
        assert len(open_observations(path).faults) == 25
        with pytest.raises(ObservationsError, match="line 2, TOKEN000001: code"):
            read(path, csv_row("1"), skip_faulty=True)

    def test_many_of_a_kind_do_not_hide_others(self, path: Path) -> None:
        rows = "".join(f"T{n},012345,2026-01-31 12:00:{n:02},yes\n" for n in range(60))
        with pytest.raises(ObservationsError) as refused:
            read(path, f"serial,code,time,accepted\n{rows}" + "T99,1,2026-01-31,yes\nx\n")
        first, *told = str(refused.value).splitlines()
        assert first == f"{path}: 62 faults, nothing was read:"
        zone = "  60 times, first line 2, T0: time '2026-01-31 12:00:00' has no time zone: add Z"
        assert told[0].startswith(zone)
        assert told[1].startswith("  line 62, T99: code '1' has 1 digits")
        assert told[2] == "  line 63: not as many fields as the first line names"

    @pytest.mark.parametrize(
        ("contents", "message"),
        [
            (b"PK\x03\x04...xl/workbook.xml", "log: this is an Excel workbook: save it as 'CSV U"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "this is an Excel workbook"),
            (b"PK\x03\x04...content.xml", "a ZIP archive, or a spreadsheet's own: save it as"),
        ],
    )
    def test_workbooks(self, path: Path, contents: bytes, message: str) -> None:
        with pytest.raises(ObservationsError, match=message):
            read(path, contents)

    def test_a_missing_column_names_those_that_are_there(self, path: Path) -> None:
        with pytest.raises(
            ObservationsError, match=r"no code, .* columns: 'Serial', 'When', 'PIN'$"
        ):
            read(path, "Serial;When;PIN\n")
        with pytest.raises(ObservationsError, match=r": 'serial', 'ABABABABABAB…'$"):
            read(path, f"serial,{'AB' * 20}\n")
        with pytest.raises(ObservationsError, match=r"'n18', 5 more$"):
            read(path, "serial," + ",".join(f"n{n}" for n in range(24)))
        with pytest.raises(ObservationsError, match=r"no code, .* members are 'Serial', 'PIN'$"):
            read(path, '{"Serial": "T1", "PIN": "123456"}')
        with pytest.raises(ObservationsError, match=r"columns: none$"):
            read(path, "")

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        for name in ("none", "\0", "."):
            with pytest.raises(ObservationsError):
                read_observations(tmp_path / name)

    @given(
        st.binary(max_size=200)
        | st.text(max_size=200).map(str.encode)
        | st.text('{}[]":,;\t\n\\ 0123456789.eE+-TZserialcodtmp', max_size=200).map(
            lambda text: f"serial,code,time\n{text}".encode()
        )
        | st.dictionaries(
            st.sampled_from(["serial", "code", "time", "time_ms", "event", "hash", "x"]),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        ).map(lambda members: json.dumps(members).encode())
    )
    def test_nothing_but_the_one_error(self, path: Path, contents: bytes) -> None:
        for seeds in ([], [SEED]):
            with suppress(ObservationsError):
                read(path, contents, seeds=seeds, zone=BERLIN)


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("46053.5", "a spreadsheet's day number"),
            ("20260131", "may be a date"),
            ("1.76986E+09", "lost digits"),
            ("99999999999999999", "not in one of the years"),
            ("-5", "too small"),
            ("2026-02-30T12:00:00Z", r"no ISO 8601 time .*\(day"),
            ("2026-13-01T12:00:00Z", r"month must be in"),
            ("31.01.2026 12:00", "no ISO 8601 time"),
            ("06.01.2025 08:06:49", "format the column as yyyy-mm-dd hh:mm:ss, and say --time-z"),
            ("1/2/26 8:06 AM", "format the column as yyyy-mm-dd hh:mm:ss"),
            ("01/02/2026 12:00", "no ISO 8601 time"),
            ("2026-01-31", "a date without a time of day"),
            ("2026-01-31T12:00:00", "no time zone: add Z"),
            ("1969-12-31T23:59:59Z", "not in one of the years 1970 to 9998"),
            ("0001-01-01T00:00:00+14:00", "not in one of the years"),
            ("9999-12-31T23:59:60-01:00", "not in one of the years"),
            ("2026-01-31T12:59:60Z", "no leap second"),
            ("", "no ISO 8601 time"),
            ("yesterday", "no ISO 8601 time"),
        ],
    )
    def test_what_is_refused(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            server_time_s(text)

    def test_a_unit_that_is_named_is_not_guessed(self) -> None:
        assert server_time_s("46053.5", "s") == 46053.5
        assert server_time_s("46053500", "ms") == 46053.5

    @given(st.integers(10**8, 10**11 - 1))
    def test_seconds_and_milliseconds_are_told_apart(self, time_s: int) -> None:
        assert server_time_s(str(time_s)) == time_s
        if time_s * 1000 >= 10**11:
            assert server_time_s(str(time_s * 1000)) == time_s

    @pytest.mark.parametrize(
        ("local", "message"),
        [
            ("2026-03-29T02:30:00", "never was in Europe/Berlin: clocks went forward"),
            ("2026-10-25 02:30:00", "was twice in Europe/Berlin, clocks went back: add the offset"),
        ],
    )
    def test_hours_of_summer_time(self, local: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            server_time_s(local, zone=BERLIN)
        assert server_time_s(local + "+02:00", zone=BERLIN) > 0

    @given(st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)))
    def test_local_times_go_there_and_back(self, moment: datetime) -> None:
        try:
            found = datetime.fromtimestamp(server_time_s(moment.isoformat(), zone=BERLIN), BERLIN)
        except ValueError:
            assert (moment.month, moment.weekday()) in ((3, 6), (4, 6), (9, 6), (10, 6), (11, 6))
        else:
            assert abs((found.replace(tzinfo=None) - moment).total_seconds()) < 1e-5

    def test_leap_seconds_are_the_second_after(self) -> None:
        after = server_time_s("2017-01-01T00:00:00.5Z")
        assert server_time_s("2016-12-31T23:59:60.5Z") == after
        assert server_time_s("2017-01-01T00:59:60.5", zone=BERLIN) == after
        assert server_time_s("20161231T235960.5Z") == after
        assert server_time_s("2000-01-01T00:00:00.005960Z") == 946_684_800.00596

    @pytest.mark.parametrize(
        "name", ["Europe/Bonn", "Europe", "", "../etc/passwd", "\0", "a" * 999]
    )
    def test_zones_that_there_are_not(self, name: str) -> None:
        with pytest.raises(TokenkitError, match="there is no time zone"):
            time_zone(name)


def test_the_verifiers_own_log(tmp_path: Path) -> None:
    """It has no codes: those that were accepted are told from the seeds and the learned offset."""
    now_s = [NOON_S]
    url, path = f"sqlite:///{tmp_path}/db", tmp_path / "log"
    verifier = Verifier(url, now=lambda: now_s[0], sealing_key=bytes(32))
    verifier.add_tokens([SEED])
    token = pyotp.TOTP(base64.b32encode(SEED.secret).decode())
    verifier.enable(
        "root", "TOKEN000001", *(token.at(int(NOON_S), counter_offset=n) for n in (2, 3))
    )
    shown = []
    for days in (1, 2, 3):
        now_s[0] = NOON_S + 86_400 * days
        shown.append(token.at(int(now_s[0]), counter_offset=2 + days))
        verifier.sign_in("root", shown[-1])
        with pytest.raises(InvalidAuthenticationCode):
            verifier.sign_in("root", shown[-1])
    verifier.close()
    CliRunner().invoke(root, ["audit", "export", "--db", url, "--out", str(path)])
    found = read_observations(path, seeds=[SEED])
    assert [each.code for each in found] == shown
    assert [each.server_s for each in found] == [NOON_S + 86_400 * n for n in (1, 2, 3)]
    assert all(each.accepted and each.serial_number == "TOKEN000001" for each in found)
    with pytest.raises(ObservationsError, match="holds no codes: give the seeds"):
        read_observations(path)
    with pytest.raises(ObservationsError, match="no observation in it"):
        read_observations(path, seeds=[replace(SEED, serial_number="TOKEN000002")])
