"""Backups: all that was there at one moment, restored on either database, all or nothing."""

import gzip
import json
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit.cli import db as cli
from tokenkit.cli import main
from tokenkit.verifier import Replayed, SealingKeyError, StoreError, TotpPolicy, Verifier, store
from tokenkit.verifier.backup import backup, restore
from tokenkit.verifier.store import Store, parse_url

KEY = bytes(range(32))
DAY_S = 86_400.0


def left_out(table: sa.Table) -> bool:
    return table.name in ("mfa_ceremony", "mfa_console_session")


@pytest.fixture
def bench(make_bench: Any, database_url: str, tmp_path: Path) -> Iterator[Any]:
    """With a row in every table, made through the verifier, but sessions."""
    bench = make_bench(url=database_url, sealing_key=KEY)
    bench.url = database_url
    verifier = bench.verifier
    verifier.create_user("ann", path="/staff/", tags={"team": "blue"})
    verifier.set_password("ann", "correct horse")
    bench.access_key = verifier.create_access_key("ann")
    verifier.put_user_policy("ann", "all", '{"Statement": []}')
    verifier.create_role("reader", trust_policy='{"Statement": []}')
    verifier.put_role_policy("reader", "all", '{"Statement": []}')
    bench.phone_of_ann = bench.phone("phone", "ann", offset_s=90)
    bench.sign_in(bench.phone_of_ann, user="ann")
    bench.free = bench.new_phone("free")
    (tmp_path / "seeds.csv").write_text("serial number,secret key\nTOKEN000001,GEZDGNBVGY3TQOJQ")
    verifier.import_seeds(tmp_path / "seeds.csv")
    verifier.begin_registration("ann")
    with verifier:
        yield bench


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where backups are restored."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path}/restored.db"
        else:
            yield stack.enter_context(request.getfixturevalue("postgresql").database())


def rows_of(url: str) -> dict[str, Any]:
    with closing(Store(parse_url(url), make=False)) as opened, opened.snapshot() as connection:
        return {
            table.name: connection.execute(sa.select(table).order_by(*table.primary_key)).all()
            for table in store.metadata.sorted_tables
        }


def backed_up(bench: Any, path: Path, **options: Any) -> int:
    with closing(Store(parse_url(bench.url), make=False)) as opened:
        return backup(opened, path, now=lambda: bench.now_s, **options)


def restored(bench: Any, path: Path, url: str, **options: Any) -> Any:
    with closing(Store(parse_url(url))) as opened:
        return restore(opened, path, now=lambda: bench.now_s, **options)


