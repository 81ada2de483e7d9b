"""Many rows in one statement: arrays on Postgres, one prepared statement run many times on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Insert, Table, Text, Update, bindparam, cast, column, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeEngine

Rows = Sequence[Mapping[str, Any]]


def update_each(connection: Connection, query: Update, rows: Rows, types: Mapping[str, TypeEngine[Any]]) -> None:
    """Run an update for every row; its parameters are bound by name, and `types` has the type of each."""
    if connection.dialect.name == "sqlite":
        connection.execute(query, list(rows))
        return
    given = _arrays({name: types[name] for name in rows[0]})

    def replace(element: Any, **_: Any) -> Any:
        known = isinstance(element, BindParameter) and element.key in rows[0]
        return given.c[element.key] if known else None

    connection.execute(visitors.replacement_traverse(query, {}, replace), _columns(rows))


def insert_each(connection: Connection, query: Insert, rows: Rows) -> None:
    """Insert rows; the query's own values hold for all of them."""
    if connection.dialect.name == "sqlite":
        connection.execute(query, list(rows))
        return
    table = query.table
    assert isinstance(table, Table)
    given = _arrays({name: _plain(table.c[name].type) for name in rows[0]})
    constants = {key.name if hasattr(key, "name") else key: value for key, value in (query._values or {}).items()}
    taken = [cast(given.c[n], JSON) if isinstance(table.c[n].type, JSON) else given.c[n] for n in rows[0]]
    chosen = {n: v for n, v in constants.items() if n not in rows[0]}
    statement = insert(table).from_select([*rows[0], *chosen], select(*taken, *chosen.values()))
    connection.execute(statement, _columns(rows))


def _plain(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    return Text() if isinstance(type_, JSON) else type_


def _arrays(types: Mapping[str, TypeEngine[Any]]) -> Any:
    """A relation `given` of one array parameter a column."""
    arrays = [bindparam(f"all_{name}", type_=ARRAY(type_)) for name, type_ in types.items()]
    columns = [column(name, type_) for name, type_ in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def _columns(rows: Rows) -> dict[str, list[Any]]:
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}

