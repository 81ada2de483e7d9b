"""Which backups were made: what is erased later may be in them, and their tombstones are written beside them."""

import secrets

from sqlalchemy import Connection, insert, select

from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import backup


def note_backup(connection: Connection, place: str) -> None:
    """Remember a backup and where it was written to."""
    connection.execute(insert(backup).values(id=secrets.token_hex(8), place=place, made_at=clock()))


def list_backups(connection: Connection) -> list[tuple[str, float]]:
    """Places of backups and when they were made (seconds since 1970), the oldest first."""
    query = select(backup.c.place, backup.c.made_at).order_by(backup.c.made_at)
    return [(row.place, row.made_at) for row in connection.execute(query)]
