"""The database: who may open it, what is in it, and what is left when something fails."""

import base64
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tokenkit.errors import MissingExtraError
from tokenkit.verifier import (
    Replayed,
    SealingKeyError,
    StoreError,
    ValidationError,
    Verifier,
    WebAuthnPolicy,
    records,
    store,
)

KEY = bytes(range(32))
SEED = "ORUGKIDTMVRXEZLUEBVWK6JA"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mfa.db"


@pytest.fixture
def bench(make_bench: Any, path: Path) -> Iterator[Any]:
    bench = make_bench(url=f"sqlite:///{path}", sealing_key=KEY)
    with bench.verifier:
        yield bench


def opened(path: Path, key: bytes | None = KEY, **options: Any) -> Verifier:
    return Verifier(f"sqlite:///{path}", sealing_key=key, **options)


def sql(path: Path, statement: str) -> Any:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


class TestAtRest:
    def test_a_reopened_database_keeps_everything(self, bench: Any, path: Path) -> None:
        bench.verifier.create_user("ann")
        phone, other = bench.phone("phone", "ann", offset_s=90), bench.phone("other")
        bench.sign_in(phone, user="ann")
        ceremony = bench.verifier.begin_registration("ann")
        before = bench.verifier
        with opened(path, now=lambda: bench.now_s) as after:
            assert user_names(after) == user_names(before) == ["ann", "root"]
            assert after.devices() == before.devices()
            assert after.audit() == before.audit()
            user = after.begin_registration("ann").options.public_key.user
            assert user == ceremony.options.public_key.user
            bench.verifier = after
            with pytest.raises(Replayed):
                bench.sign_in(phone, user="ann")
            bench.sign_in(other)

    def test_seeds_are_nowhere_in_the_file(self, bench: Any, path: Path, tmp_path: Path) -> None:
        app = bench.verifier.create_authenticator_app("phone")
        secret = app.uri.partition("secret=")[2][:64]
        (tmp_path / "seeds.csv").write_text(
            "serial number,secret key\nTOKEN000001,GEZDGNBVGY3TQOJQ"
        )
        bench.verifier.import_seeds(tmp_path / "seeds.csv")
        contents = b"".join(each.read_bytes() for each in path.parent.glob("mfa.db*"))
        assert app.serial_number.encode() in contents
        for text in (secret, SEED):
            seed = base64.b32decode(text)
            whole = text.encode(), seed.hex().encode(), base64.b64encode(seed)
            assert not any(form[:12] in contents for form in (seed, *whole))

    def test_a_new_file_is_private(self, bench: Any, path: Path) -> None:
        bench.verifier.create_user("ann")
        files = sorted(path.parent.glob("mfa.db*"))
        assert [each.name for each in files] == ["mfa.db", "mfa.db-shm", "mfa.db-wal"]
        assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}

    def test_an_existing_files_mode_is_its_owners_business(self, path: Path) -> None:
        path.touch(0o640)
        opened(path).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_one_in_memory_is_gone_when_closed(self) -> None:
        with Verifier() as verifier:
            verifier.create_user("ann")
        assert user_names(Verifier("sqlite:///:memory:")) == ["root"]


