"""Many rows in one statement: arrays on Postgres, one prepared statement run many times on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Connection,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeEngine

Rows = Sequence[Mapping[str, Any]]


def among(connection: Connection, of: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """A condition for any number of values: one array on Postgres, a list of parameters on SQLite."""
    if connection.dialect.name == "sqlite":
        return of.in_(values)
    return of == any_(bindparam(None, list(values), type_=ARRAY(of.type)))


def update_each(connection: Connection, query: Update, rows: Rows, types: Mapping[str, Any]) -> None:
    """Run an update for every row; its parameters are bound by name, and `types` has the type of each."""
    if connection.dialect.name == "sqlite":
        connection.execute(query, list(rows))
        return
    given = _arrays({name: types[name] for name in rows[0]})

    def replace(element: Any, **_: Any) -> Any:
        known = isinstance(element, BindParameter) and element.key in rows[0]
        return given.c[element.key] if known else None

    bulk: Any = visitors.replacement_traverse(query, {}, replace)
    connection.execute(bulk, _columns(rows))


def insert_or(connection: Connection, table: Table) -> Any:
    """An INSERT that can say what is done about rows that are there, as each engine has it in its own dialect.

    The dialect of the other engine, a tenth of every start, stays unloaded.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def insert_each(connection: Connection, table: Table, rows: Rows, **constants: Any) -> None:
    """Insert rows; `constants` are columns that are the same in all of them."""
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table).values(**constants), list(rows))
        return
    connection.execute(_from_arrays(insert(table), table, rows, constants), _columns(rows))


def upsert_each(
    connection: Connection,
    table: Table,
    rows: Rows,
    *,
    keys: Sequence[str],
    anew: Mapping[str, ColumnElement[Any]] | None = None,
    **constants: Any,
) -> None:
    """Insert rows, or write over those that are there by `keys`; else as `insert_each`.

    `anew` are values of columns that a new row has by default, and one that was there gets back.
    """
    query = insert_or(connection, table)
    is_sqlite = connection.dialect.name == "sqlite"
    query = query.values(**constants) if is_sqlite else _from_arrays(query, table, rows, constants)
    written = [name for name in (*rows[0], *constants) if name not in keys]
    query = query.on_conflict_do_update(
        index_elements=[table.c[name] for name in keys],
        set_={name: query.excluded[name] for name in written} | dict(anew or {}),
    )
    connection.execute(query, list(rows) if is_sqlite else _columns(rows))


def _from_arrays(query: Any, table: Table, rows: Rows, constants: Mapping[str, Any]) -> Any:
    given = _arrays({name: _plain(table.c[name].type) for name in rows[0]})
    taken = [cast(given.c[n], JSON) if isinstance(table.c[n].type, JSON) else given.c[n] for n in rows[0]]
    same = [
        value if isinstance(value, ColumnElement) else literal(value, table.c[n].type) for n, value in constants.items()
    ]
    return query.from_select([*rows[0], *constants], select(*taken, *same))


def _plain(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    return Text() if isinstance(type_, JSON) else type_


def _arrays(types: Mapping[str, TypeEngine[Any]]) -> Any:
    """A relation `given` of one array parameter a column."""
    arrays = [bindparam(f"all_{name}", type_=ARRAY(type_)) for name, type_ in types.items()]
    columns = [column(name, type_) for name, type_ in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def _columns(rows: Rows) -> dict[str, list[Any]]:
    return {f"all_{name}": [_storable(row[name]) for row in rows] for name in rows[0]}


def _storable(value: Any) -> Any:
    """Text of Postgres has neither NUL nor half a surrogate pair; the title or error of a document may have both."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "")
