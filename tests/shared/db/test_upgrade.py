"""A database of the first release is brought up to date where it is, with what is in it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

import embedmill.shared.db
from embedmill.shared.db import presence
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import metadata

FIRST = "0001"
WORKER = (
    "INSERT INTO worker (id, host, pid, queues, started_at, heartbeat_at)"
    " VALUES ('w-1', 'here', 7, '[\"embed\"]', 1, 1)"
)


def test_a_database_of_the_first_release_is_upgraded_with_what_is_in_it(database_url: str) -> None:
    begin(database_url)
    opened = open_database(database_url)
    try:
        with opened.read() as connection:
            (row,) = presence.list_workers(connection)
            assert (row["id"], row["queues"], row["kind"], row["slots"], row["drain"]) == (
                "w-1", ["embed"], "prefork", 1, False,
            )  # fmt: skip
            found = inspect(connection)
            for table in metadata.sorted_tables:
                declared = {str(c.name) for c in table.constraints if c.name and str(c.name).startswith("ck_")}
                assert {c["name"] for c in found.get_check_constraints(table.name)} == declared
    finally:
        opened.close()


def begin(url: str) -> None:
    """Make the database as the first release left it."""
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(Path(embedmill.shared.db.__file__).parent / "migrations"))
    with database._writer.connect() as connection:
        if not database.is_sqlite:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
        connection.execute(text(WORKER))
        connection.commit()
    database.close()
