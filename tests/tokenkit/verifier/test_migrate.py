"""Databases of older formats: refused with the mend, brought to the present one, all or nothing."""

import random
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tokenkit.errors import MissingExtraError
from tokenkit.verifier import Replayed, StoreError, Verifier, store
from tokenkit.verifier.chain import FIRST, chained
from tokenkit.verifier.migrations import migrate
from tokenkit.verifier.store import Store, parse_url

KEY = bytes(range(32))
NOW_S = 1_800_000_000.0
# what format 1 was made of; the types in braces are the databases' own
FORMAT_1 = """
CREATE TABLE mfa_about (
    version {serial} NOT NULL, seal_check {bytes} NOT NULL, PRIMARY KEY (version)
);
CREATE TABLE mfa_user (
    name VARCHAR(64) NOT NULL, handle {bytes} NOT NULL, PRIMARY KEY (name), UNIQUE (handle)
);
CREATE TABLE mfa_device (
    serial_number VARCHAR(256) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    name VARCHAR(256) NOT NULL,
    "user" VARCHAR(64),
    enabled_s {double},
    last_used_s {double},
    algorithm VARCHAR(8) NOT NULL,
    digits INTEGER NOT NULL,
    period_s INTEGER NOT NULL,
    seed {bytes},
    offset_steps BIGINT NOT NULL,
    last_counter BIGINT,
    failures INTEGER NOT NULL,
    failed_s {double} NOT NULL,
    credential_id {bytes},
    credential {bytes},
    sign_count BIGINT NOT NULL,
    clone_suspected BOOLEAN NOT NULL,
    PRIMARY KEY (serial_number),
    FOREIGN KEY("user") REFERENCES mfa_user (name),
    UNIQUE (credential_id)
);
CREATE INDEX mfa_device_user ON mfa_device ("user");
CREATE TABLE mfa_ceremony (
    id VARCHAR(64) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    "user" VARCHAR(64) NOT NULL,
    state JSON NOT NULL,
    expires_s {double} NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY("user") REFERENCES mfa_user (name)
);
CREATE INDEX ix_mfa_ceremony_expires_s ON mfa_ceremony (expires_s);
CREATE TABLE mfa_audit (
    id {bigserial} NOT NULL,
    at_s {double} NOT NULL,
    event VARCHAR(64) NOT NULL,
    "user" VARCHAR(64),
    serial_number VARCHAR(256),
    detail JSON NOT NULL,
    PRIMARY KEY (id)
)
"""
TYPES = {
    "sqlite": {"serial": "INTEGER", "bigserial": "INTEGER", "bytes": "BLOB", "double": "DOUBLE"},
    "postgresql": {
        "serial": "SERIAL",
        "bigserial": "BIGSERIAL",
        "bytes": "BYTEA",
        "double": "DOUBLE PRECISION",
    },
}


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def make_format_1(url: str, filled: Verifier) -> None:
    """A database of format 1 with what ``filled`` holds, as far as format 1 knows of it."""
    with connected(url) as connection:
        for statement in FORMAT_1.format(**TYPES[connection.dialect.name]).split(";"):
            connection.exec_driver_sql(statement)
        old = sa.MetaData()
        old.reflect(connection)
        with filled._store.transaction() as source:
            for table in old.sorted_tables:
                columns = [store.metadata.tables[table.name].c[each.name] for each in table.c]
                rows = [dict(row._mapping) for row in source.execute(sa.select(*columns))]
                if rows:
                    into = sa.table(table.name, *(sa.column(c.name, c.type) for c in columns))
                    connection.execute(sa.insert(into), rows)
        connection.exec_driver_sql("UPDATE mfa_about SET version = 1")
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('mfa_audit', 'id'), max(id)) FROM mfa_audit"
            )


