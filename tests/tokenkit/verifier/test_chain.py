"""The log: a chain in which every change shows, exported and verified however long it is."""

import hashlib
import io
import json
import stat
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.cli import main
from tokenkit.verifier import BrokenChain, NoSuchEntity, VerifierError, store
from tokenkit.verifier.chain import FIRST, LogLine, chained, parse_log, verify_chain

KEY = bytes(range(32))
texts = st.text(max_size=5)
details = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=[]), max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
events = st.fixed_dictionaries(
    {
        "at_s": st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**40),
        "event": texts,
        "user": st.none() | texts,
        "serial_number": st.none() | texts,
        "detail": details,
    }
)


def log_of(lines: list[dict[str, Any]]) -> list[LogLine]:
    made, head = [], FIRST
    for number, line in enumerate(lines, 1):
        head = chained(head, line)
        made.append(LogLine(number, **line, hash=head.hex()))
    return made


def exported(lines: list[LogLine]) -> io.BytesIO:
    return io.BytesIO("".join(line.to_json() + "\n" for line in lines).encode())


class TestTheChain:
    def test_a_line_as_anybody_can_compute_it(self) -> None:
        line = {"at_s": 1, "event": "é", "user": None, "serial_number": "a", "detail": {"b": [1]}}
        text = b'{"at_s":1.0,"detail":{"b":[1]},"event":"\\u00e9","serial_number":"a","user":null}'
        assert chained(b"before", line) == hashlib.sha256(b"before" + text).digest()

    @given(st.lists(events, max_size=6))
    def test_what_was_exported_is_verified(self, lines: list[dict[str, Any]]) -> None:
        log = log_of(lines)
        found = verify_chain(parse_log(exported(log)))
        assert (found.lines, found.head.hex()) == (
            len(log),
            log[-1].hash if log else FIRST.hex(),
        )
        for line in log:
            noted = bytes.fromhex(line.hash)
            assert verify_chain(parse_log(exported(log)), noted).noted_line == line.line

    @given(st.lists(events, min_size=1, max_size=5), st.data())
    def test_every_change_shows_at_its_line(self, lines: list[Any], data: st.DataObject) -> None:
        log = log_of(lines)
        place = data.draw(st.integers(0, len(log) - 1))
        member = data.draw(st.sampled_from(["at_s", "event", "user", "serial_number", "detail"]))
        changed = [dict(line) for line in lines]
        changed[place][member] = data.draw(events)[member]
        if chained(FIRST, changed[place]) == chained(FIRST, lines[place]):
            return
        forged = [
            LogLine(line.line, **new, hash=line.hash)
            for line, new in zip(log, changed, strict=True)
        ]
        with pytest.raises(BrokenChain) as raised:
            verify_chain(parse_log(exported(forged)))
        assert raised.value.line == place + 1

    @given(st.lists(events, min_size=1, max_size=5), st.data())
    def test_a_line_that_was_left_out_or_put_in(
        self, lines: list[Any], data: st.DataObject
    ) -> None:
        log = log_of(lines)
        noted = bytes.fromhex(log[-1].hash)
        place = data.draw(st.integers(0, len(log) - 1))
        without = log[:place] + log[place + 1 :]
        with pytest.raises(BrokenChain) as raised:
            verify_chain(without, noted)
        assert raised.value.line == place + 1
        with pytest.raises(BrokenChain) as raised:
            verify_chain([*log[:place], log[place], *log[place:]])
        assert raised.value.line == place + 2

    def test_a_log_made_anew_lacks_the_noted_hash(self) -> None:
        lines = [
            {"at_s": n, "event": "e", "user": None, "serial_number": None, "detail": {}}
            for n in range(3)
        ]
        noted = bytes.fromhex(log_of(lines)[-1].hash)
        lines[0]["event"] = "f"
        assert verify_chain(log_of(lines)).lines == 3
        with pytest.raises(
            BrokenChain, match="after its last line, 3: no line has the hash that was noted"
        ):
            verify_chain(log_of(lines), noted)
        assert verify_chain([], FIRST).noted_line == 0

    @given(st.binary(max_size=200))
    def test_any_bytes(self, contents: bytes) -> None:
        """One chance in many that they make a line whose hash is right."""
        if contents == b"":
            assert verify_chain(parse_log(io.BytesIO(contents))).lines == 0
            return
        with pytest.raises(BrokenChain):
            verify_chain(parse_log(io.BytesIO(contents)))

    @pytest.mark.parametrize(
        "contents",
        [b"{}\n", b"[" * 100_000 + b"\n", b"1" * 5000 + b"\n", b"x" * (1 << 21) + b"\n", b"{}"],
    )
    def test_what_is_no_log(self, contents: bytes) -> None:
        with pytest.raises(BrokenChain, match="line 1: it"):
            list(parse_log(io.BytesIO(contents)))


