"""Makes a new SQLite database at once, of one script, instead of by every migration (`snapshot.py` writes the script).

A script that is older than the migrations costs only time: whoever opens a database goes on from its revision.
"""

from pathlib import Path

from sqlalchemy import text

from embedmill.shared.db.engine import Connection

NEWEST = Path(__file__).parent / "migrations" / "newest.sql"
END = ";\n\n"


def create_newest(connection: Connection) -> None:
    """Make every table in an empty SQLite database; of processes that start together, the first does it."""
    if connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first() is None:
        for statement in NEWEST.read_text().split(END)[:-1]:
            connection.exec_driver_sql(statement)