@pytest.fixture
def bench(make_bench: Any, tmp_path: Any) -> Iterator[Any]:
    """With a little of everything that format 1 had."""
    bench = make_bench(url="sqlite://", sealing_key=KEY)
    bench.wait(7)
    bench.verifier.create_user("ann")
    bench.wait(30)
    bench.verifier.create_user("bob")
    bench.ann = bench.phone("phone", "ann", offset_s=90)
    bench.sign_in(bench.ann, user="ann")
    bench.free = bench.new_phone("free")
    (tmp_path / "seeds.csv").write_text("serial number,secret key\nTOKEN000001,GEZDGNBVGY3TQOJQ")
    bench.verifier.import_seeds(tmp_path / "seeds.csv")
    bench.verifier.begin_registration("ann")
    yield bench
    bench.verifier.close()


@pytest.fixture
def old_url(bench: Any, database_url: str) -> str:
    make_format_1(database_url, bench.verifier)
    return database_url


def migrated(url: str) -> int:
    with closing(Store(parse_url(url), make=False)) as opened:
        return migrate(opened, now=lambda: NOW_S, random_bytes=random.Random(1).randbytes)


def contents(url: str) -> dict[str, Any]:
    with connected(url) as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        return {
            table.name: sorted(connection.execute(sa.select(table)).all(), key=repr)
            for table in tables.sorted_tables
        }


def schema(connection: sa.Connection) -> dict[str, Any]:
    """What a database says of its tables, without the order of columns."""
    looks = sa.inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (repr(column["type"]), column["nullable"])
                for column in looks.get_columns(table)
            },
            "primary": looks.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(each["column_names"] for each in looks.get_unique_constraints(table)),
            "foreign": sorted(
                (each["constrained_columns"], each["referred_table"], each["referred_columns"])
                for each in looks.get_foreign_keys(table)
            ),
            "indexes": sorted(
                (each["name"], each["column_names"], each["unique"])
                for each in looks.get_indexes(table)
                if not each.get("duplicates_constraint")
            ),
        }
        for table in looks.get_table_names()
    }


def test_opening_an_old_format_says_the_mend(old_url: str) -> None:
    before = contents(old_url)
    with pytest.raises(StoreError, match=r"has format 1, .* then run tokenkit db migrate"):
        Verifier(old_url, sealing_key=KEY)
    assert contents(old_url) == before


def test_everything_works_on(bench: Any, old_url: str) -> None:
    before = bench.verifier
    assert migrated(old_url) == 1
    with Verifier(old_url, now=lambda: bench.now_s, sealing_key=KEY) as after:
        found, expected = after.devices(), before.devices()
        assert found == expected
        assert after.audit()[:-1] == before.audit()
        assert after.audit()[-1].detail == {"from": 1, "to": 2}
        bench.verifier = after
        with pytest.raises(Replayed):
            bench.sign_in(bench.ann, user="ann")
        bench.wait(60)
        bench.sign_in(bench.ann, user="ann")
        bench.enable(bench.free, "bob")
        token = bench.token("TOKEN000001", "GEZDGNBVGY3TQOJQ")
        bench.enable(token)
        assert after.create_user("joe").path == "/"
        after.tag_device("TOKEN000001", {"shelf": "3"})
        after.deactivate("ann", bench.ann.serial_number)


def test_what_format_1_did_not_know(bench: Any, old_url: str) -> None:
    first, *_ = bench.verifier.audit()
    migrated(old_url)
    with Verifier(old_url, now=lambda: bench.now_s, sealing_key=KEY) as after:
        ann, bob, root = after.users()
        assert (ann.created_s, bob.created_s) == (first.at_s, first.at_s + 30)
        assert (root.created_s, root.id, root.path) == (first.at_s, "123456789012", "/")
        assert ann.id.startswith("AIDA")
        assert not ann.has_password
        with after._store.transaction() as connection:
            made = dict(
                connection.execute(sa.text("SELECT serial_number, created_s FROM mfa_device")).all()
            )
        assert made["TOKEN000001"] == NOW_S  # nobody knows
        assert made[bench.free.serial_number] == bench.now_s


