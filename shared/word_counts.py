"""Owns the counts of a collection's words as a search asks for them, from the tracking database."""

import threading
from collections.abc import Sequence

from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.word_counts import list_deltas, read_deltas
from embedmill.shared.words.tallies import NOTHING, WordTally
from embedmill.shared.words.weighing import WordCounts


class WordCounter:
    """Counts the words of one collection; safe between threads. It reads what is new since it was asked last."""

    def __init__(self, database: Database, collection_id: int) -> None:
        self._database = database
        self._collection_id = collection_id
        self._known: frozenset[int] = frozenset()
        self._total = NOTHING
        self._lock = threading.Lock()

    def __call__(self, terms: Sequence[int]) -> WordCounts:
        """How many rows there are, how many words they have, and how many of them hold each term."""
        with self._lock:
            self._database.query(self._read)
            return self._total.counts_of(terms)

    def _read(self, connection: Connection) -> None:
        ids = frozenset(list_deltas(connection, self._collection_id))
        if not ids >= self._known:  # some were folded into one that is new
            self._known, self._total = frozenset(), NOTHING
        fresh = sorted(ids - self._known)
        if fresh:
            self._total = WordTally.total([self._total, *read_deltas(connection, fresh).values()])
            self._known = ids
