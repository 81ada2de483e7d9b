"""Reads the rows of a table or a query in the order of their keys, a page at a time, whatever happens on the way.

No transaction outlives a page. Where a page is broken off, as by a standby that has to catch up, reading goes on after
the last row with shorter pages; when nothing comes any more it gives up.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from embedmill.producers.sources.sql.sessions import Interrupted, Row, Session, StatementRefused
from embedmill.producers.sources.sql.values import Column, ColumnKind

TABLE_PAGE = 1000
# A query is carried out anew for every page.
QUERY_PAGE = 100_000
# So many times in a row a page may break off before its first row.
MOST_FAILURES = 3
PAUSE_SECONDS = 0.5
SHORTER = 4


@dataclass(frozen=True, slots=True)
class Relation:
    """A table by its parts (schema, name), or a query; `sql` stands after FROM."""

    sql: str
    table: tuple[str, ...] = ()

    @property
    def page(self) -> int:
        """Rows of a page."""
        return TABLE_PAGE if self.table else QUERY_PAGE


@dataclass(frozen=True, slots=True)
class Condition:
    """What rows have to meet, and its parameters."""

    sql: str = ""
    parameters: tuple[Any, ...] = ()


@dataclass(slots=True)
class SourceDatabase:
    """The sessions of one reading, one at a time; `connect` raises Refused, Interrupted."""

    connect: Callable[[], Session]
    _session: Session | None = field(default=None, init=False)

    @property
    def session(self) -> Session:
        """The one that is open, or a new one."""
        if self._session is None:
            self._session = self.connect()
        return self._session

    def leave(self) -> None:
        """Close what is open."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def attempt(self, ask: Callable[[Session], Any]) -> Any:
        """What a short question is answered, asked again where it was broken off; raises Refused, Interrupted."""
        failures = Failures(self)
        while True:
            try:
                return ask(self.session)
            except Interrupted as error:
                failures.add(error)


@dataclass(slots=True)
class Failures:
    """Counts what was broken off without progress, pauses, and gives up with the last error."""

    database: SourceDatabase
    count: int = 0

    def add(self, error: Interrupted) -> None:
        """One more; raises it when there were too many."""
        self.database.leave()
        self.count += 1
        if self.count >= MOST_FAILURES:
            raise error
        time.sleep(PAUSE_SECONDS * 2 ** (self.count - 1))