def test_the_log_becomes_a_chain(bench: Any, old_url: str) -> None:
    migrated(old_url)
    with connected(old_url) as connection:
        rows = connection.execute(sa.select(store.audit).order_by(store.audit.c.id)).all()
        head = connection.execute(sa.select(store.audit_head)).one()
    found = FIRST
    for row in rows:
        line = {
            name: getattr(row, name)
            for name in ("at_s", "event", "user", "serial_number", "detail")
        }
        found = chained(found, line)
        assert row.hash == found
    assert (head.lines, head.hash) == (len(rows), found)


def test_migrating_equals_creating(bench: Any, old_url: str, tmp_path: Any, request: Any) -> None:
    migrated(old_url)
    with connected(old_url) as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "mfa_migration", "compare_type": True}
        )
        assert compare_metadata(context, store.metadata) == []
        found = schema(connection)
        version = connection.exec_driver_sql("SELECT version_num FROM mfa_migration").scalar_one()
    if old_url.startswith("sqlite"):
        compare(found, f"sqlite:///{tmp_path}/new.db", version)
    else:
        with request.getfixturevalue("postgresql").database() as url:
            compare(found, url, version)


def compare(found: dict[str, Any], url: str, version: str) -> None:
    Verifier(url, sealing_key=KEY).close()
    with connected(url) as connection:
        assert schema(connection) == found
        new = connection.exec_driver_sql("SELECT version_num FROM mfa_migration").scalar_one()
        assert new == version == str(store.VERSION)


def test_again_is_nothing(old_url: str) -> None:
    migrated(old_url)
    before = contents(old_url)
    assert migrated(old_url) == store.VERSION
    assert contents(old_url) == before


@pytest.mark.parametrize("place", ["_make_tables", "_chain_the_log", "_demand_values"])
def test_a_failure_leaves_all_as_it_was(
    old_url: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a step of the migration; Alembic loads its revisions anew each time."""
    before = contents(old_url)
    import alembic.script.base as scripts

    load = scripts.util.load_python_file

    def loaded(folder: str, name: str) -> Any:
        module = load(folder, name)
        if name.startswith("format_2"):
            step = getattr(module, place)

            def fail(*values: Any) -> None:
                step(*values)
                raise ZeroDivisionError

            setattr(module, place, fail)
        return module

    with monkeypatch.context() as patch:
        patch.setattr(scripts.util, "load_python_file", loaded)
        with pytest.raises(ZeroDivisionError):
            migrated(old_url)
    assert contents(old_url) == before
    assert migrated(old_url) == 1


def test_a_row_that_refers_to_nothing_is_told(bench: Any, tmp_path: Any) -> None:
    """On SQLite; PostgreSQL lets nobody make one."""
    database_url = f"sqlite:///{tmp_path}/mfa.db"
    make_format_1(database_url, bench.verifier)
    with connected(database_url) as connection:
        connection.exec_driver_sql("DELETE FROM mfa_user WHERE name = 'ann'")
    before = contents(database_url)
    with pytest.raises(StoreError, match="refer to nothing"):
        migrated(database_url)
    assert contents(database_url) == before


def test_what_is_no_old_database(database_url: str, tmp_path: Any) -> None:
    with pytest.raises(StoreError, match=r"No such file"):
        migrated(f"sqlite:///{tmp_path}/missing.db")
    if database_url.startswith("sqlite"):
        (tmp_path / "mfa.db").touch()
    with pytest.raises(StoreError, match="holds nothing of a verifier's"):
        migrated(database_url)
    Verifier(database_url, sealing_key=KEY).close()
    with connected(database_url) as connection:
        connection.exec_driver_sql("UPDATE mfa_about SET version = 3")
    with pytest.raises(StoreError, match="has format 3, this tokenkit knows 2"):
        migrated(database_url)


def test_without_alembic(old_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alembic", None)
    with pytest.raises(MissingExtraError, match=r"migrating a database .* 'tokenkit\[serve\]'"):
        migrated(old_url)
