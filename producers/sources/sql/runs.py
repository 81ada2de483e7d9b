"""Owns what one reading of a table or query reads: all rows, those that changed, or only what tells whether they did.

- Without a cursor column every row is looked at. A server is asked for a digest of each that it computes itself, and
  only rows with another digest than before, or that are not in the index as they are wanted, are read. Pages of rows
  whose digests are all as they were are not looked up row by row. Of a file that nobody has written to since, only
  ids are asked.
- With one, rows are read whose cursor is not older than the newest one of the last reading, less an overlap for what
  was committed late, and rows whose cursor is NULL. Nothing is said then of rows that are gone. Every tenth reading,
  and one that is told to, goes through the ids of all rows besides.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from embedmill.producers.sources.base import Departed, Item, Kept, Problem, ReadContext, Remark, RemarkKind, Skipped
from embedmill.producers.sources.rows import BadRow
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.sql.documents import Maker, digest_of
from embedmill.producers.sources.sql.layouts import Layout, Wanted, lay_out
from embedmill.producers.sources.sql.reading import (
    Condition,
    Reader,
    Relation,
    SourceDatabase,
    count_nameless,
    read_relation,
)
from embedmill.producers.sources.sql.sessions import Row, Session, Stand, StatementRefused
from embedmill.producers.sources.sql.telling import (
    OF_ROW,
    SURVEYED,
    Digests,
    NotNewer,
    RowTelling,
    SameDigest,
    Untouched,
)
from embedmill.producers.sources.sql.values import Column, ColumnKind, is_set
from embedmill.shared.access.labels import ACCESS
from embedmill.shared.paging import batched, pages

# A reading by the cursor that goes through all ids besides.
COMPARE_EVERY = 10
FOUND = 100
STATE = "state"
# What is kept of a reading that the next one goes on from, if it makes the same of the rows.
MADE_BY = ("digests", "file", "cursor", "kind", "by", "made")
OVERLAP_SECONDS, OVERLAP_NUMBERS = 600, 1000
NONE = Condition()
ORDERED = (ColumnKind.INTEGER, ColumnKind.MOMENT)


@dataclass(frozen=True, slots=True)
class TableTask:
    """A table or a query and what documents are made of; `overlap` is None for the usual one."""

    uri: str
    table: str
    query: str
    wanted: Wanted
    overlap: int | None = None
    compares: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """What a database said before the first row: `nameless` rows have no id, `newest` is the cursor's largest value.

    `file` is another text whenever anything in the table may be another. `levels` are columns that are called as access
    levels are, and that nobody named.
    """

    relation: Relation
    layout: Layout
    is_unique: bool
    nameless: int
    stand: Stand
    cursor: Column | None
    newest: str | None
    digest: str
    file: str
    levels: Sequence[str]

    @property
    def ids(self) -> list[Column]:
        """The columns that a row is known by."""
        return [self.layout.columns[index] for index in self.layout.ids]


def open_task(session: Session, task: TableTask, *, with_digest: bool = False) -> Opened:
    """Look at a table or query; raises Refused for columns that are not there or do not fit."""
    relation = read_relation(session, task.table, task.query)
    # Before anything is read: what is written from now on is seen by the next reading.
    file = session.find_state(relation.table)
    key = session.find_key(relation.table) if relation.table else []
    available = session.describe(relation.sql)
    layout = lay_out(task.wanted, available, key)
    ids = [layout.columns[index] for index in layout.ids]
    is_unique = bool(key) and {column.name for column in ids} == set(key)
    cursor = None if layout.cursor is None else _ordered(session, layout.columns[layout.cursor], relation)
    newest = session.value(session.newest(cursor, relation.sql)) if cursor else None
    return Opened(
        relation,
        layout,
        is_unique,
        nameless=0 if is_unique else count_nameless(session, relation, ids),
        stand=session.stand(),
        cursor=cursor,
        newest=None if newest is None else str(newest),
        digest="" if cursor or not with_digest else session.digest(layout.columns),
        file="" if cursor else file,
        levels=[c.name for c in available if c not in layout.columns and c.name.strip().lower() == ACCESS],
    )


def _ordered(session: Session, column: Column, relation: Relation) -> Column:
    found = session.find_type(column, relation.sql)
    if found.kind not in ORDERED:
        raise StatementRefused(
            f"{column.name!r} cannot be a cursor: its values are no whole numbers, dates or times",
            hint="Name a column that grows with every change, as the time of the last one, or leave --cursor out.",
        )
    return found


def _is_among(maker: Maker, row: Row, uris: Container[str]) -> bool:
    try:
        return maker.name(row) in uris
    except BadRow:
        return False


@dataclass(slots=True)
class TableRun:
    """One reading of a task."""

    task: TableTask
    database: SourceDatabase
    context: ReadContext

    def items(self) -> Iterator[Item]:
        """Every document that is to be looked at; raises Refused, Interrupted."""
        is_kept = self.context.memory.is_kept
        opened: Opened = self.database.attempt(lambda s: open_task(s, self.task, with_digest=is_kept))
        before = self.context.memory.get_many([STATE]).get(STATE, {})
        self._require_newer(opened, before)
        self.context.remarks += [
            Remark(
                self.task.uri, f"{name!r} is not taken for rows' access level; --metadata {name} does", RemarkKind.READ
            )
            for name in opened.levels
        ]
        if before and not self._is_made_alike(opened, before):
            before = self._begin_anew(before)
        if opened.nameless:
            yield Problem(f"{self.task.uri}/NULL", f"rows whose id is NULL: {opened.nameless}; they are no documents")
        yield from self._choose(opened, before)
        self._remember(opened, before)

    def _is_made_alike(self, opened: Opened, before: Any) -> bool:
        cursor = opened.cursor.name if opened.cursor else ""
        return bool(before.get("made") == self.task.wanted.made and before.get("by", "") in (cursor, ""))

    def _begin_anew(self, before: Any) -> Any:
        """Read every row, now and until that came to an end: what was read before was made of other columns."""
        left = {name: value for name, value in before.items() if name not in MADE_BY}
        self.context.memory.put_many({STATE: left})
        return left

    def _choose(self, opened: Opened, before: Any) -> Iterator[Item]:
        since, cursor = before.get("cursor"), opened.cursor
        if cursor is None:
            if opened.file and opened.file == before.get("file"):
                return self._survey(opened, NONE, Untouched())
            mark = Condition(opened.digest)
            if not (before.get("digests") and mark.sql):
                return self._all(opened, mark)
            survey = self._survey(opened, mark, SameDigest(self.context.memory))
            return self._sweeping(survey) if self._is_tenth(before) else survey
        if since is None or before.get("kind") != cursor.kind:
            return self._all(opened)
        newer = Condition(self.database.session.newer(cursor), (since, str(self._overlap(cursor))))
        if self._compares(before):
            fresh = replace(newer, sql=f"CASE WHEN {newer.sql} THEN 1 ELSE 0 END")
            return self._survey(opened, fresh, NotNewer())
        return self._increment(opened, newer, since)

    def _all(self, opened: Opened, mark: Condition = NONE, condition: Condition = NONE) -> Iterator[Item]:
        maker = Maker(self.task.uri, opened.layout, opened.is_unique)
        reader = self._reader(opened, opened.layout.columns, mark=mark, condition=condition, most=self.context.limit)
        if not mark.sql:
            return maker.make_all(reader.rows())
        return self._make_with(Digests(self.context.memory, with_pages=True), maker, reader.pages())

    def _make_with(self, digests: Digests, maker: Maker, some: Iterable[Sequence[Row]]) -> Iterator[Item]:
        width = maker.width
        for rows in some:
            for row, item in zip(rows, maker.make_all(rows), strict=True):
                yield item
                # After the item: what is remembered of a row is never durable before the row itself.
                digests.add(item.uri, row[width])
        digests.end()

    def _increment(self, opened: Opened, newer: Condition, since: str) -> Iterator[Item]:
        self.context.is_increment = True
        read = 0
        for item in self._all(opened, condition=newer):
            read += 1
            yield item
            if isinstance(item, Skipped):
                # Why it holds no document was said.
                yield Departed(item.uri)
        reason = (
            f"rows that changed since {since}, less an overlap, were read: {read:,}; rows that are gone are "
            f"looked for with --compare, and at every {COMPARE_EVERY}th reading"
        )
        self.context.remarks.append(Remark(self.task.uri, reason, RemarkKind.READ))

    def _survey(self, opened: Opened, mark: Condition, telling: RowTelling) -> Iterator[Item]:
        """Go through the ids of all rows, and read those that are not as they were."""
        narrow = opened.layout.narrow()
        namer = Maker(self.task.uri, narrow, is_unique=True)
        maker = Maker(self.task.uri, opened.layout, opened.is_unique)
        reader = self._reader(opened, narrow.columns, mark=mark, most=self.context.limit)
        number = -1
        for number, rows in enumerate(batched(reader.rows(), SURVEYED)):
            if kept := self._find_kept(namer, number, rows, telling):
                yield from map(Kept, kept)
                continue
            named: dict[str, Row] = {}
            for row in rows:
                yield from self._leaving(namer, row, named)
            same = telling.find_same(named, self.context.settled(list(named)), namer.width)
            yield from (Kept(uri) for uri in named if uri in same)
            changed = {uri: [row[index] for index in narrow.ids] for uri, row in named.items() if uri not in same}
            yield from self._read_anew(opened, maker, changed)
            telling.remember(number, rows, namer.width, is_same=not changed)
        telling.end(number + 1)

    def _find_kept(self, namer: Maker, number: int, rows: Sequence[Row], telling: RowTelling) -> Sequence[str]:
        """The URIs of a page if each of its rows is as it was, and in the index; none if one may not be."""
        if not telling.is_page_same(number, rows, namer.width):
            return ()
        uris = namer.name_all(rows)
        return uris if len(self.context.settled(uris)) == len(uris) else ()

    def _sweeping(self, survey: Iterator[Item]) -> Iterator[Item]:
        """The same, and then digests of rows that were not met are forgotten."""
        met = SeenKeys()
        for item in survey:
            met.add([digest_of(item.uri)], 0)
            yield item
        if self.context.limit is None:
            rows = (key for key, _ in self.context.memory.walk() if key.startswith(OF_ROW))
            gone = (key for key in rows if met.find([digest_of(key.removeprefix(OF_ROW))]) is None)
            for some in batched(gone, SURVEYED):
                self.context.memory.forget(some)

    def _read_anew(self, opened: Opened, maker: Maker, ids: dict[str, list[Any]]) -> Iterator[Item]:
        """Whole rows by their ids; where the database takes two ids for one, the other row is left out."""
        reader = self._reader(opened, opened.layout.columns, mark=Condition(opened.digest))
        digests = Digests(self.context.memory, with_pages=False)
        for keys in pages(list(ids.values()), FOUND):
            found = ([row for row in rows if _is_among(maker, row, ids)] for rows in reader.find(keys))
            yield from (
                self._make_with(digests, maker, found) if opened.digest else maker.make_all(chain.from_iterable(found))
            )

    def _leaving(self, namer: Maker, row: Row, named: dict[str, Row]) -> Iterator[Item]:
        """What is said at once of a row, as that it is marked as deleted; all others are `named`."""
        try:
            uri = namer.name(row)
        except BadRow as error:
            yield Problem(f"{self.task.uri}/NULL", str(error))
            return
        if namer.layout.deleted is not None and is_set(row[namer.layout.deleted]):
            yield namer.departed(uri)
        else:
            named[uri] = row

    def _reader(self, opened: Opened, columns: Sequence[Column], **how: Any) -> Reader:
        return Reader(self.database, opened.relation, columns, opened.ids, has_nulls=not opened.is_unique, **how)

    def _overlap(self, cursor: Column) -> int:
        if self.task.overlap is not None:
            return self.task.overlap
        return OVERLAP_NUMBERS if cursor.kind is ColumnKind.INTEGER else OVERLAP_SECONDS

    def _compares(self, before: Any) -> bool:
        return self.task.compares or self._is_tenth(before)

    def _is_tenth(self, before: Any) -> bool:
        return int(before.get("runs", 0)) % COMPARE_EVERY == COMPARE_EVERY - 1

    def _require_newer(self, opened: Opened, before: Any) -> None:
        """An older view never wins, and another server proves no departure."""
        server, position = before.get("server", ""), before.get("position", "")
        if server != opened.stand.server and before:
            self.context.is_increment = True
            reason = "another server answers at this address than before: no row counts as gone in this reading"
            self.context.remarks.append(Remark(self.task.uri, reason, RemarkKind.READ))
        elif position and self.database.attempt(lambda session: session.is_behind(position)):
            raise StatementRefused(
                "the database is behind what was read of it before, as a replica that lags is; nothing counts as gone",
                hint="Read it again when it has caught up, or name the primary. If the server was made anew, close the "
                "source (embedmill sources remove) and ingest it again.",
            )

    def _remember(self, opened: Opened, before: Any) -> None:
        """Only here, after the last row: a reading that was cut begins again where the one before it began."""
        state = {
            "server": opened.stand.server,
            "position": opened.stand.position,
            "digests": bool(opened.digest),
            "file": opened.file,
            "made": self.task.wanted.made,
            "runs": int(before.get("runs", 0)) + 1,
        }
        if opened.cursor is not None:
            state |= {"cursor": opened.newest, "kind": opened.cursor.kind, "by": opened.cursor.name}
        self.context.memory.put_many({STATE: state})
