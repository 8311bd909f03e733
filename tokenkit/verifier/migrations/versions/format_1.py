"""Users and devices, ceremonies, the log: where migrations begin."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing: a database of this format was made as it is."""
