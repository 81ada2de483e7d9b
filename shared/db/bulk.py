"""Many rows in one statement: one JSON text on Postgres, one prepared statement run many times on SQLite."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Connection,
    Row,
    Select,
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
    literal_column,
    select,
    true,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeEngine

Rows = Sequence[Mapping[str, Any]]
# An escaped NUL, and not an escaped backslash before the characters u0000.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def among(connection: Connection, of: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """A condition for any number of values: one array on Postgres, a list of parameters on SQLite."""
    if connection.dialect.name == "sqlite":
        return of.in_(values)
    return of == any_(bindparam(None, list(values), type_=ARRAY(of.type)))


def each_of(connection: Connection, query: Select[Any], of: ColumnElement[Any], values: Sequence[Any]) -> Select[Any]:
    """A query for rows by any number of ids, each looked up by itself in the order in which they are given.

    A server's planner, which cannot know how many there are, may else read the whole table for them.
    """
    if connection.dialect.name == "sqlite":
        return query.where(of.in_(values))
    texts = bindparam(None, orjson.dumps(values).decode(), type_=Text())
    given = func.json_array_elements_text(cast(texts, JSON)).table_valued(column("value", Text()), name="given")
    given = given.render_derived()
    # With an OFFSET a subquery stays one.
    found = query.where(of == cast(given.c.value, of.type)).offset(0).lateral("found")
    return select(found).join_from(given, found, true())


def update_each(connection: Connection, query: Update, rows: Rows, types: Mapping[str, Any]) -> None:
    """Run an update for every row; its parameters are bound by name, and `types` has the type of each."""
    if connection.dialect.name == "sqlite":
        connection.execute(query, list(rows))
        return
    given = _relation({name: types[name] for name in rows[0]})

    def replace(element: Any, **_: Any) -> Any:
        known = isinstance(element, BindParameter) and element.key in rows[0]
        return given.c[element.key] if known else None

    bulk: Any = visitors.replacement_traverse(query, {}, replace)
    connection.execute(bulk, _as_json(rows))


# Of one text however many there are: each other text would be compiled, and kept with a session for a while.
_EACH = func.json_each(bindparam("rows", type_=Text()))
_ROWS: Select[Any] = select(column("value")).select_from(_EACH)
MOST_ALIKE = 32
"""Kinds of rows for which a batch has a statement each; more are told apart by one statement that is run for each."""


def update_alike(
    connection: Connection, query: Update, of: ColumnElement[Any], rows: Rows, types: Mapping[str, Any]
) -> None:
    """The same where `row` names the row by a column, and many rows may have all else in common.

    SQLite then runs a statement for all of these, which takes a third of as many runs of one for each.
    """
    kinds = _alike(rows, "row") if connection.dialect.name == "sqlite" else None
    if kinds is None:
        update_each(connection, query.where(of == bindparam("row")), rows, types)
        return
    chosen = query.where(of.in_(_ROWS))
    for some in kinds.values():
        given = {name: value for name, value in some[0].items() if name != "row"}
        connection.execute(chosen, given | _listed(some, "row"))


def _listed(rows: Rows, of: str) -> dict[str, str]:
    return {"rows": orjson.dumps([row[of] for row in rows]).decode()}


def _alike(rows: Rows, of: str) -> dict[Any, list[Mapping[str, Any]]] | None:
    """The rows by what they have in common beside `of`; None where that is too little, or cannot be compared."""
    kinds: dict[Any, list[Mapping[str, Any]]] = {}
    names = [name for name in rows[0] if name != of]
    for row in rows:
        try:
            kinds.setdefault(tuple(map(row.__getitem__, names)), []).append(row)
        except TypeError:
            return None
        if len(kinds) > MOST_ALIKE:
            return None
    return kinds if 2 * len(kinds) < len(rows) else None


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
    connection.execute(_from_given(insert(table), table, rows, constants), _as_json(rows))


def insert_alike(connection: Connection, table: Table, rows: Rows, of: str, **constants: Any) -> None:
    """The same of rows that may have all in common but `of`: SQLite then runs one statement for all of them."""
    kinds = _alike(rows, of) if connection.dialect.name == "sqlite" else None
    if kinds is None or len(kinds) > 1:
        insert_each(connection, table, rows, **constants)
        return
    same = {name: value for name, value in rows[0].items() if name != of} | constants
    chosen = select(column("value"), *_as_columns(table, same)).select_from(_EACH)
    connection.execute(insert(table).from_select([of, *same], chosen), _listed(rows, of))


def upsert_each(
    connection: Connection,
    table: Table,
    rows: Rows,
    *,
    keys: Sequence[str],
    kept: Collection[str] = (),
    anew: Mapping[str, ColumnElement[Any]] | None = None,
    returning: Sequence[ColumnElement[Any]] = (),
    **constants: Any,
) -> Sequence[Row[Any]]:
    """Insert rows, or write over those that are there by `keys`; else as `insert_each`.

    `anew` are values that a row gets which was there, and `kept` the columns that it keeps. Of each row, `returning` is
    returned, which slows SQLite down.
    """
    query = insert_or(connection, table)
    is_sqlite = connection.dialect.name == "sqlite"
    query = query.values(**constants) if is_sqlite else _from_given(query, table, rows, constants)
    written = [name for name in (*rows[0], *constants) if name not in (*keys, *kept)]
    query = query.on_conflict_do_update(
        index_elements=[table.c[name] for name in keys],
        # By name: the alias that stands for the row would be made anew, with a column for each of the table's.
        set_={name: literal_column(f'excluded."{name}"') for name in written} | dict(anew or {}),
    )
    done = connection.execute(
        query.returning(*returning) if returning else query, list(rows) if is_sqlite else _as_json(rows)
    )
    return done.all() if returning else ()


def _from_given(query: Any, table: Table, rows: Rows, constants: Mapping[str, Any]) -> Any:
    given = _relation({name: table.c[name].type for name in rows[0]})
    return query.from_select([*rows[0], *constants], select(*given.c, *_as_columns(table, constants)))


def _as_columns(table: Table, values: Mapping[str, Any]) -> list[ColumnElement[Any]]:
    """Values of a table's columns, as a SELECT may give them."""
    return [
        value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in values.items()
    ]


def _relation(types: Mapping[str, TypeEngine[Any]]) -> Any:
    """A relation `given` whose rows arrive as one JSON text: an array a column costs ten times as much to write."""
    columns = [column(name, type_) for name, type_ in types.items()]
    read = func.json_to_recordset(cast(bindparam("given_rows", type_=Text()), JSON))
    return read.table_valued(*columns, name="given").render_derived(with_types=True)


def _as_json(rows: Rows) -> dict[str, str]:
    """Rows without what text of Postgres cannot hold, and a title or error may have: NUL, and half a surrogate pair."""
    try:
        text = orjson.dumps(rows, default=dict, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        text = orjson.dumps([_mended(row) for row in rows], option=orjson.OPT_NON_STR_KEYS).decode()
    return {"given_rows": _NUL.sub(r"\1", text) if "\\u0000" in text else text}


def _mended(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case Mapping():
            return {_mended(key): _mended(part) for key, part in value.items()}
        case list() | tuple():
            return [_mended(part) for part in value]
    return value