class TestOpening:
    def test_another_sealing_key(self, bench: Any, path: Path) -> None:
        before = path.read_bytes()
        with pytest.raises(SealingKeyError, match="with which the database was made"):
            opened(path, KEY[::-1])
        with pytest.raises(SealingKeyError, match="needs a sealing_key for its seeds: 32 random"):
            opened(path, None)
        with pytest.raises(SealingKeyError, match="has 32 bytes, not 5"):
            opened(path, b"short")
        assert path.read_bytes() == before
        opened(path).close()

    def test_without_a_key_no_file_is_made(self, path: Path) -> None:
        with pytest.raises(SealingKeyError):
            opened(path, None)
        assert not path.exists()

    def test_another_programs_database_is_refused_untouched(self, path: Path) -> None:
        sql(path, "CREATE TABLE bookmark (url TEXT)")
        before = path.read_bytes()
        with pytest.raises(StoreError, match="is another program's database: choose a file"):
            opened(path)
        assert path.read_bytes() == before

    def test_what_is_no_database_is_refused_untouched(self, path: Path) -> None:
        path.write_bytes(b"Dear diary, " * 1000)
        with pytest.raises(StoreError, match="file is not a database"):
            opened(path)
        assert path.read_bytes() == b"Dear diary, " * 1000

    def test_an_empty_file_becomes_one(self, path: Path) -> None:
        path.touch()
        with opened(path) as verifier:
            assert user_names(verifier) == ["root"]

    def test_a_later_format(self, bench: Any, path: Path) -> None:
        sql(path, "UPDATE mfa_about SET version = 3")
        with pytest.raises(StoreError, match="has format 3, this tokenkit knows 2"):
            opened(path)

    @pytest.mark.parametrize(
        "damage",
        [
            "DELETE FROM mfa_about",
            "DROP TABLE mfa_device",
            "ALTER TABLE mfa_about RENAME version TO v",
        ],
    )
    def test_a_damaged_database(self, bench: Any, path: Path, damage: str) -> None:
        sql(path, damage)
        with pytest.raises(StoreError, match=r"mfa\.db"):
            opened(path).devices()

    @pytest.mark.parametrize(
        ("name", "message"),
        [("missing/mfa.db", "No such file"), (".", "Is a directory"), ("a\0b", "null byte")],
    )
    def test_a_file_that_cannot_be(self, tmp_path: Path, name: str, message: str) -> None:
        with pytest.raises(StoreError, match=message):
            opened(tmp_path / name)

    def test_a_file_that_may_not_be_written(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.touch()
        monkeypatch.setattr(store.os, "access", lambda path, mode: not mode & os.W_OK)
        with pytest.raises(StoreError, match=f"{path}: Permission denied"):
            opened(path)

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("mfa.db", "^that is no database URL: write sqlite:///FILE or"),
            ("", "is no database URL"),
            ("nosuch://host/name", "nosuch"),
            ("sqlite+nosuch:///mfa.db", "nosuch"),
            ("mysql+pymysql://host/name", "pymysql"),
            ("sqlite:///file:mfa.db?uri=true", "not SQLite's file: URI"),
        ],
    )
    def test_urls_that_lead_nowhere(
        self, url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setitem(sys.modules, "pymysql", None)
        with pytest.raises(StoreError, match=message):
            Verifier(url, sealing_key=KEY)
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_driver_for_postgresql(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(MissingExtraError, match="postgresql"):
            Verifier("postgresql+psycopg://localhost/mfa", sealing_key=KEY)

    @pytest.mark.parametrize(
        "url",
        [
            "nosuch://me:s3cret@host/name",
            "nosuch://host/name?user=me&password=s3cret",
            "postgresql+psycopg://me:s3cret@127.0.0.1:1/name",
            "postgresql+psycopg://127.0.0.1:1/name?user=me&password=s3cret",
            "postgresql//me:s3cret@host/name",
        ],
    )
    def test_a_password_is_not_told(self, url: str) -> None:
        with pytest.raises(StoreError) as raised:
            Verifier(url, sealing_key=KEY)
        assert "s3cret" not in str(raised.value)
        assert raised.value.message == raised.value.told == "The database failed."

    def test_a_policy_that_cannot_be_makes_no_file(self, path: Path) -> None:
        policy = WebAuthnPolicy(attestation="direct", trusted_roots=(b"no certificate",))
        with pytest.raises(ValidationError):
            opened(path, webauthn=policy)
        assert not path.exists()


def user_names(verifier: Verifier) -> list[str]:
    return [user.name for user in verifier.users()]


def everything(verifier: Verifier) -> Any:
    return user_names(verifier), verifier.devices(), verifier.audit()


class TestFailing:
    """Whatever happens in the middle of a request: the state is that before it or after it."""

    def test_a_full_disk(self, bench: Any, tmp_path: Path) -> None:
        phone = bench.phone()
        lines = "".join(f"TOKEN{number:06},GEZDGNBVGY3TQOJQ\n" for number in range(5000))
        (tmp_path / "seeds.csv").write_text("serial number,secret key\n" + lines)
        before = everything(bench.verifier)
        with bench.verifier._store.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(StoreError, match=r"mfa\.db: database or disk is full"):
            bench.verifier.import_seeds(tmp_path / "seeds.csv")
        assert everything(bench.verifier) == before
        bench.sign_in(phone)  # there is room for that

    def test_a_database_that_may_only_be_read(self, bench: Any, path: Path) -> None:
        phone = bench.phone()
        before = everything(bench.verifier)
        with bench.verifier._store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(StoreError, match="readonly database"):
            bench.sign_in(phone)
        with opened(path) as other:
            assert everything(other) == before

    @pytest.mark.parametrize("place", ["insert_audit", "accept_code"])
    def test_an_error_in_the_middle(
        self, bench: Any, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        new, phone = bench.new_phone("new"), bench.phone()
        before = everything(bench.verifier)

        def fail(*values: Any, **more: Any) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(records, place, fail)
            with pytest.raises(ZeroDivisionError):
                bench.enable(new)
            with pytest.raises(ZeroDivisionError):
                bench.verifier.resync("root", phone.serial_number, *phone.pair())
        assert everything(bench.verifier) == before
        bench.enable(new)
        bench.sign_in(phone)

    def test_an_error_while_the_tables_are_made(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*values: Any) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(store, "select", fail)
            with pytest.raises(ZeroDivisionError):
                opened(path)
        assert sql(path, "SELECT * FROM sqlite_master") == []
        with opened(path) as verifier:
            assert user_names(verifier) == ["root"]

    @pytest.mark.parametrize("after", [False, True])
    def test_a_process_that_is_killed(self, bench: Any, path: Path, after: bool) -> None:
        """After the last change of a request, or after the request."""
        phone = bench.phone()
        before = everything(bench.verifier)
        program = f"""
import os, signal
from tokenkit.verifier import Verifier, records
def die(*values):
    os.kill(os.getpid(), signal.SIGKILL)
verifier = Verifier("sqlite:///{path}", now=lambda: {bench.now_s}, sealing_key=bytes(range(32)))
if not {after}:
    records.insert_audit = die
verifier.sign_in("root", "{phone.code()}", serial_number="{phone.serial_number}")
die()
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True)
        assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
        users, devices, audit = everything(bench.verifier)
        if after:
            assert devices[0].last_used_s == bench.now_s
            assert audit[-1].event == "sign-in"
            assert (users, audit[:-1]) == (before[0], before[2])
        else:
            assert (users, devices, audit) == before
            bench.sign_in(phone)


class TestReaders:
    """Of a file: they wait for nobody who writes, and nobody waits for them."""

    def test_a_reader_beside_a_writer(self, bench: Any, path: Path) -> None:
        with opened(path) as other, bench.verifier._store.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM mfa_audit")
            assert user_names(other) == user_names(bench.verifier) == ["root"]

    def test_a_snapshot_stays_what_it_was(self, bench: Any, path: Path) -> None:
        count = "SELECT count(*) FROM mfa_user"
        with bench.verifier._store.snapshot() as connection:
            assert connection.exec_driver_sql(count).scalar_one() == 1
            with opened(path) as other:
                other.create_user("ann")
            assert connection.exec_driver_sql(count).scalar_one() == 1
        assert user_names(bench.verifier) == ["ann", "root"]


def test_opening_a_file_again_takes_no_locks_from_who_has_it_open(bench: Any, path: Path) -> None:
    """Closing a file drops the process's POSIX locks on it, SQLite's too: then another process
    takes the file for its own, and throws away what is written to its log from then on.
    """
    bench.verifier.create_user("ann")
    opened(path).close()
    program = f"""
from tokenkit.verifier import Verifier
with Verifier("sqlite:///{path}", sealing_key=bytes(range(32))) as verifier:
    print([user.name for user in verifier.users()])
"""
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"['ann', 'root']\n"
    bench.verifier.create_user("bob")
    done = subprocess.run(command, check=True, capture_output=True)
    assert done.stdout == b"['ann', 'bob', 'root']\n"
