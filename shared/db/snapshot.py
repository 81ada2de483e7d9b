"""The newest schema as one script, from which a new SQLite database is made at once instead of by every migration.

`make format` writes it anew, from what the migrations make. One that is older than they are costs only time: whoever
opens a database goes on from the revision that it finds.
"""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from embedmill.shared.db.engine import Connection, Database

NEWEST = Path(__file__).parent / "migrations" / "newest.sql"
_END = ";\n\n"


def create_newest(connection: Connection) -> None:
    """Make every table in an empty SQLite database; of processes that start together, the first does it."""
    if connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first() is None:
        for statement in NEWEST.read_text().split(_END)[:-1]:
            connection.exec_driver_sql(statement)


def dump(path: Path) -> str:
    """The statements that make a database as the one at `path`, which nobody has written to."""
    connection = sqlite3.connect(path)
    try:
        made = [statement for statement in connection.iterdump() if statement.startswith(("CREATE", "INSERT"))]
    finally:
        connection.close()
    return "".join(f"{statement.removesuffix(';')}{_END}" for statement in made)


def dump_migrated() -> str:
    """What the migrations make of nothing."""
    from embedmill.shared.db.opening import migrate

    with TemporaryDirectory() as folder:
        path = Path(folder, "tracking.db")
        database = Database(f"sqlite:///{path}")
        migrate(database)
        database.close()
        return dump(path)


if __name__ == "__main__":
    NEWEST.write_text(dump_migrated())
