"""The messages of one conversation, gathered by thread and by day on disk: replies may come weeks after their root."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby

import orjson

from embedmill.producers.sources.slack.messages import Raw, SlackMessage, says_something
from embedmill.producers.sources.slack.objects import without_half_pairs

CACHE_KIB = 4096


@dataclass(frozen=True, slots=True)
class Gathered:
    """The messages of one document in their order: those of a thread, or those of a day that are in none.

    `key` is the stamp of the thread's root, or the day as `2026-05-03`.
    """

    key: str
    messages: Iterator[tuple[str, str, Raw]]
    """Of each its stamp, that of its last change, and itself."""

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread."""
        return is_thread(self.key)


def is_thread(key: str) -> bool:
    """Whether a key is that of a thread."""
    return "." in key


class Gathering:
    """One conversation's messages, each once and as it was last changed."""

    def __init__(self, connection: sqlite3.Connection, zone: tzinfo) -> None:
        self._connection = connection
        self._zone = zone

    def add(self, entry: SlackMessage) -> None:
        """Take a message, unless a newer version of it is here."""
        key = entry.thread if entry.thread and (entry.is_root or entry.thread != entry.ts) else self._day(entry.ts)
        raw = None if entry.is_deleted or not says_something(entry.raw) else _written(entry.raw)
        self._connection.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?) ON CONFLICT (ts) DO UPDATE SET "
            "key = CASE WHEN instr(excluded.key, '.') THEN excluded.key ELSE key END, "
            "version = excluded.version, raw = excluded.raw, gone = excluded.gone "
            "WHERE (excluded.gone, excluded.version) >= (gone, version)",
            (entry.ts, key, entry.version, raw, entry.is_deleted),
        )

    def gather(self) -> Iterator[Gathered]:
        """The documents by their keys; each is to be read before the next."""
        # A root says seldom nothing of its replies; whether it has any is known now.
        self._connection.execute("UPDATE message SET key = ts WHERE ts IN (SELECT DISTINCT key FROM message)")
        found = self._connection.execute(
            "SELECT key, ts, version, raw FROM message WHERE raw IS NOT NULL ORDER BY key, ts"
        )
        for key, rows in groupby(found, key=lambda row: row[0]):
            yield Gathered(key, ((ts, version, orjson.loads(raw)) for _, ts, version, raw in rows))

    def has_root(self, key: str) -> bool:
        """Whether the first message of a thread is here, if only as one that was deleted."""
        return self._connection.execute("SELECT 1 FROM message WHERE ts = ?", (key,)).fetchone() is not None

    def _day(self, ts: str) -> str:
        return day_of(ts, self._zone)


def day_of(ts: str, zone: tzinfo) -> str:
    """The day of a stamp in a zone."""
    return datetime.fromtimestamp(int(ts.partition(".")[0]), zone).date().isoformat()


@contextmanager
def gathering(zone: tzinfo) -> Iterator[Gathering]:
    """A place for a conversation, in an unnamed temporary file that goes away by itself."""
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KIB}", "temp_store=FILE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE message (ts TEXT PRIMARY KEY, key TEXT, version TEXT, raw BLOB, gone INTEGER)")
        connection.execute("CREATE INDEX message_key ON message (key, ts)")
        connection.execute("BEGIN")
        yield Gathering(connection, zone)


def _written(raw: Raw) -> bytes:
    try:
        return orjson.dumps(raw)
    except orjson.JSONEncodeError:
        # Halves of surrogate pairs, which JSON may hold and no text may.
        import json

        return without_half_pairs(json.dumps(raw, ensure_ascii=False)).encode()
