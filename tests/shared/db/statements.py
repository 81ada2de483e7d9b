"""What a call asks of the database: how many statements, and by which plans they are answered."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

from embedmill.shared.db.engine import Database
from tests.shared.db.tracker import Tracker


def count_statements(tracker: Tracker, call: Callable[[], object]) -> int:
    """Statements of a call."""
    before = tracker.database.statements
    call()
    return tracker.database.statements - before


def read_plans(database: Database, call: Callable[[Connection], object]) -> list[str]:
    """The lines of the plan of every statement that a call makes, with the call's own parameters."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.write() as connection:
        event.listen(connection, "before_cursor_execute", note)
        call(connection)
        event.remove(connection, "before_cursor_execute", note)
        return [
            str(row[-1])
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)
        ]


def texts_of(tracker: Tracker, call: Callable[[Connection], object]) -> set[str]:
    """The texts of a call's statements."""
    texts: set[str] = set()

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        texts.add(statement)

    with tracker.database.write() as connection:
        event.listen(connection, "before_cursor_execute", note)
        call(connection)
        event.remove(connection, "before_cursor_execute", note)
    return texts
