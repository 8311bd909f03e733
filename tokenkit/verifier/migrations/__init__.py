"""Bringing an older database to the present format, by Alembic. New ones never come here.

A revision in ``versions`` is named after the format that it leads to.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import inspect, update

from tokenkit.errors import MissingExtraError
from tokenkit.verifier import records
from tokenkit.verifier.store import VERSION, Store, about, migrated


def migrate(
    store: Store,
    *,
    now: Callable[[], float] = time.time,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> int:
    """Bring ``store`` to the present format, all or nothing; the format that it had.

    What nobody knows the time of was made now. A database that has the
    present format stays as it is. StoreError, MissingExtraError.
    """
    version = store.version()
    if version is None or version >= VERSION:
        store.demand_current()
        return VERSION
    try:
        from alembic import command
        from alembic.config import Config
    except ImportError:
        raise MissingExtraError("migrating a database", "serve") from None
    config = Config()
    folder = str(Path(__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    now_s = now()
    with store.rebuilding_tables() as connection:
        config.attributes |= {
            "connection": connection,
            "now_s": now_s,
            "random_bytes": random_bytes,
        }
        if not inspect(connection).has_table(migrated.name):
            command.stamp(config, str(version))  # format 1 knew nothing of migrations
        command.upgrade(config, str(VERSION))
        connection.execute(update(about).values(version=VERSION))
        detail = {"from": version, "to": VERSION}
        records.insert_audit(connection, now_s, "migrate", None, None, detail)
    store.write_ahead()
    return version
