"""What Alembic runs to migrate: on the connection it is handed, in the transaction that is open."""

from alembic import context

from tokenkit.verifier.store import migrated

context.configure(connection=context.config.attributes["connection"], version_table=migrated.name)
with context.begin_transaction():
    context.run_migrations()