@dataclass(slots=True)
class Reader:
    """The rows of one relation, of which `columns` are read and `key` orders; `most` are wanted, None for all.

    `mark` is an expression whose value follows the columns. `has_nulls` says that a key may be NULL: those rows have no
    place in an order, and are left out.
    """

    database: SourceDatabase
    relation: Relation
    columns: Sequence[Column]
    key: Sequence[Column]
    condition: Condition = Condition()
    mark: Condition = Condition()
    most: int | None = None
    has_nulls: bool = False
    _order: list[str] = field(default_factory=list, init=False)
    _places: list[int] = field(default_factory=list, init=False)

    def rows(self) -> Iterator[Row]:
        """Every row once, as far as its key is unique: columns, mark, what orders them; raises Refused, Interrupted."""
        return chain.from_iterable(self.pages())

    def pages(self) -> Iterator[Sequence[Row]]:
        """The same, some at a time."""
        failures = Failures(self.database)
        after: Sequence[Any] | None = None
        size = self._page
        while True:
            came = 0
            try:
                for found in self._page_after(after, size):
                    # The first row of a page was the last one of the page before.
                    rows = found[1:] if not came and self._key(found[0]) == after else found
                    came += len(found)
                    after = self._key(found[-1])
                    failures.count = 0 if rows else failures.count
                    yield rows
            except Interrupted as error:
                failures.add(error)
                size = max(2, size // SHORTER)
                continue
            if came < size:
                return
            size = min(self._page, size * 2)

    def _key(self, row: Row) -> Sequence[Any]:
        return tuple(row[place] for place in self._places)

    @property
    def _page(self) -> int:
        """One more than are wanted of a page, since the last row of the one before comes again."""
        return min(self.relation.page, self.most or self.relation.page) + 1

    def _page_after(self, after: Sequence[Any] | None, size: int) -> Iterator[Sequence[Row]]:
        session = self.database.session
        self._order = self._order or session.order_by(self.relation.table, self.key)
        selected = [*self._selected(session)]
        # What orders the rows is asked for once, also where it is a column that is read.
        selected += [name for name in self._order if name not in selected]
        self._places = [selected.index(name) for name in self._order]
        condition = self._after(session, after)
        where = " AND ".join(filter(None, (self.condition.sql, condition.sql, self._named(session))))
        statement = (
            f"SELECT {', '.join(selected)} FROM {self.relation.sql}"
            f"{' WHERE ' if where else ''}{where} ORDER BY {', '.join(self._order)} LIMIT {size}"
        )
        parameters = (*self.mark.parameters, *self.condition.parameters, *condition.parameters)
        return session.chunks(statement, parameters, streamed=not session.is_small(size))

    def _named(self, session: Session) -> str:
        if not self.has_nulls:
            return ""
        return " AND ".join(f"{session.quote(column.name)} IS NOT NULL" for column in self.key)

    def _selected(self, session: Session) -> list[str]:
        return [*(session.quote(column.name) for column in self.columns), *filter(None, [self.mark.sql])]

    def _after(self, session: Session, after: Sequence[Any] | None) -> Condition:
        if after is None:
            return Condition()
        kinds = [column.kind for column in self.key] if len(self.key) == len(after) else [ColumnKind.OTHER] * len(after)
        values = tuple(session.bind(value, kind) for value, kind in zip(after, kinds, strict=True))
        return after_key(self._order, values, mark=session.placeholder, compares_rows=session.compares_rows)

    def find(self, keys: Sequence[Row]) -> list[Row]:
        """The rows with these ids, and where the database takes two for one also others."""

        def ask(session: Session) -> list[Row]:
            names = [session.quote(column.name) for column in self.key]
            one = f"({', '.join([session.placeholder] * len(names))})"
            left = f"({', '.join(names)})" if len(names) > 1 else names[0]
            some = ", ".join([one] * len(keys))
            statement = f"SELECT {', '.join(self._selected(session))} FROM {self.relation.sql} WHERE {left} IN ({some})"
            values = (
                session.bind(value, column.kind) for key in keys for value, column in zip(key, self.key, strict=True)
            )
            return [row for rows in session.chunks(statement, (*self.mark.parameters, *values)) for row in rows]

        found: list[Row] = self.database.attempt(ask)
        return found


def after_key(order: Sequence[str], values: Sequence[Any], *, mark: str, compares_rows: bool) -> Condition:
    """The condition that a row's key is a key or comes after it."""
    if len(order) == 1:
        return Condition(f"{order[0]} >= {mark}", tuple(values))
    if compares_rows:
        return Condition(f"({', '.join(order)}) >= ({', '.join([mark] * len(order))})", tuple(values))
    rest = after_key(order[1:], values[1:], mark=mark, compares_rows=False)
    return Condition(
        f"({order[0]} > {mark} OR ({order[0]} = {mark} AND {rest.sql}))", (values[0], values[0], *rest.parameters)
    )


def count_nameless(session: Session, relation: Relation, ids: Sequence[Column]) -> int:
    """How many rows have no id."""
    nulls = " OR ".join(f"{session.quote(column.name)} IS NULL" for column in ids)
    return int(session.value(f"SELECT count(*) FROM {relation.sql} WHERE {nulls}") or 0)


def read_relation(session: Session, table: str, query: str) -> Relation:
    """What `--table` or `--query` names; raises Refused for a query that holds none or more than one."""
    if query:
        text = query.strip().rstrip(";").rstrip()
        escaped = text.replace("%", "%%") if session.placeholder == "%s" else text
        # A comment at the end would swallow the parenthesis.
        return Relation(f"({escaped}\n) AS embedmill_rows")
    parts = split_name(table)
    return Relation(".".join(session.quote(part) for part in parts), parts)


def split_name(name: str) -> tuple[str, ...]:
    """`schema.table` in its parts; what stands in double quotes or backticks is one part."""
    parts, quoted, part = [], "", ""
    for sign in name:
        if quoted:
            quoted, part = ("", part) if sign == quoted else (quoted, part + sign)
        elif sign in '"`':
            quoted = sign
        elif sign == ".":
            parts.append(part)
            part = ""
        else:
            part += sign
    parts.append(part)
    if quoted or not all(parts):
        raise StatementRefused(f"{name!r} is no name of a table: write table or schema.table")
    return tuple(parts)
