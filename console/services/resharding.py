"""Resharding: documents move to the shards where they belong, each copied whole before it goes.

Nothing is embedded: vectors are copied from shard to shard, and what a shard has lost comes from the cache. A step can
be repeated at any point, so whoever was killed is followed by the same call.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import serves
from embedmill.console.services.working import work_on_job
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import MAX_SHARDS
from embedmill.shared.db import collections, documents, leases, manifest, repairs
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.collection_changes import note_move
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.manifest import Tracked
from embedmill.shared.errors import FlowControl, KeyRefused, SettingsError
from embedmill.shared.logs import get_logger
from embedmill.shared.providers.vectorstores.rows import VectorRow, edition_of, named
from embedmill.shared.runtime import Runtime

T = TypeVar("T")

log = get_logger()

PAGE = 500
"""Documents looked at in one step."""
ROWS = 1_000
"""Rows copied in one step, if no document has more."""
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 600.0
"""How long a store may refuse before the move is left for later."""


@dataclass(frozen=True, slots=True)
class Resharded:
    """Documents and vectors that moved, and documents that were mended; `finished` unless some are whole nowhere."""

    collection: str
    shards: int
    documents: int
    vectors: int
    repaired: int
    finished: bool


@serves("collections.reshard", Right.MANAGE, in_collection("name"), told=("shards",))
def reshard_collection(runtime: Runtime, name: str, *, shards: int, listener: Listener = NOBODY) -> Resharded:
    """Move a collection to so many shards, or take such a move up; it can be searched and written meanwhile.

    Raises NotFound, SettingsError, UserError while a move to another number is not finished, and FlowControl when a
    store refuses for too long.
    """
    if not 1 <= shards <= MAX_SHARDS:
        raise SettingsError(f"{shards} shards: choose from 1 to {MAX_SHARDS}")
    found = runtime.database.transact(lambda connection: _begin(connection, name, shards))
    mover = Mover(runtime, found)
    if found.leaving:
        _await_older_batches(runtime, found)
        mover.move()
        _finish(runtime, mover, listener)
    return Resharded(
        collection=name,
        shards=shards,
        documents=mover.moved,
        vectors=mover.rows,
        repaired=len(mover.incomplete) if mover.finished else 0,
        finished=mover.finished or not found.leaving,
    )


def _begin(connection: Connection, name: str, shards: int) -> Collection:
    collections.begin_move(connection, collections.get_collection(connection, name), shards)
    return collections.get_collection(connection, name)


def _await_older_batches(runtime: Runtime, collection: Collection) -> None:
    """Batches claimed before the move began may know the former shards only; a dead worker's lease runs out.

    An owner that lives gets another lease to renew it, as when the database was away.

    The clock is read after the commit: whoever claims later reads the new shards.
    """
    with runtime.database.read() as connection:
        began = read_clock(connection)
    while True:
        with runtime.database.read() as connection:
            left = leases.count_indexing(
                connection, collection.id, claimed_until=began, expired_seconds=runtime.settings.lease_seconds
            )
        if not left:
            return
        time.sleep(POLL_SECONDS)


class Mover:
    """Copies documents to their new homes and deletes them at the old ones."""

    def __init__(self, runtime: Runtime, collection: Collection) -> None:
        self._runtime = runtime
        self._collection = collection
        self._store = runtime.store(collection)
        self.moved = 0
        self.rows = 0
        self.incomplete: list[str] = []
        """Documents that neither home holds whole."""
        self.finished = False

    @property
    def collection(self) -> Collection:
        """What is moved."""
        return self._collection

    def move(self) -> None:
        """Go through every document once; those that are written meanwhile are written at home."""
        for page in manifest.walk_tracked(self._runtime.database, self._collection.id, page=PAGE):
            routes: dict[tuple[str, str], list[Tracked]] = {}
            for tracked in page:
                if former := self._collection.former_home(tracked.id):
                    routes.setdefault((former, self._collection.home(tracked.id)), []).append(tracked)
            for (source, target), movers in routes.items():
                for some in _by_rows(movers):
                    _patiently(lambda s=source, t=target, d=some: self._move(s, t, d))  # type: ignore[misc]

    def _move(self, source: str, target: str, movers: Sequence[Tracked]) -> None:
        ids = [tracked.id for tracked in movers]
        held = self._store.fetch_documents(source, ids, with_vectors=True)
        active = {tracked.id: tracked.edition for tracked in movers}
        generations = {tracked.id: tracked.generation for tracked in movers}
        seen = [row for row in held.values() if edition_of(row).is_seen_as(active[row.document])]
        # What 0.1.0 wrote comes under the name that it should have.
        rows = list(named([replace(row, generation=generations[row.document]) for row in seen]).values())
        self._store.upsert(target, rows)
        arrived = self._store.count_editions(target, {t.id: (t.version, t.generation) for t in movers})
        with self._runtime.database.read() as connection:
            now = documents.find_active_editions(connection, ids)
        # Whoever wrote a newer version meanwhile has deleted the old one, perhaps before it was copied here.
        changed = {id for id in ids if now.get(id) != active[id]}
        whole = {t.id for t in movers if arrived[t.id] == t.indexed} - changed
        self._store.delete_ids(target, [row.id for row in rows if row.document in changed])
        gone = [id for id, row in held.items() if row.document in whole]
        if gone:
            # Whoever asked the new home before the copy came, and asks the old one after it went, looks again.
            self._runtime.database.transact(lambda connection: note_move(connection, self._collection.id))
            self._store.delete_ids(source, gone)
        self._note(movers, whole, changed, rows)

    def _note(self, movers: Sequence[Tracked], whole: set[str], changed: set[str], rows: Sequence[VectorRow]) -> None:
        self.moved += len({row.document for row in rows} & whole)
        self.rows += sum(row.document in whole for row in rows)
        self.incomplete += [t.id for t in movers if t.id not in whole and t.id not in changed]
        log.info("reshard.moved", collection=self._collection.id, documents=len(whole), vectors=len(rows))


def _by_rows(movers: Sequence[Tracked]) -> Iterator[list[Tracked]]:
    """Documents in groups of about so many rows."""
    some: list[Tracked] = []
    rows = 0
    for tracked in movers:
        if some and rows + tracked.indexed > ROWS:
            yield some
            some, rows = [], 0
        some.append(tracked)
        rows += tracked.indexed
    if some:
        yield some


def _patiently(step: Callable[[], T]) -> T:
    """A step that a store may refuse for a while; raises FlowControl when it does so for too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return step()
        except KeyRefused:
            raise  # this process will not get another
        except FlowControl as refusal:
            if time.monotonic() + refusal.retry_after_seconds > deadline:
                raise
            time.sleep(refusal.retry_after_seconds)


