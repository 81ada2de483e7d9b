"""Writes the newest schema as one script (`newest.py`), from what the migrations make; for `make format`."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from embedmill.shared.db.engine import Database
from embedmill.shared.db.newest import END, NEWEST
from embedmill.shared.db.opening import migrate


def dump(path: Path) -> str:
    """The statements that make a database as the one at `path`, which nobody has written to."""
    connection = sqlite3.connect(path)
    try:
        made = [statement for statement in connection.iterdump() if statement.startswith(("CREATE", "INSERT"))]
    finally:
        connection.close()
    return "".join(f"{statement.removesuffix(';')}{END}" for statement in made)


def dump_migrated() -> str:
    """What the migrations make of nothing."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "tracking.db")
        database = Database(f"sqlite:///{path}")
        migrate(database)
        database.close()
        return dump(path)


if __name__ == "__main__":
    NEWEST.write_text(dump_migrated())
