"""Reads the rows of a table or a query in the order of their keys, a page at a time, whatever happens on the way.

No transaction outlives a page. Where a page is broken off, as by a standby that has to catch up, reading goes on after
the last row with shorter pages; when nothing comes any more it gives up.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

from embedmill.producers.sources.rows import MAX_ROW_BYTES
from embedmill.producers.sources.sql.sessions import Interrupted, Row, Session, StatementRefused, ValueTooLarge
from embedmill.producers.sources.sql.values import Column, ColumnKind, TooLarge

TABLE_PAGE = 1000
# A query is carried out anew for every page.
QUERY_PAGE = 100_000
# Bytes above which a row is read by itself, so that those that are fetched together take few megabytes.
LARGE_VALUE = 128 * 1024
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
    place in an order, and are left out. Rows with large values come one by one, and what is larger than a document may
    be is `TooLarge` instead.
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
    _limited: list[int] = field(default_factory=list, init=False)
    # The condition that a row has a large value, and where it has NULL then.
    _large: str = field(default="", init=False)
    _told: int = field(default=-1, init=False)

    def rows(self) -> Iterator[Row]:
        """Every row once, as far as its key is unique: columns, mark, what else was asked; raises as `pages` does."""
        return chain.from_iterable(self.pages())

    def pages(self) -> Iterator[Sequence[Row]]:
        """The same, some at a time; raises Refused, Interrupted."""
        failures = Failures(self.database)
        after: Sequence[Any] | None = None
        size = self._page
        large: dict[Sequence[Any], Row | None] = {}
        while True:
            came = 0
            try:
                for found in self.page_after(after, size):
                    # The first row of a page was the last one of the page before.
                    rows = found[1:] if not came and self._key(found[0]) == after else found
                    came += len(found)
                    after = self._key(found[-1])
                    failures.count = 0 if rows else failures.count
                    yield self._without_large(rows, large)
                yield from self._one_by_one(large)
            except ValueTooLarge:
                some = self._keys.page_after(after, self.database.session.largest_chunk)
                keys = [tuple(key) for rows in some for key in rows]
                large = dict.fromkeys(key for key in keys if key != after)
                yield from self._one_by_one(large)
                if len(keys) < self.database.session.largest_chunk:
                    return
                after = keys[-1]
                continue
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

    def page_after(self, after: Sequence[Any] | None, size: int) -> Iterator[Sequence[Row]]:
        """So many rows from a key on, some at a time."""
        session = self.database.session
        selected = ", ".join(self._select_small(session))
        condition = self._after(session, after)
        where = " AND ".join(filter(None, (self.condition.sql, condition.sql, self._named(session))))
        statement = (
            f"SELECT {selected} FROM {self.relation.sql}"
            f"{' WHERE ' if where else ''}{where} ORDER BY {', '.join(self._order)} LIMIT {size}"
        )
        parameters = (*self.mark.parameters, *self.condition.parameters, *condition.parameters)
        return session.chunks(statement, parameters, streamed=not session.is_small(size))

    def _named(self, session: Session) -> str:
        if not self.has_nulls:
            return ""
        return " AND ".join(f"{session.quote(column.name)} IS NOT NULL" for column in self.key)

    def _select_small(self, session: Session) -> list[str]:
        """What is asked of many rows: of one that has a large value the mark is NULL, or without a mark the last.

        A column of its own beside a mark takes some drivers a twentieth of their time.
        """
        selected = self._select(session, LARGE_VALUE)
        if self._limited and self.mark.sql:
            self._told = len(self.columns)
            selected[self._told] = f"CASE WHEN {self._large} THEN NULL ELSE {self.mark.sql} END"
            selected.pop()
        return selected

    def _select(self, session: Session, most: int) -> list[str]:
        """What is asked of a row: columns, values of more than `most` bytes as NULL, and at last NULL if it has one."""
        names = [session.quote(column.name) for column in self.columns]
        # What orders the rows is compared with what came of it.
        sizes = ["" if column in self.key else session.size(column) for column in self.columns]
        limits = [f"{size} > {most}" if size else "" for size in sizes]
        selected = [
            f"CASE WHEN {limit} THEN NULL ELSE {name} END" if limit else name
            for name, limit in zip(names, limits, strict=True)
        ]
        selected += filter(None, [self.mark.sql])
        self._order = self._order or session.order_by(self.relation.table, self.key)
        # Asked for once, also where it is a column that is read.
        selected += [name for name in self._order if name not in selected]
        self._places = [selected.index(name) for name in self._order]
        self._told = -1
        self._limited = [place for place, limit in enumerate(limits) if limit]
        if self._limited:
            self._large = " OR ".join(filter(None, limits))
            selected.append(f"CASE WHEN {self._large} THEN NULL ELSE 1 END")
        return selected

    def _at(self, session: Session, key: Sequence[Any]) -> tuple[Any, ...]:
        """A key as parameters."""
        kinds = [column.kind for column in self.key] if len(self.key) == len(key) else [ColumnKind.OTHER] * len(key)
        return tuple(session.bind(value, kind) for value, kind in zip(key, kinds, strict=True))

    def _after(self, session: Session, after: Sequence[Any] | None) -> Condition:
        if after is None:
            return Condition()
        values = self._at(session, after)
        return after_key(self._order, values, mark=session.placeholder, compares_rows=session.compares_rows)

    def _without_large(self, rows: Sequence[Row], large: dict[Sequence[Any], Row | None]) -> Sequence[Row]:
        """Rows that were read whole; the others are put aside under their keys."""
        told = self._told
        if not self._limited or not (aside := [row for row in rows if row[told] is None]):
            return rows
        large.update((self._key(row), row) for row in aside)
        return [row for row in rows if row[told] is not None]

    def _one_by_one(self, large: dict[Sequence[Any], Row | None]) -> Iterator[Sequence[Row]]:
        while large:
            key, row = next(iter(large.items()))
            found = self.database.attempt(partial(self._alone, key))
            yield found or ([] if row is None else [self._without_values(row)])
            del large[key]

    def _alone(self, key: Sequence[Any], session: Session) -> list[Row]:
        """The row with a key, whole but for values that are larger than a document may be."""
        selected, values = self._select(session, MAX_ROW_BYTES), self._at(session, key)
        where = " AND ".join(f"{name} = {session.placeholder}" for name in self._order)
        ending = f" FROM {self.relation.sql} WHERE {where}"

        def ask(*names: str) -> list[Row]:
            parameters = (*(self.mark.parameters if self.mark.sql in names else ()), *values)
            return [row for rows in session.chunks(f"SELECT {', '.join(names)}{ending}", parameters) for row in rows]

        def ask_one(name: str) -> Any:
            try:
                return next((row[0] for row in ask(name)), None)
            except ValueTooLarge:
                return TooLarge()

        try:
            return [self._without_values(row) if self._limited and row[-1] is None else row for row in ask(*selected)]
        except ValueTooLarge:
            return [[ask_one(name) for name in selected]]

    def _without_values(self, row: Row) -> Row:
        return [TooLarge() if value is None and at in self._limited else value for at, value in enumerate(row)]

    @property
    def _keys(self) -> "Reader":
        """Reads of the same rows what orders them, and nothing else."""
        return replace(self, columns=(), mark=Condition())

    def find(self, keys: Sequence[Row]) -> Iterator[Sequence[Row]]:
        """The rows with these ids, and where the database takes two for one also others; raises as `pages` does."""
        large: dict[Sequence[Any], Row | None] = {}
        try:
            yield self._without_large(self.database.attempt(partial(self.ask, keys)), large)
        except ValueTooLarge:
            large = {tuple(key): None for key in self.database.attempt(partial(self._keys.ask, keys))}
        yield from self._one_by_one(large)

    def ask(self, keys: Sequence[Row], session: Session) -> list[Row]:
        """The rows with these ids, those with large values without them."""
        names = [session.quote(column.name) for column in self.key]
        one = f"({', '.join([session.placeholder] * len(names))})"
        left = f"({', '.join(names)})" if len(names) > 1 else names[0]
        some = ", ".join([one] * len(keys))
        selected = ", ".join(self._select_small(session))
        statement = f"SELECT {selected} FROM {self.relation.sql} WHERE {left} IN ({some})"
        values = (session.bind(value, column.kind) for key in keys for value, column in zip(key, self.key, strict=True))
        return [row for rows in session.chunks(statement, (*self.mark.parameters, *values)) for row in rows]


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