@pytest.fixture
def bench(make_bench: Any, database_url: str) -> Iterator[Any]:
    bench = make_bench(url=database_url, sealing_key=KEY)
    bench.url = database_url
    with bench.verifier:
        yield bench


def some_requests(bench: Any) -> None:
    bench.verifier.create_user("ann")
    phone = bench.phone("phone", "ann")
    bench.sign_in(phone, user="ann")
    for _ in range(2):
        with pytest.raises(VerifierError):
            bench.sign_in(phone, user="ann")


def change(bench: Any, statement: str) -> None:
    with bench.verifier._store.transaction() as connection:
        connection.execute(sa.text(statement))


class TestTheDatabase:
    def test_it_is_unbroken_and_grows(self, bench: Any) -> None:
        before = bench.verifier.verify_audit()
        assert (before.lines, before.head) == (0, FIRST)
        some_requests(bench)
        then = bench.verifier.verify_audit()
        assert then.lines == len(bench.verifier.audit()) == 6
        bench.verifier.create_user("bob")
        assert bench.verifier.verify_audit(then.head).noted_line == 6

    def test_the_export_says_what_the_log_says(self, bench: Any) -> None:
        some_requests(bench)
        text = "".join(bench.verifier.export_audit())
        lines = [json.loads(line) for line in text.splitlines()]
        events = bench.verifier.audit()
        assert [(line["at_s"], line["event"], line["detail"]) for line in lines] == [
            (event.at_s, event.event, event.detail) for event in events
        ]
        assert verify_chain(parse_log(io.BytesIO(text.encode()))) == bench.verifier.verify_audit()

    @pytest.mark.parametrize(
        ("statement", "line"),
        [
            ("UPDATE mfa_audit SET event = 'sign-in' WHERE event = 'sign-in-refused'", 5),
            ("UPDATE mfa_audit SET at_s = at_s + 1 WHERE event = 'enable'", 3),
            ("UPDATE mfa_audit SET detail = '{}' WHERE event = 'sign-in'", 4),
            ("DELETE FROM mfa_audit WHERE event = 'create-user'", 1),
            ("DELETE FROM mfa_audit WHERE event = 'sign-in-refused'", 5),
            ("DELETE FROM mfa_audit", 1),
            ("DELETE FROM mfa_audit_head", 7),
            ("UPDATE mfa_audit_head SET lines = 9", 7),
        ],
    )
    def test_a_change_is_found(self, bench: Any, statement: str, line: int) -> None:
        some_requests(bench)
        change(bench, statement)
        with pytest.raises(BrokenChain) as raised:
            bench.verifier.verify_audit()
        assert raised.value.line == line

    def test_a_cut_tail_with_its_head_mended_shows_by_the_noted_hash(self, bench: Any) -> None:
        some_requests(bench)
        noted = bench.verifier.verify_audit().head
        lines = list(bench.verifier.export_audit())
        change(bench, "DELETE FROM mfa_audit WHERE event = 'sign-in-refused'")
        head = bytes.fromhex(json.loads(lines[3])["hash"])
        with bench.verifier._store.transaction() as connection:
            connection.execute(sa.update(store.audit_head).values(lines=4, hash=head))
        assert bench.verifier.verify_audit().lines == 4
        with pytest.raises(
            BrokenChain, match="after its last line, 4: no line has the hash that was noted"
        ):
            bench.verifier.verify_audit(noted)

    def test_writers_at_once_keep_one_chain(self, bench: Any, make_bench: Any) -> None:
        other = make_bench(url=bench.url, sealing_key=KEY)
        with other.verifier, ThreadPoolExecutor(8) as pool:
            verifiers = [bench.verifier, other.verifier]

            def refused(number: int) -> str:
                with pytest.raises(NoSuchEntity) as raised:
                    verifiers[number % 2].delete_user(f"user{number}")
                return raised.value.message

            assert len(set(pool.map(refused, range(60)))) == 60
        assert bench.verifier.verify_audit().lines == 60

    def test_a_reader_asks_between_lines(self, bench: Any) -> None:
        """Nothing is held while somebody slow reads."""
        some_requests(bench)
        count = 0
        for number, _ in enumerate(bench.verifier.export_audit()):
            bench.verifier.create_user(f"user{number}")
            count += 1
        assert count == 6  # not what was added meanwhile