def _finish(runtime: Runtime, mover: Mover, listener: Listener) -> None:
    """Mend from the cache what was not whole, leave the former shards, and drop those that are no more."""
    collection = mover.collection
    if mover.incomplete and not _mended(runtime, mover, listener):
        return
    with runtime.database.write() as connection:
        collections.end_move(connection, collection)
    store = runtime.store(collection)
    for shard in collection.leaving:
        if shard not in collection.shards:
            _patiently(lambda s=shard: store.drop(s))  # type: ignore[misc]
    mover.finished = True


def _mended(runtime: Runtime, mover: Mover, listener: Listener) -> bool:
    with runtime.database.write() as connection:
        job = repairs.submit_repair(
            connection, mover.collection.id, mover.incomplete, max_attempts=runtime.settings.max_attempts
        )
    work_on_job(runtime, job, listener)
    mended = set(mover.incomplete)
    with runtime.database.read() as connection:
        pages = manifest.list_tracked(connection, mover.collection.id)
        wanted = {tracked.id: tracked for page in pages for tracked in page if tracked.id in mended}
    store = runtime.store(mover.collection)
    for shard in mover.collection.shards:
        here = {id: (t.version, t.generation) for id, t in wanted.items() if mover.collection.home(id) == shard}
        counts = store.count_editions(shard, here) if here else {}
        if any(counts[id] != wanted[id].indexed for id in here):
            return False
    return True