class TestRestoring:
    def test_everything_is_there_again(self, bench: Any, new_url: str, tmp_path: Path) -> None:
        path = tmp_path / "backup"
        before = rows_of(bench.url)
        assert all(rows for name, rows in before.items() if name != "mfa_console_session")
        count = sum(len(rows) for name, rows in before.items() if name != "mfa_ceremony")
        assert backed_up(bench, path) == count
        assert restored(bench, path, new_url).rows == count
        after = rows_of(new_url)
        del before["mfa_ceremony"], before["mfa_audit_head"]
        assert after.pop("mfa_ceremony") == []
        after.pop("mfa_audit_head")
        line = after["mfa_audit"].pop()
        assert (line.event, line.detail) == ("restore", {"made_s": bench.now_s, "rows": count})
        for name in before:
            if name != "mfa_device":
                assert after[name] == before[name], name
        used = [row._mapping["last_counter"] for row in after["mfa_device"]]
        assert all(used)
        for rows in (before, after):
            rows["mfa_device"] = [
                {**row._mapping, "last_counter": None} for row in rows["mfa_device"]
            ]
        assert after["mfa_device"] == before["mfa_device"]

    def test_it_works_on(self, bench: Any, new_url: str, tmp_path: Path) -> None:
        backed_up(bench, tmp_path / "backup")
        restored(bench, tmp_path / "backup", new_url)
        with pytest.raises(SealingKeyError):
            Verifier(new_url, sealing_key=KEY[::-1])
        with Verifier(new_url, now=lambda: bench.now_s, sealing_key=KEY) as after:
            assert after.verify_audit().lines == len(after.audit())
            assert after.find_signer(bench.access_key.id)[0].secret == bench.access_key.secret
            after.check_password("ann", "correct horse")
            assert after.user("ann").has_password
            bench.wait(210)
            bench.verifier.close()
            bench.verifier = after
            bench.sign_in(bench.phone_of_ann, user="ann")
            bench.enable(bench.free, "ann")
            bench.enable(bench.token("TOKEN000001", "GEZDGNBVGY3TQOJQ"))
            after.create_user("joe")
            after.verify_audit()

    @pytest.mark.parametrize("days", [0, 0.01, 30, 365])
    def test_codes_used_since_are_not_accepted_again(
        self, bench: Any, tmp_path: Path, days: float
    ) -> None:
        path, url = tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db"
        backed_up(bench, path)
        phone = bench.phone_of_ann
        bench.wait(days * DAY_S + 30)
        code, early = phone.code(), phone.code(1)
        bench.sign_in(phone, code, "ann")
        done = restored(bench, path, url)
        with Verifier(url, now=lambda: bench.now_s, sealing_key=KEY) as after:
            bench.verifier.close()
            bench.verifier = after
            for used in (code, early):
                with pytest.raises(Replayed):
                    bench.sign_in(phone, used, "ann")
                after.unlock(phone.serial_number)
            with pytest.raises(Replayed):
                after.resync("ann", phone.serial_number, *phone.pair(-1))
            after.unlock(phone.serial_number)
            assert 150 <= done.wait_s <= 210 + days * 8.64 + 30 + 150
            bench.wait(done.wait_s)
            bench.sign_in(phone, phone.code(), "ann")

    @pytest.mark.parametrize("steps", [-40, 40])
    def test_of_a_clock_that_drifted_since_neither(
        self, bench: Any, tmp_path: Path, steps: int
    ) -> None:
        """By 40 steps of 30 s in a year, 38 ppm, learned on the way; the backup knows no of it."""
        path, url = tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db"
        backed_up(bench, path)
        phone, used = bench.phone_of_ann, []
        for _ in range(abs(steps)):
            bench.wait(365 * DAY_S / abs(steps))
            phone.offset_s += 30 if steps > 0 else -30
            used.append(phone.code())
            bench.sign_in(phone, used[-1], "ann")
        done = restored(bench, path, url)
        with Verifier(url, now=lambda: bench.now_s, sealing_key=KEY) as after:
            for _ in range(int(done.wait_s // 30) + 45):
                with pytest.raises(Exception, match="not valid"):
                    after.sign_in("ann", used[-1], serial_number=phone.serial_number)
                after.unlock(phone.serial_number)
                bench.wait(30)

    def test_nor_where_the_rate_is_known(self, make_bench: Any, tmp_path: Path) -> None:
        """20 ppm, learned in a year; silent for a year before the backup, and then used."""
        policy, path = TotpPolicy(drift="rate"), tmp_path / "backup"
        url, new = f"sqlite:///{tmp_path}/mfa.db", f"sqlite:///{tmp_path}/restored.db"
        bench = make_bench(url=url, sealing_key=KEY, totp=policy)
        bench.url = url
        phone = bench.phone()

        def drift(days: float) -> None:
            bench.wait(days * DAY_S)
            phone.offset_s += 20e-6 * days * DAY_S

        for _ in range(52):
            drift(7)
            bench.sign_in(phone)
        drift(365)
        backed_up(bench, path)
        code = phone.code()
        bench.sign_in(phone, code)
        done = restored(bench, path, new)
        bench.verifier.close()
        options: Any = {"now": lambda: bench.now_s, "sealing_key": KEY, "totp": policy}
        with Verifier(new, **options) as bench.verifier, pytest.raises(Replayed):
            bench.sign_in(phone, code)
        assert done.wait_s < 1000
        bench.wait(done.wait_s)
        with Verifier(new, **options) as bench.verifier:
            bench.sign_in(phone)

    @pytest.mark.parametrize("ppm", [-20, 20])
    @pytest.mark.parametrize("days", [0, 100, 365])
    def test_the_wait_where_the_rate_is_known(
        self, make_bench: Any, tmp_path: Path, ppm: int, days: int
    ) -> None:
        """The offset in steps is old; the rate that was learned tells of the time since."""
        policy, path = TotpPolicy(drift="rate"), tmp_path / "backup"
        url, new = f"sqlite:///{tmp_path}/mfa.db", f"sqlite:///{tmp_path}/restored.db"
        bench = make_bench(url=url, sealing_key=KEY, totp=policy)
        bench.url = url
        phone = bench.phone()

        def drift(days: float) -> None:
            bench.wait(days * DAY_S)
            phone.offset_s += ppm * 1e-6 * days * DAY_S

        for _ in range(60):
            drift(7)
            bench.sign_in(phone)
        drift(days)
        bench.wait(17)
        backed_up(bench, path)
        done = restored(bench, path, new)
        bench.verifier.close()
        bench.wait(done.wait_s)
        options: Any = {"now": lambda: bench.now_s, "sealing_key": KEY, "totp": policy}
        with Verifier(new, **options) as bench.verifier:
            bench.sign_in(phone)

    def test_by_the_clock_of_the_service(self, bench: Any, tmp_path: Path) -> None:
        """It may be years ahead of the computer's, and the log's last line is not its latest."""
        path, url = tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db"
        bench.wait(900 * DAY_S)
        bench.verifier.create_user("late")
        late_s = bench.now_s
        bench.wait(-10)
        bench.verifier.create_user("later")
        bench.wait(-900 * DAY_S)
        backed_up(bench, path)
        done = restored(bench, path, url)
        assert done.made_s == late_s
        with Verifier(url, now=lambda: bench.now_s, sealing_key=KEY) as after:
            bench.verifier.close()
            bench.verifier = after
            assert after.audit()[-1].at_s == after.latest_s() == late_s
            bench.now_s = late_s + 60
            for step in range(2):
                with pytest.raises(Replayed):
                    bench.sign_in(bench.phone_of_ann, bench.phone_of_ann.code(-step), "ann")
                after.unlock(bench.phone_of_ann.serial_number)
            bench.now_s = late_s + done.wait_s
            bench.sign_in(bench.phone_of_ann, user="ann")

    def test_until_when_it_went_on(self, bench: Any, tmp_path: Path) -> None:
        """Codes that were used long after the backup, by a clock that was moved."""
        path, url = tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db"
        backed_up(bench, path)
        made_s = bench.now_s
        bench.wait(30 * DAY_S)
        code = bench.phone_of_ann.code()
        bench.sign_in(bench.phone_of_ann, code, "ann")
        until_s, bench.now_s = bench.now_s, made_s
        done = restored(bench, path, url, until_s=until_s)
        bench.verifier.close()
        with Verifier(url, now=lambda: bench.now_s, sealing_key=KEY) as bench.verifier:
            assert (done.made_s, bench.verifier.latest_s()) == (made_s, until_s)
            bench.now_s = until_s
            with pytest.raises(Replayed):
                bench.sign_in(bench.phone_of_ann, code, "ann")

    def test_what_was_used_up_further_ahead_stays_used(self, bench: Any, tmp_path: Path) -> None:
        path, url = tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db"
        with bench.verifier._store.transaction() as connection:
            connection.execute(sa.update(store.devices).values(last_counter=10**9))
        backed_up(bench, path)
        restored(bench, path, url)
        assert {row.last_counter for row in rows_of(url)["mfa_device"]} == {10**9}

    def test_only_into_an_empty_database(self, bench: Any, new_url: str, tmp_path: Path) -> None:
        backed_up(bench, tmp_path / "backup")
        Verifier(new_url, sealing_key=KEY).close()
        before = rows_of(new_url)
        with pytest.raises(StoreError, match="is not empty: restore into a new database"):
            restored(bench, tmp_path / "backup", new_url)
        assert rows_of(new_url) == before


class TestTheFile:
    def test_it_is_private_and_holds_no_seed(self, bench: Any, tmp_path: Path) -> None:
        path = tmp_path / "backup"
        backed_up(bench, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = gzip.decompress(path.read_bytes()).decode()
        assert "TOKEN000001" in text
        for secret in (
            "GEZDGNBV",
            "31323334",
            "MTIzNDU2",
            bench.access_key.secret,
            "correct horse",
        ):
            assert secret not in text
        assert [each.name for each in tmp_path.glob(".tokenkit*")] == []

    def test_it_is_one_moment(self, bench: Any, tmp_path: Path) -> None:
        """Requests that come while it is written wait for nothing, and are not in it."""
        started = []

        def meanwhile(done: int, total: int) -> None:
            if not started:
                thread = threading.Thread(target=bench.verifier.create_user, args=("late",))
                started.append(thread)
                thread.start()
                thread.join(20)
                assert not thread.is_alive()

        path, url = tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db"
        backed_up(bench, path, progress=meanwhile)
        restored(bench, path, url)
        assert "late" in {user.name for user in bench.verifier.users()}
        with Verifier(url, sealing_key=KEY) as after:
            assert "late" not in {user.name for user in after.users()}
            after.verify_audit()

    def test_another_file_stays(self, bench: Any, tmp_path: Path) -> None:
        path = tmp_path / "backup"
        path.write_text("dear diary")
        with pytest.raises(StoreError, match="is there already"):
            backed_up(bench, path)
        assert path.read_text() == "dear diary"

    def test_a_failure_leaves_no_file(
        self, bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(done: int, total: int) -> None:
            raise ZeroDivisionError

        before = sorted(tmp_path.iterdir())
        with pytest.raises(ZeroDivisionError):
            backed_up(bench, tmp_path / "backup", progress=fail)
        assert sorted(tmp_path.iterdir()) == before
        with pytest.raises(StoreError, match="No such file"):
            backed_up(bench, tmp_path / "missing" / "backup")


@pytest.fixture(scope="module")
def whole(make_bench: Any, tmp_path_factory: Any) -> bytes:
    """A small backup."""
    folder = tmp_path_factory.mktemp("backup")
    bench = make_bench(url=f"sqlite:///{folder}/mfa.db", sealing_key=KEY)
    bench.url = f"sqlite:///{folder}/mfa.db"
    with bench.verifier:
        bench.phone()
        backed_up(bench, folder / "backup")
    contents: bytes = (folder / "backup").read_bytes()
    return contents


def refused(contents: bytes, folder: Path) -> str:
    """What restoring says, which leaves the database as empty as it was."""
    path, database = folder / "broken", folder / "restored.db"
    path.write_bytes(contents)
    database.unlink(missing_ok=True)
    with (
        closing(Store(parse_url(f"sqlite:///{database}"))) as opened,
        pytest.raises(StoreError) as raised,
    ):
        restore(opened, path, now=lambda: 1.8e9)
    assert database.stat().st_size == 0
    return str(raised.value)


class TestBrokenFiles:
    @given(st.data())
    def test_cut_off_anywhere(self, whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
        size = data.draw(st.integers(0, len(whole) - 1))
        assert "is no whole backup" in refused(whole[:size], tmp_path)

    @given(st.data())
    def test_lines_left_out(self, whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
        lines = gzip.decompress(whole).splitlines(keepends=True)
        del lines[data.draw(st.integers(0, len(lines) - 1))]
        assert "is no whole backup" in refused(gzip.compress(b"".join(lines)), tmp_path)

    @settings(max_examples=200)
    @given(st.data())
    def test_a_changed_byte(self, whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
        """Of the lines, since gzip's own would show at once."""
        text = bytearray(gzip.decompress(whole))
        place = data.draw(st.integers(0, len(text) - 2))
        text[place] ^= data.draw(st.integers(1, 255))
        assert refused(gzip.compress(bytes(text)), tmp_path)

    @given(st.binary(max_size=100) | st.binary(max_size=100).map(gzip.compress))
    def test_any_bytes(self, tmp_path: Path, contents: bytes) -> None:
        assert "is no whole backup" in refused(contents, tmp_path)

    def test_another_format(self, whole: bytes, tmp_path: Path) -> None:
        first, *lines = gzip.decompress(whole).splitlines(keepends=True)
        header = {**json.loads(first), "format": 1}
        text = json.dumps(header).encode() + b"\n" + b"".join(lines)
        assert "the backup has format 1, this tokenkit restores 2" in refused(
            gzip.compress(text), tmp_path
        )


def test_the_window_is_the_widest_of_the_policy() -> None:
    options = {option.name: option.default for option in cli.restore.params}
    assert options["window_steps"] == TotpPolicy().max_window_steps


class TestTheCommands:
    def run(self, capsys: Any, *args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["db", *args])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    def test_backup_and_restore(self, bench: Any, capsys: Any, tmp_path: Path) -> None:
        path, url = str(tmp_path / "backup"), f"sqlite:///{tmp_path}/restored.db"
        status, out, err = self.run(capsys, "backup", "--db", bench.url, path)
        assert (status, err) == (0, "")
        assert f" rows in {path}\n" in out
        status, out, err = self.run(capsys, "restore", "--db", url, path, "--json")
        assert (status, err) == (0, "")
        done = json.loads(out)
        assert done["rows"] == sum(map(len, rows_of(url).values())) - 1
        status, _, err = self.run(capsys, "restore", "--db", url, path)
        assert (status, "is not empty" in err) == (2, True)
        Path(path).unlink()
        status, out, _ = self.run(capsys, "backup", "--db", bench.url, path, "--json")
        assert json.loads(out) == {"file": path, "rows": done["rows"]}
        status, out, _ = self.run(
            capsys, "restore", "--db", f"sqlite:///{tmp_path}/more.db", path, "--window-steps", "3"
        )
        assert "no code is accepted for " in out
        status, out, _ = self.run(
            *(capsys, "restore", "--db", f"sqlite:///{tmp_path}/until.db", path),
            *("--until", "2099-01-01T00:00:00Z"),
        )
        [*_, line] = rows_of(f"sqlite:///{tmp_path}/until.db")["mfa_audit"]
        assert (status, line.at_s) == (0, 4_070_908_800.0)

    def test_migrate(self, bench: Any, capsys: Any) -> None:
        assert self.run(capsys, "migrate", "--db", bench.url) == (
            0,
            "it has format 2 already\n",
            "",
        )
        with bench.verifier._store.transaction() as connection:
            connection.execute(sa.update(store.about).values(version=3))
        status, _, err = self.run(capsys, "migrate", "--db", bench.url, "--json")
        assert (status, "has format 3, this tokenkit knows 2" in err) == (2, True)
        status, _, err = self.run(capsys, "backup", "--db", bench.url, "backup")
        assert (status, "has format 3" in err) == (2, True)

    @pytest.mark.parametrize("command", ["backup", "migrate"])
    def test_no_database(self, capsys: Any, tmp_path: Path, command: str) -> None:
        file = [str(tmp_path / "file")] if command == "backup" else []
        status, out, err = self.run(capsys, command, "--db", f"sqlite:///{tmp_path}/no.db", *file)
        assert (status, out) == (2, "")
        assert err == f"tokenkit: {tmp_path}/no.db: No such file or directory\n"
        assert list(tmp_path.iterdir()) == []
