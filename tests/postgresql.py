"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a Unix socket."""

import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# what a throw-away cluster may leave out: it is gone before any power cut
OPTIONS = "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=300"


def what_is_missing() -> str | None:
    """And how to get it; None if all is there."""
    if _binaries() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed: pip install 'tokenkit[postgresql]'"
    return None


def _binaries() -> Path | None:
    """Where initdb and pg_ctl are; Debian keeps them off the path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "initdb").exists()), None)


class Postgresql:
    """A running cluster whose socket is in ``folder``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://tokenkit@/{database}?host={self._folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is gone afterwards."""
        name = f"test{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        import psycopg

        where = f"host={self._folder} user=tokenkit dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running(options: str = OPTIONS) -> Iterator[Postgresql]:
    """Start a cluster; it is gone afterwards."""
    bin_folder = _binaries()
    assert bin_folder is not None
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL does not run as root

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [bin_folder / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
            user=user,
            cwd="/",
        )

    with tempfile.TemporaryDirectory() as folder:
        if user is not None:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        run("initdb", "-D", data, "-U", "tokenkit", "-A", "trust", "--no-sync")
        run(
            "pg_ctl",
            "-D",
            data,
            "-l",
            f"{folder}/log",
            "-w",
            "-o",
            f"-k {folder} {options}",
            "start",
        )
        try:
            yield Postgresql(folder)
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
