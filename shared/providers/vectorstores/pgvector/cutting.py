"""Owns that the words of rows are those of today's cutter: rows of older versions are cut anew, some at a time.

Their fields, which filters ask for, are read anew with them.

Searches wait for it as long as they may, and name the shard when that was too short; what was cut stays cut, whoever
did it. Several processes that do so at once take different rows.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.filtering.fields import OWN
from embedmill.shared.providers.vectorstores.pgvector import filters, words
from embedmill.shared.providers.vectorstores.pgvector.connections import Connections
from embedmill.shared.providers.vectorstores.pgvector.rows import split_metadata
from embedmill.shared.providers.vectorstores.pgvector.tables import COUNTED, Tables
from embedmill.shared.providers.vectorstores.pgvector.text import map_strings, with_nul
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.cutting import VERSION, count_terms

ROWS = 500
"""Cut in one transaction: some tenths of a second."""
UNDER_WAY = "the words of its rows are being cut anew; ask again"


class Cutter:
    """Cuts the rows of one schema's tables."""

    def __init__(self, connections: Connections, tables: Tables) -> None:
        self._connections = connections
        self._tables = tables

    def bring_up_to_date(self, names: Mapping[str, str], *, deadline: float | None = None) -> dict[str, str]:
        """Cut what has to be cut; returns the shards that are not done, each with the reason."""
        try:
            behind = self._behind(names)
        except EmbedmillError as error:
            return dict.fromkeys(names, str(error))
        failed: dict[str, str] = {}
        for shard in behind:
            try:
                if not self._cut_all(names[shard], deadline):
                    failed[shard] = UNDER_WAY
            except EmbedmillError as error:
                failed[shard] = str(error)
        return failed

    def _behind(self, names: Mapping[str, str]) -> list[str]:
        found = self._tables.find(list(names.values()))
        current = [name for name, table in found.items() if table.is_current]
        uncut = set(self._uncut(current)) | (found.keys() - set(current))
        return [shard for shard, name in names.items() if name in uncut]

    def _uncut(self, names: Sequence[str]) -> Iterable[str]:
        if not names:
            return ()
        with self._connections.use() as connection:
            totals = connection.execute(self._tables.statement(words.TOTALS, COUNTED), {"places": list(names)})
            return [place for place, cutter, *_ in totals if cutter != VERSION]

    def cut(self, name: str, *, deadline: float | None = None) -> int:
        """Cut the rows of one table that have to be cut, as far as there is time; returns how many that were."""
        return sum(self._slices(name, deadline)) if self._behind({name: name}) else 0

    def _cut_all(self, name: str, deadline: float | None) -> bool:
        sum(self._slices(name, deadline))
        return name not in self._uncut([name])

    def _slices(self, name: str, deadline: float | None) -> Iterator[int]:
        """How many rows were cut, some at a time."""
        self._tables.make(name)
        after: str | None = ""
        while after is not None and (deadline is None or time.monotonic() <= deadline):
            rows = self._cut_some(name, after)
            yield len(rows)
            after = rows[-1][0] if rows else None

    def _cut_some(self, name: str, after: str) -> list[Any]:
        """Cut the next rows after an id."""
        asked = {"after": after, "cutter": VERSION, "some": ROWS}
        with self._connections.use() as connection:
            rows = connection.execute(self._tables.statement(words.UNCUT, name), asked).fetchall()
            if rows:
                _write(connection, self._tables.statement(words.CUT, name), rows)
        return rows


def _write(connection: psycopg.Connection[Any], statement: Any, rows: Sequence[Sequence[Any]]) -> None:
    ids = [id for id, *_ in rows]
    read = [map_strings(row, with_nul) for _, *row in rows]
    counted = [count_texts(title, uri, section, text) for _, uri, title, section, _, _, text in read]
    fields = [filters.keep(dict(zip(OWN, own, strict=True)), split_metadata(kept)[0]) for *own, kept, _ in read]
    connection.execute(statement, (VERSION, ids, *words.columns_of(counted), fields))


def count_texts(title: str, uri: str, section: str, text: str) -> TermCounts:
    """The words of a row by its fields."""
    return count_terms(title=title, uri=uri, section=section, text=text)