def filled(bench: Any, count: int) -> None:
    """The log with ``count`` lines, put in at once."""
    head, rows = FIRST, []
    for number in range(count):
        line = {
            "at_s": float(number),
            "event": "sign-in-refused",
            "user": "root",
            "serial_number": "arn:aws:iam::123456789012:mfa/phone",
            "detail": {"error": "OutOfWindow"},
        }
        head = chained(head, line)
        rows.append({**line, "hash": head})
    with bench.verifier._store.transaction() as connection:
        connection.execute(sa.insert(store.audit), rows)
        connection.execute(sa.update(store.audit_head).values(lines=count, hash=head))


def test_a_long_log_takes_no_more_memory(bench: Any) -> None:
    def peak() -> int:
        tracemalloc.start()
        try:
            verified = bench.verifier.verify_audit()
            assert verified.lines == sum(1 for _ in bench.verifier.export_audit())
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    filled(bench, 2_000)
    short = peak()
    change(bench, "DELETE FROM mfa_audit")
    filled(bench, 20_000)
    assert peak() < 1.5 * short


class TestTheCommands:
    @pytest.fixture(autouse=True)
    def _wide(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "200")

    def run(self, capsys: Any, *args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["audit", *args])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    def test_show(self, bench: Any, capsys: Any) -> None:
        some_requests(bench)
        status, out, err = self.run(capsys, "show", "--db", bench.url)
        assert (status, err) == (0, "")
        assert "2023-11-14 22:13:30" in out
        assert out.count("sign-in-refused") == 2
        assert '{"error": "Replayed"}' in out
        arguments = ("show", "--db", bench.url, "--last", "2", "--user", "ann", "--json")
        _, out, _ = self.run(capsys, *arguments)
        first, second = [json.loads(line) for line in out.splitlines()]
        assert [first["detail"], second["detail"]] == [
            {"error": "Replayed"},
            {"error": "Throttled"},
        ]
        assert first["user"] == "ann"

    def test_export_and_verify(self, bench: Any, capsys: Any, tmp_path: Path) -> None:
        some_requests(bench)
        path = tmp_path / "log.jsonl"
        head = bench.verifier.verify_audit().head.hex()
        status, out, err = self.run(capsys, "export", "--db", bench.url, "--out", str(path))
        assert (status, out, err) == (0, "", f"6 lines, head {head}\n")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        status, out, err = self.run(capsys, "export", "--db", bench.url)
        assert (status, out) == (0, path.read_text())
        status, _, err = self.run(capsys, "export", "--db", bench.url, "--out", str(path))
        assert (status, err) == (
            2,
            f"tokenkit: {path} is there already: remove it, or choose another name\n",
        )
        for where in ([str(path)], ["--db", bench.url]):
            status, out, _ = self.run(capsys, "verify", *where, "--head", head)
            assert (status, out) == (
                0,
                f"unbroken: 6 lines, head {head}\nthe hash that was noted is line 6's\n",
            )
            status, out, _ = self.run(capsys, "verify", *where, "--json")
            assert json.loads(out) == {"unbroken": True, "lines": 6, "head": head}
        cut = path.read_text().splitlines(keepends=True)[:4]
        path.write_text("".join(cut))
        assert self.run(capsys, "verify", str(path))[0] == 0
        status, _, err = self.run(capsys, "verify", str(path), "--head", head)
        assert (
            status,
            "The log is broken after its last line, 4: no line has the hash" in err,
        ) == (1, True)
        path.write_text("".join(cut).replace('"enable"', '"disable"'))
        status, out, _ = self.run(capsys, "verify", str(path), "--json")
        assert (status, json.loads(out)["line"]) == (1, 3)

    @pytest.mark.parametrize(
        ("contents", "message"),
        [
            (b"", "it is empty: there is nothing to verify"),
            (b"\x89PNG\r\n", "it is no log that tokenkit audit export wrote"),
        ],
    )
    def test_what_is_no_log_is_bad_input(
        self, capsys: Any, tmp_path: Path, contents: bytes, message: str
    ) -> None:
        path = tmp_path / "log"
        path.write_bytes(contents)
        status, out, err = self.run(capsys, "verify", str(path))
        assert (status, out, err) == (2, "", f"tokenkit: {path}: {message}\n")

    def test_nothing_to_show(self, bench: Any, capsys: Any) -> None:
        some_requests(bench)
        show = ("show", "--db", bench.url)
        assert self.run(capsys, *show, "--user", "nobody") == (0, "none\n", "")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["verify"], "name a file"),
            (["verify", "log", "--head", "abc"], "64 hexadecimal digits"),
            (["verify", "/nonexistent/log"], "/nonexistent/log: No such file"),
            (["show", "--db", "sqlite:////nonexistent/db"], "No such file"),
            (["show", "--db", "sqlite://"], "holds nothing of a verifier's"),
            (["export"], "--db"),
        ],
    )
    def test_wrong_usage(self, capsys: Any, arguments: list[str], message: str) -> None:
        status, out, err = self.run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert message in err
